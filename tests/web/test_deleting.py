"""Deleting a conversation: only with the right to it, only after typing the customer's name, and then nothing of it is left."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub.tables import attachments, conversations, events, journal, messages
from tests.web.conftest import Site

WORD = "Zitronenfalter"


async def left(site: Site, number: int) -> list[str]:
    """Everything the database still holds of a conversation's words, in all text columns."""

    def work(conn: Any) -> list[str]:
        found = []
        for table in (messages, conversations, events, journal, attachments):
            for row in conn.execute(sa.select(table)):
                found += [f"{table.name}.{k}" for k, v in row._mapping.items() if WORD.encode() in _bytes(v)]
        return found

    return list(await site.server.hub.db.read(work))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def test_a_conversation_goes_for_good_after_the_name_was_typed(site: Site) -> None:
    number, other = (
        await site.say(WORD, subject=f"About {WORD}"),
        await site.say("Something else", "other", "Other One"),
    )
    anna = await site.signed_in()
    await anna.send(await anna.get(f"/c/{number}"), "#reply", text=f"You said {WORD}")
    assert await left(site, number)
    page = await anna.get(f"/c/{number}/delete?in=all")
    wrong = await anna.send(page, "form.fm", name="Somebody else")
    assert (wrong.status, wrong.words("#summary")) == (422, "This is not the customer’s name.")
    assert await left(site, number)

    page = await anna.send(wrong, "form.fm", name="  katrin VOGEL ")
    assert page.url.endswith("/inbox/all")
    assert await left(site, number) == []
    assert (await anna.get(f"/search?q={WORD}")).all("#found li, .hit") == []
    page = await anna.get(f"/c/{number}")
    assert ("Deleted" in page.words(".sub"), page.all("#timeline article")) == (True, [])
    assert "Something else" in (await anna.get(f"/c/{other}")).words("#timeline")
    again = await site.say("I am back")
    assert "I am back" in (await anna.get(f"/c/{again}")).words("#timeline")


async def test_only_administrators_delete(site: Site) -> None:
    number = await site.say(WORD)
    jonas = await site.signed_in("jonas@firm.example")

    assert (await jonas.get(f"/c/{number}/delete")).status == 403
    assert (await jonas.post(f"/c/{number}/delete", {"name": "Katrin Vogel"})).status == 403
    assert (await jonas.get(f"/c/{number}")).all("a[data-act=delete]") == []
    anna = await site.signed_in()
    assert (await anna.post(f"/c/{number}/delete", {"name": ""})).status == 422
    assert (await anna.get("/c/999999/delete")).status == 404
    assert await left(site, number)
