"""Drafts, second thoughts and saved replies by API."""

from __future__ import annotations

from typing import Any

import aiohttp
import sqlalchemy as sa

from tests.api.conftest import House


async def home(house: House) -> str:
    """The north team's conversation."""
    return str(
        next(c["id"] for c in (await house.get("/conversations"))["items"] if c["customer_name"] == "Nora North")
    )


async def scalar(house: House, question: str) -> Any:
    return await house.hub.db.read(lambda c: c.execute(sa.text(question)).scalar())


async def test_a_draft_is_saved_read_listed_and_discarded(house: House) -> None:
    number = await home(house)
    path = f"/conversations/{number}/drafts/reply"
    form = aiohttp.FormData()
    form.add_field("file", b"%PDF-1", filename="a.pdf")
    file = (await house.ask("agent", "POST", "/attachments", data=form)).json["id"]
    assert (await house.ask("agent", "GET", path)).status == 404
    said = {"text": "Dear Nora", "cc": ["half@"], "subject": "Re", "attachments": [file], "actions": ["tag:a"]}
    saved = await house.ask("agent", "PUT", path, said)

    assert saved.status == 200
    assert saved.json["version"] == 1
    assert [a["name"] for a in saved.json["attachments"]] == ["a.pdf"]
    assert (await house.get(path, "agent")) == saved.json
    assert (await house.get("/drafts", "agent"))["items"] == [saved.json]
    assert (await house.get("/drafts", "admin"))["items"] == []
    assert (await house.ask("agent", "DELETE", path)).status == 204
    assert (await house.ask("agent", "DELETE", path)).status == 404
    assert (await house.get("/drafts", "agent"))["items"] == []


async def test_saving_from_an_old_version_is_a_conflict_that_shows_the_newer_one(house: House) -> None:
    path = f"/conversations/{await home(house)}/drafts/note"
    await house.ask("light", "PUT", path, {"text": "one"})
    await house.ask("light", "PUT", path, {"text": "two", "version": 1})
    stale = await house.ask("light", "PUT", path, {"text": "uno", "version": 1})

    assert stale.status == 409
    assert (stale.json["draft"]["text"], stale.json["draft"]["version"]) == ("two", 2)
    assert (await house.ask("light", "PUT", path, {"text": "uno"})).json["version"] == 3
    assert (await house.ask("light", "PUT", path, {"text": ""})).json["text"] == ""
    assert (await house.ask("light", "GET", path)).status == 404


async def test_pages_of_drafts_follow_their_cursors(house: House) -> None:
    number = await home(house)
    for mode in ("reply", "note"):
        await house.ask("agent", "PUT", f"/conversations/{number}/drafts/{mode}", {"text": mode})
    first = await house.get("/drafts?limit=1", "agent")
    second = await house.get(f"/drafts?limit=1&cursor={first['next']}", "agent")

    assert [d["mode"] for d in first["items"] + second["items"]] == ["reply", "note"]
    assert second["next"] is None


async def test_a_program_holds_a_message_only_when_it_asks_and_takes_it_back(house: House) -> None:
    number = await home(house)
    path = f"/conversations/{number}/messages"
    held = await house.ask("agent", "POST", path, {"text": "Wait", "undo_seconds": 600, "client_id": "act"})
    assert held.json["delivery"]["state"] == "queued"
    other = await house.ask("admin", "DELETE", f"/messages/{held.json['id']}")
    taken = await house.ask("agent", "DELETE", f"/messages/{held.json['id']}")

    assert other.status == 403
    assert (taken.status, taken.json["text"], taken.json["mode"]) == (200, "Wait", "reply")
    assert (await house.ask("agent", "GET", f"/messages/{held.json['id']}")).status == 404
    assert (await house.ask("agent", "DELETE", f"/messages/{held.json['id']}")).status == 404
    timeline = (await house.get(f"/conversations/{number}/timeline"))["items"]
    assert not [i for i in timeline if i.get("direction") == "out" or "withdrawn" in str(i)]
    again = await house.ask("agent", "POST", path, {"text": "Wait", "client_id": "act"})
    assert again.status == 422
    assert "taken back" in again.json["detail"]
    plain = await house.ask("agent", "POST", path, {"text": "Now"})
    assert await scalar(house, "SELECT count(*) FROM holds") == 0
    late = await house.ask("agent", "DELETE", f"/messages/{plain.json['id']}")
    assert late.status == 409


async def test_what_was_taken_back_does_not_count_as_news_for_others(house: House) -> None:
    number = await home(house)
    seen = (await house.get(f"/conversations/{number}"))["last_message"]
    path = f"/conversations/{number}/messages"
    held = await house.ask("agent", "POST", path, {"text": "Wait", "undo_seconds": 600})
    assert (await house.ask("admin", "POST", path, {"text": "x", "seen": seen})).status == 409
    await house.ask("agent", "DELETE", f"/messages/{held.json['id']}")

    assert (await house.ask("admin", "POST", path, {"text": "x", "seen": seen})).status == 201


async def test_saved_replies_are_kept_filled_changed_and_removed(house: House) -> None:
    number = await home(house)
    given = {"name": "Hi", "text": "Dear {{customer.first_name}}, {{conversation.subject}}", "client_id": "one"}
    made = await house.ask("agent", "POST", "/saved_replies", given)
    again = await house.ask("agent", "POST", "/saved_replies", given)
    assert (made.status, again.status, made.json["id"]) == (201, 200, again.json["id"])
    path = f"/saved_replies/{made.json['id']}"
    (filled,) = (await house.get(f"/conversations/{number}/saved_replies?q=hi", "agent"))["items"]

    assert filled["text"] == "Dear Nora, {{conversation.subject}}"
    assert filled["missing"] == ["conversation.subject"]
    assert (await house.ask("stranger", "GET", path)).status == 404
    team = str(house.teams["north"])
    changed = await house.ask(
        "agent", "PATCH", path, {"visibility": "team", "team": team, "actions": ["status:closed"]}
    )
    assert (changed.json["team"], changed.json["name"]) == (team, "Hi")
    assert (await house.ask("light", "GET", path)).status == 200
    wrong = await house.ask("agent", "PATCH", path, {"shortcut": "two words"})
    assert wrong.status == 422
    assert (await house.ask("agent", "DELETE", path)).status == 204
    assert (await house.get("/saved_replies", "agent"))["items"] == []
