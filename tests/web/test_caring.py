"""Tasks, consents and orders in the customer's panel, by plain forms."""

from __future__ import annotations

from hub import caring
from hub.access import Actor
from hub.caring import Order
from tests.web.conftest import Page, Site


def customer_of(page: Page) -> str:
    return str(page.one("[data-customer]").attributes["data-customer"])


async def test_a_task_is_noted_at_a_conversation_ticked_in_ones_own_list_and_told(site: Site) -> None:
    number = await site.say("Please call me")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get(f"/c/{number}?in=all")
    form = next(
        f for f in page.all("#about form") if (f.attributes["action"] or "").partition("?")[0].endswith("/tasks")
    )
    given = {"text": "Call Katrin", "due": "2030-01-31", "person": str(site.people["jonas"])}
    noted = await anna.post(form.attributes["action"], given)

    assert noted.url.partition("?")[0].endswith(f"/c/{number}")
    assert "Call Katrin until 31 Jan 2030 · Jonas Meier" in noted.words(".todo1")
    assert "Call Katrin Jonas Meier until 31 Jan 2030" in noted.words(".noted")
    assert noted.one(".noted button").attributes["aria-checked"] == "false"
    assert not (await anna.get("/tasks")).all(".todo1")
    mine = await jonas.get("/tasks")
    assert mine.words('#low a[href="/tasks"] .count') == "1"
    assert "Call Katrin" in mine.words(".todo1")
    assert not (await jonas.send(mine, ".todo1 form")).all(".todo1")
    done = await anna.get(f"/c/{number}?in=all")
    assert done.one(".todo1 button").attributes["aria-checked"] == "true"
    assert "Jonas Meier did: Call Katrin" in done.words(".ev")
    assert done.one(".noted button").attributes["aria-checked"] == "true"
    again = await anna.send(done, ".noted form")
    assert "Anna Becker opened the task again: Call Katrin" in again.words(".ev")
    assert again.one(".todo1 button").attributes["aria-checked"] == "false"
    for wrong in ({"text": ""}, {"text": "x", "due": "tomorrow"}, {"text": "x", "due": "9999-12-31"}):
        assert (await anna.post(form.attributes["action"], wrong)).status == 422
    assert (await anna.post("/customers/99999/tasks", {"text": "x"})).status == 404


async def test_whoever_opted_out_is_shown_so_and_reply_via_says_it(site: Site) -> None:
    number = await site.say("Do not write to me here")
    anna = await site.signed_in()
    customer = customer_of(await anna.get(f"/c/{number}?in=all"))
    page = await anna.post(
        f"/customers/{customer}/consents?c={number}", {"kind": "api", "state": "out", "how": "by phone"}
    )

    assert "by phone" in page.words("#about")
    assert "opted out" in page.words("#about .chip.bad")
    assert not page.all("#reply-text")
    assert "Anna Becker wrote down: opted out of Shop" in (await anna.get(f"/customers/{customer}")).words(".ev")
    refused = await anna.post(f"/c/{number}/reply", {"text": "x", "client_id": "a", "seen": "0", "via": "1", "to": ""})
    assert refused.status == 422
    back = await anna.post(f"/customers/{customer}/consents?c={number}", {"kind": "api", "state": "in", "how": ""})
    assert back.all("#reply-text")
    lea = await site.signed_in("lea@firm.example")
    assert (await lea.post(f"/customers/{customer}/consents", {"kind": "api", "state": "out"})).status == 403


async def test_orders_stand_in_the_panel_in_the_readers_way(site: Site) -> None:
    number = await site.say("Where is it?")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get(f"/c/{number}?in=all")
    customer = int(customer_of(page))
    shop = Actor(site.people["anna"], "Anna", "a", "admin")
    order = Order(0, "A-4711", 1_790_000_000_000, 123450, "EUR", "shipped", "https://shop.example/o/4711")
    await site.write(caring.order, shop, customer, order)

    page = await anna.get(f"/c/{number}?in=all")
    assert page.one('#about a[href="https://shop.example/o/4711"]').text() == "A-4711"
    assert "EUR 1,234.50" in page.words("#about")
    assert "shipped" in page.words("#about .chip")
    assert "1.234,50 EUR" in (await jonas.get(f"/c/{number}?in=all")).words("#about")
