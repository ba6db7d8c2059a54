"""The screens: HTML over the wire, forms that work without JavaScript, and a live stream of hints."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hub import sessions
from hub.http import FAILURE, HOUSE
from hub.web import (
    appearance,
    asking,
    assignees,
    board,
    brand,
    bulk,
    components,
    components_talk,
    customer_routes,
    deeds,
    deleting,
    doors,
    drafting,
    emoji,
    files,
    first_run,
    further,
    hearing,
    helping,
    joining,
    later,
    live_routes,
    looks,
    metrics,
    pages,
    palette,
    rendering,
    saving,
    searching,
    settings_routes,
    taking,
    templating,
    widget,
    working,
)
from hub.web.live import Live
from hub.web.screens import failure_page, screen


def add_routes(app: web.Application) -> None:
    """Every address a browser knows."""
    rendering.setup(app)
    brand.setup(app)
    first_run.add_routes(app)
    components.add_routes(app)
    components_talk.add_routes(app)
    sessions.prepare(app)
    doors.setup(app)
    looks.setup(app)
    app[FAILURE] = failure_page
    app[doors.LIVE] = live = Live(app[HOUSE])
    app[board.BOARDS] = board.Boards()
    app[pages.AGAIN] = asyncio.Semaphore(2)
    app.on_startup.append(live.start)
    app.on_shutdown.append(live.close)
    metrics.add_routes(app)
    widget.add_routes(app)
    live_routes.add_routes(app, live)
    get, post = app.router.add_get, app.router.add_post
    get("/static/{file}", app[rendering.ASSETS].serve)
    get("/login", doors.login_page)
    post("/login", doors.login)
    post("/logout", doors.logout)
    get("/welcome", doors.welcome_page)
    post("/welcome", doors.welcome)
    get("/welcome/channels", screen(pages.channels_page))
    get("/stream", live.stream)
    get("/", screen(pages.start))
    get("/live", screen(board.live_page))
    get("/live/figures", screen(board.live_part))
    post("/inbox/next", screen(taking.take_next))
    post("/me/presence", screen(taking.set_presence))
    post(r"/c/{number:\d+}/claim", screen(taking.claim))
    settings_routes.add_routes(app)
    customer_routes.add_routes(app)
    for path in ("/inbox/team/{slug}", r"/inbox/{saved:view}/{slug:\d+}", r"/inbox/{view:[a-z]+}"):
        get(path, screen(pages.list_page))
        get(f"{path}/rows", screen(pages.list_page))
    get(r"/c/{number:\d+}", screen(pages.conversation_page))
    get(r"/c/{number:\d+}/items", screen(pages.items_part))
    get(r"/c/{number:\d+}/more", screen(further.more_part))
    get(r"/c/{number:\d+}/chapter", screen(further.chapter_part))
    get(r"/customers/{number:\d+}/more", screen(further.customer_part))
    get("/proxy/image", screen(looks.proxied))
    get(r"/messages/{number:\d+}/files.zip", screen(looks.all_files))
    post(r"/messages/{number:\d+}/height", screen(looks.height))
    post(r"/messages/{number:\d+}/pictures", screen(looks.pictures))
    for name in ("reply", "note", "seen"):
        post(rf"/c/{{number:\d+}}/{name}", screen(getattr(deeds, name)))
    for name in ("assign", "status", "tags", "priority", "unread"):
        post(rf"/c/{{number:\d+}}/{name}", screen(getattr(working, name)))
    for act in (hearing.watch, hearing.link, hearing.unlink, hearing.block, hearing.unblock):
        post(rf"/c/{{number:\d+}}/{act.__name__}", screen(act))
    get(r"/c/{number:\d+}/templates", screen(templating.page))
    get(r"/c/{number:\d+}/merge", screen(joining.merge_page))
    post(r"/c/{number:\d+}/merge", screen(joining.merge))
    get(r"/c/{number:\d+}/delete", screen(deleting.delete_page))
    post(r"/c/{number:\d+}/delete", screen(deleting.delete))
    get(r"/c/{number:\d+}/split", screen(joining.split_page))
    post(r"/c/{number:\d+}/split", screen(joining.split))
    get(r"/c/{number:\d+}/move", screen(joining.move_page))
    post(r"/c/{number:\d+}/move", screen(joining.move))
    get("/snooze", screen(working.snooze_part))
    get("/tags", screen(working.tags_part))
    post("/bulk", screen(bulk.bulk))
    get(r"/actions/{number:\d+}", screen(working.progress))
    post(r"/actions/{number:\d+}/undo", screen(working.undo))
    post(r"/actions/{number:\d+}/cancel", screen(bulk.cancel))
    post("/me/after", screen(working.set_after))
    post("/me/moved", screen(taking.moved))
    post("/me/appearance", screen(appearance.set_appearance))
    get(r"/customers/{number:\d+}", screen(pages.customer_page))
    get("/palette", screen(palette.palette_part))
    get("/search", screen(searching.search_page))
    post("/views", screen(saving.save))
    post(r"/views/{number:\d+}/content", screen(saving.keep))
    for path in (r"/c/{number:\d+}/assignees", "/assignees"):
        get(path, screen(assignees.assignees_part))
    get("/emoji", screen(emoji.emoji_part))
    get("/mates", screen(asking.mates_part))
    get("/me", screen(pages.me_page))
    get("/help", screen(helping.help_page))
    post("/me/language", screen(deeds.set_language))
    get(r"/attachments/{number:\d+}", screen(files.attachment))
    get(r"/messages/{number:\d+}/html", screen(files.message_html))
    get(r"/messages/{number:\d+}/text", screen(files.message_text))
    get(r"/messages/{number:\d+}/raw", screen(files.message_raw))
    post(r"/messages/{number:\d+}/retry", screen(deeds.retry))
    post(r"/messages/{number:\d+}/undo", screen(drafting.take_back))
    for name in ("discard", "restore"):
        post(rf"/c/{{number:\d+}}/drafts/{{mode:reply|note}}/{name}", screen(getattr(drafting, name)))
    for name in ("back", "now", "time"):
        post(rf"/plans/{{number:\d+}}/{name}", screen(getattr(later, name)))
    post(r"/c/{number:\d+}/mode", screen(drafting.choose_mode))
    get(r"/c/{number:\d+}/saved", screen(drafting.replies_part))
    post("/me/undo", screen(drafting.set_undo))
