"""Watching conversations of others, and blocking senders: nothing is lost, nobody is told, and it can be undone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub import blocking, events, notify
from hub.events import Event
from hub.notices import Case
from hub.tables import conversations, messages
from tests.web.conftest import Site


async def told(site: Site, number: int) -> dict[int, Case]:
    """Who is told of the newest message of a conversation, and as what."""
    newest = sa.select(sa.func.max(messages.c.id)).where(messages.c.conversation_id == number)

    def work(conn: Any) -> dict[int, Case]:
        last = conn.execute(newest).scalar()
        news: list[Event] = [e for e in events.after(conn, 0, 10_000) if e.message_id == last]
        return {found.person: found.case for found in notify.cases(conn, news)}

    return dict(await site.server.hub.db.read(work))


async def state(site: Site, number: int) -> tuple[Any, ...]:
    c = conversations.c
    row = sa.select(c.status, c.closed_as, c.unread, c.waiting_since, c.assignee_id).where(c.id == number)
    return tuple(await site.server.hub.db.read(lambda conn: conn.execute(row).one()))


async def test_whoever_watches_is_told_until_they_stop(site: Site) -> None:
    number = await site.say("Hello")
    anna = await site.signed_in()
    assert site.people["anna"] not in await told(site, number)
    page = await anna.get(f"/c/{number}")

    page = await anna.send(page, "#head form[action*='/watch']")
    assert "Watched" in page.words(".sub")
    await site.say("And another thing")
    assert (await told(site, number))[site.people["anna"]] == Case("message", "watch")
    page = await anna.send(page, "#head form[action*='/watch']")
    assert "Watched" not in page.words(".sub")
    await site.say("Still there?")

    assert site.people["anna"] not in await told(site, number)
    assert (await anna.post("/c/999999/watch", {"on": "yes"})).status == 404


async def test_whoever_may_not_see_it_any_more_is_not_told(site: Site) -> None:
    number = await site.say("Hello")
    jonas = await site.signed_in("jonas@firm.example")
    await jonas.post(f"/c/{number}/watch", {"on": "yes"})
    await site.write(lambda c: c.execute(sa.update(conversations).values(team_id=901)))
    await site.say("More")

    assert site.people["jonas"] not in await told(site, number)
    assert (await jonas.post(f"/c/{number}/watch", {"on": "yes"})).status == 404


async def test_what_a_blocked_sender_writes_is_kept_closed_and_told_nobody(site: Site) -> None:
    number = await site.say("Buy this")
    anna = await site.signed_in()
    page = await anna.send(await anna.get(f"/c/{number}?in=all"), "#head form[action*='/block']")
    assert "the sender is blocked" in page.words("#toast")
    assert (await state(site, number))[:2] == ("closed", "blocked")
    assert await site.say("Buy more") == number
    assert (await state(site, number))[:4] == ("closed", "blocked", 0, None)
    assert await told(site, number) == {}
    await site.write(lambda c: c.execute(sa.update(conversations).values(closed_at=1)))
    fresh = await site.say("Buy it now")

    assert fresh != number
    assert await state(site, fresh) == ("closed", "blocked", 0, None, None)
    page = await anna.get(f"/c/{fresh}")
    assert "Buy it now" in page.words("#timeline")
    assert "Sender blocked" in page.words(".sub")
    assert "Blocked" in (await anna.get("/inbox/all?status=closed")).words(f"#c{fresh} .chip")
    assert (await anna.get("/inbox/all")).all("#rows li") == []
    other = await site.say("An honest question", "other", "Other One")
    assert (await state(site, other))[0] == "open"


async def test_a_block_is_undone_with_its_closing_or_lifted_later(site: Site) -> None:
    number = await site.say("Buy this")
    anna = await site.signed_in()
    page = await anna.send(await anna.get(f"/c/{number}?in=all"), "#head form[action*='/block']")
    await anna.post(page.one("#toast form").attributes["action"])
    assert (await state(site, number))[:2] == ("open", "")
    await site.say("Sorry")
    assert (await state(site, number))[2] > 0

    await anna.send(await anna.get(f"/c/{number}?in=all"), "#head form[action*='/block']")
    page = await anna.send(await anna.get(f"/c/{number}?in=all"), "#head form[action*='/unblock']")
    assert "Sender blocked" not in page.words(".sub")
    await site.say("Am I heard?")
    assert (await state(site, number))[0] == "open"


async def test_a_light_agent_watches_and_does_not_block(site: Site) -> None:
    number = await site.say("Hello")
    lea = await site.signed_in("lea@firm.example")

    page = await lea.send(await lea.get(f"/c/{number}"), "#head form[action*='/watch']")
    assert "Watched" in page.words(".sub")
    assert (await lea.post(f"/c/{number}/block")).status == 403
    assert (await lea.post(f"/c/{number}/unblock")).status == 403
    assert (await state(site, number))[0] == "open"


async def test_two_conversations_are_linked_seen_from_both_and_taken_apart(site: Site) -> None:
    one, other = await site.say("Hello"), await site.say("The same inverter", "other", "Other One", subject="Inverter")
    anna = await site.signed_in()
    page = await anna.send(await anna.get(f"/c/{one}"), "#head form[action*='/link']", to=f"#{other}")
    assert "Inverter" in page.words("#about")
    assert f"Anna Becker linked this with conversation #{other}" in page.words("#timeline")
    assert page.words("#toast .grow") == f"#{one} linked with #{other}"
    back = await anna.get(f"/c/{other}")
    assert back.one(f"#about a[href='/c/{one}']")
    page = await anna.send(page, "#toast form")
    assert page.all(f"#about a[href='/c/{other}']") == []

    await anna.send(await anna.get(f"/c/{other}"), "#head form[action*='/link']", to=str(one))
    page = await anna.send(await anna.get(f"/c/{one}"), "#about form[action*='/unlink']")
    assert page.all(f"#about a[href='/c/{other}']") == []
    for wrong in ("", "999999", str(one), "9" * 30, "x"):
        assert (await anna.post(f"/c/{one}/link", {"to": wrong})).status in (400, 422), wrong


async def test_a_link_shows_nobody_what_they_may_not_see(site: Site) -> None:
    one, other = await site.say("Hello"), await site.say("Secret", "other", "Other One", subject="Secret matter")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    await site.write(
        lambda c: c.execute(sa.update(conversations).values(team_id=901).where(conversations.c.id == other))
    )
    await anna.post(f"/c/{one}/link", {"to": str(other)})

    assert "Secret matter" not in (await jonas.get(f"/c/{one}")).text
    assert (await jonas.post(f"/c/{one}/link", {"to": str(other)})).status == 422
    assert (await jonas.post(f"/c/{one}/unlink", {"to": str(other)})).status == 422


async def test_watching_is_taken_back_by_the_bar(site: Site) -> None:
    number = await site.say("Hello")
    anna = await site.signed_in()
    page = await anna.send(await anna.get(f"/c/{number}"), "#head form[action*='/watch']")
    assert page.words("#toast .grow") == f"You watch #{number} now"
    page = await anna.send(page, "#toast form")

    assert "Watched" not in page.words(".sub")
    assert page.all("#toast form") == []


async def test_undoing_a_block_leaves_an_older_one_as_it_is(site: Site) -> None:
    number = await site.say("Buy this")
    sender = str(await site.server.hub.db.read(lambda c: c.execute(sa.select(messages.c.sender)).scalar()))
    await site.write(blocking.block, site.people["jonas"], [sender])
    anna = await site.signed_in()
    page = await anna.post(f"/c/{number}/block")
    assert "the sender is blocked" in page.words("#toast")
    await anna.post(page.one("#toast form").attributes["action"])

    assert (await state(site, number))[:2] == ("open", "")
    assert await site.server.hub.db.read(blocking.among_senders, [sender]) == {sender}
