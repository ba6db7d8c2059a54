"""Rows that were drawn before are shown again, but never to somebody for whom they would look different."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub import accounts, drafts
from hub.drafts import Content
from hub.web.rowcache import DrawnRows
from tests.web.conftest import Site


@pytest.fixture
def misses(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The rows that had to be drawn."""
    seen: list[Any] = []
    put = DrawnRows.put

    def counted(self: DrawnRows, key: Any, drawn: Any) -> Any:
        seen.append(key)
        return put(self, key, drawn)

    monkeypatch.setattr(DrawnRows, "put", counted)
    return seen


async def test_the_same_row_is_drawn_once_for_everybody(site: Site, misses: list[Any]) -> None:
    await site.say("Hello")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    for agent in (anna, jonas) * 4:
        assert "Hello" in (await agent.get("/inbox/all/rows")).words("#rows")

    assert len(misses) <= 4  # one in each language, and a minute may have passed


async def test_nobody_sees_a_row_as_it_was_drawn_for_another(site: Site) -> None:
    number = await site.say("Hello")
    other = await site.say("Else", "other", "Other")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    row = f"#c{number}"

    async def both() -> tuple[str, str]:
        return (await anna.get("/inbox/all/rows")).words(row), (await jonas.get("/inbox/all/rows")).words(row)

    mine, theirs = await both()
    assert "unread" in mine
    assert "ungelesene" in theirs
    actor = await site.server.hub.db.read(accounts.actor, site.people["anna"])
    await site.write(drafts.put, actor, number, "reply", Content("Dear Katrin"))
    mine, theirs = await both()
    assert "Dear Katrin" in mine
    assert "Dear Katrin" not in theirs
    await site.write(drafts.put, actor, number, "reply", Content(""))
    await anna.post(f"/c/{number}/reply", {"text": "At once", "client_id": "k1", "seen": "0"})
    mine, theirs = await both()
    assert "You:" in mine
    assert re.search("Anna|Sie:|Anna:", theirs)
    assert "You:" not in theirs
    page = await anna.get(f"/inbox/all/rows?c={other}")
    assert [node.attributes.get("href", "").startswith(f"/c/{other}") for node in page.all("#rows [aria-current]")] == [
        True
    ]
    assert (await anna.get("/inbox/all/rows")).all("#rows [aria-current]") == []
