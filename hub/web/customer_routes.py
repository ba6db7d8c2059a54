"""The addresses of customers, of merging them, and of writing to them first."""

from __future__ import annotations

from aiohttp import web

from hub.web import beginning, caring, customers, merging
from hub.web.screens import screen


def add_routes(app: web.Application) -> None:
    """Every page and form."""
    get, post = app.router.add_get, app.router.add_post
    one = r"/customers/{number:\d+}"
    get("/customers", screen(customers.list_page))
    get("/customers/new", screen(customers.new_page))
    post("/customers/new", screen(customers.save))
    get(f"{one}/edit", screen(customers.edit_page))
    post(f"{one}/edit", screen(customers.save))
    post(f"{one}/attributes", screen(customers.set_attributes))
    post(f"{one}/addresses", screen(customers.add_address))
    post(rf"{one}/addresses/{{identity:\d+}}/remove", screen(customers.remove_address))
    get("/tasks", screen(caring.tasks_page))
    post(f"{one}/tasks", screen(caring.add_task))
    post(rf"{one}/tasks/{{task:\d+}}", screen(caring.tick))
    post(f"{one}/consents", screen(caring.consent))
    get(f"{one}/same", screen(merging.same_page))
    post(f"{one}/same", screen(merging.merge))
    post(rf"{one}/merges/{{merge:\d+}}/undo", screen(merging.unmerge))
    get(r"/c/{number:\d+}/customer", screen(merging.whose_page))
    post(r"/c/{number:\d+}/customer", screen(merging.give))
    get("/new", screen(beginning.new_page))
    post("/new", screen(beginning.begin))
