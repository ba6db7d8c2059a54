"""Saved views, mentions and the operators of a search by the API."""

from __future__ import annotations

from tests.api.conftest import House, wire_only


async def test_a_view_is_made_counted_changed_moved_and_removed(house: House) -> None:
    north = str(house.teams["north"])
    made = await house.ask("agent", "POST", "/views", {"name": "North", "filter": {"team": north}, "client_id": "v1"})
    again = await house.ask("agent", "POST", "/views", {"name": "North", "filter": {"team": north}, "client_id": "v1"})
    assert (made.status, again.status, again.json["id"]) == (201, 200, made.json["id"])
    assert made.json["count"] == 1
    assert made.json["filter"] == {
        "status": "open", "assignee": None, "team": north, "channel": None, "tag": "", "q": "", "due": "",
        "unread": False, "waited": 0, "sort": "waiting",
    }  # fmt: skip
    path = f"/views/{made.json['id']}"
    words = {"name": "Words", "filter": {"q": "parcel is:open", "status": None}, "visibility": "everyone"}
    other = (await house.ask("admin", "POST", "/views", words)).json
    assert (other["count"], other["filter"]["status"]) == (None, None)

    changed = await house.ask("agent", "PATCH", path, {"name": "Mine", "filter": {"assignee": "me"}, "position": 2})
    assert (changed.json["name"], changed.json["filter"]["assignee"], changed.json["count"]) == ("Mine", "me", 0)
    assert [v["name"] for v in (await house.get("/views", "agent"))["items"]] == ["Words", "Mine"]
    assert [v["name"] for v in (await house.get("/views", "stranger"))["items"]] == ["Words"]
    assert (await house.ask("stranger", "GET", path)).status == 404
    assert (await house.ask("agent", "PATCH", f"/views/{other['id']}", {"name": "x"})).status == 403
    assert (await house.ask("agent", "DELETE", path)).status == 204
    assert (await house.ask("agent", "GET", path)).status == 404


@wire_only
async def test_what_makes_no_sense_in_a_view_is_said(house: House) -> None:
    for body, says in (
        ({"name": "x", "icon": "skull"}, "icon"),
        ({"name": " "}, "name"),
        ({"name": "x", "filter": {"statuses": []}}, "statuses"),
        ({"name": "x", "filter": {"waited": -1}}, "waited"),
        ({"name": "x", "visibility": "team"}, "team"),
    ):
        answer = await house.ask("agent", "POST", "/views", body)
        assert answer.status == 422
        assert says in answer.json["detail"], answer


async def test_conversations_are_found_by_operators(house: House) -> None:
    async def found(query: str, who: str = "admin") -> list[str]:
        return [c["customer_name"] for c in (await house.get(f"/conversations?{query}", who))["items"]]

    both = sorted(["Nora North", "Sam South"])
    assert sorted(await found("q=is:open")) == sorted(await found("q=ist:ungelesen")) == both
    assert (
        await found("q=from:nora+parcel")
        == await found("q=team:north")
        == await found("q=kanal:north")
        == ["Nora North"]
    )
    assert await found("q=team:south", "agent") == []
    assert await found("q=%22of+money%22") == ["Sam South"]
    assert sorted(await found("unread=true&sort=due")) == []
    assert sorted(await found("unread=true")) == sorted(await found("sort=priority")) == both
    assert await found("waited=60") == []


async def test_a_mention_is_told_and_opens_the_conversation(house: House) -> None:
    north = next(c for c in (await house.get("/conversations"))["items"] if c["customer_name"] == "Nora North")
    path = f"/conversations/{north['id']}"
    assert (await house.ask("stranger", "GET", path)).status == 404
    note = await house.ask("agent", "POST", f"{path}/notes", {"text": "Ask @stranger and @SOUTH."})

    assert note.json["mentions"] == [
        {"employee": str(house.people["stranger"]), "team": None, "text": "@stranger", "begin": 4, "end": 13},
        {"employee": None, "team": str(house.teams["south"]), "text": "@SOUTH", "begin": 18, "end": 24},
    ]
    assert (await house.ask("stranger", "GET", path)).status == 200
    asked = await house.get("/conversations?mentioned=true", "stranger")
    assert [c["id"] for c in asked["items"]] == [north["id"]]
    item = (await house.get(f"{path}/timeline", "stranger"))["items"][-1]
    assert [m["text"] for m in item["mentions"]] == ["@stranger", "@SOUTH"]
    assert north["id"] not in [c["id"] for c in (await house.get("/conversations", "stranger"))["items"]]
    assert (await house.ask("stranger", "GET", f"/messages/{note.json['id']}")).status == 200
    assert "note.added" in [e["kind"] for e in (await house.get("/events?after=0", "stranger"))["items"]]
