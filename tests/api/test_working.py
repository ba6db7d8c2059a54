"""Working on conversations by API: snoozing in words, single tags, priority, jobs over many, and undoing."""

from typing import Any

from tests.api.conftest import House, wire_only


async def first(house: House, who: str = "agent") -> Any:
    return (await house.get("/conversations", who))["items"][0]


@wire_only
async def test_a_snooze_is_said_in_words_of_a_zone(house: House) -> None:
    path = f"/conversations/{(await first(house))['id']}/status"

    german = await house.ask(
        "agent", "PUT", path, {"status": "snoozed", "until_words": "20.12.2027 10 Uhr", "zone": "Europe/Berlin"}
    )
    reply = await house.ask("agent", "PUT", path, {"status": "snoozed", "until_words": "until the customer replies"})
    wrong = await house.ask("agent", "PUT", path, {"status": "snoozed", "until_words": "next friday"})
    nowhere = await house.ask("agent", "PUT", path, {"status": "snoozed", "until_words": "tomorrow", "zone": "Mars/X"})
    open_ = await house.ask("agent", "PUT", path, {"status": "open", "until_words": "tomorrow"})

    assert german.json["snoozed_until"] == "2027-12-20T09:00:00.000Z"
    assert (reply.json["status"], reply.json["snoozed_until"]) == ("snoozed", None)
    assert [a.status for a in (wrong, nowhere, open_)] == [422, 422, 422]
    assert wrong.json["field"] == "until_words"


async def test_single_tags_come_and_go_and_spam_and_priority_are_shown(house: House) -> None:
    path = f"/conversations/{(await first(house))['id']}"
    await house.ask("agent", "PUT", f"{path}/tags", {"tags": ["a", "b"]})

    tagged = await house.ask("agent", "POST", f"{path}/tags", {"add": ["c"], "remove": ["a", "x"]})
    urgent = await house.ask("agent", "PUT", f"{path}/priority", {"priority": "urgent"})
    spam = await house.ask("agent", "PUT", f"{path}/status", {"status": "closed", "closed_as": "spam"})
    open_again = await house.ask("agent", "PUT", f"{path}/status", {"status": "open"})

    assert tagged.json["tags"] == ["b", "c"]
    assert urgent.json["priority"] == "urgent"
    assert (spam.json["closed_as"], open_again.json["closed_as"]) == ("spam", None)


async def test_a_job_is_begun_once_and_undone_as_a_whole(house: House) -> None:
    for n in range(3):
        await house.receive("north", f"more{n}", f"more{n}", "Hello")
    body = {"do": "status", "status": "closed", "filter": {"status": "open"}, "client_id": "x1"}

    made = await house.ask("agent", "POST", "/bulk", body)
    again = await house.ask("agent", "POST", "/bulk", body)
    closed = await house.get("/conversations?status=closed", "agent")
    listed = await house.get("/actions?limit=1", "agent")
    undone = await house.ask("agent", "POST", f"/actions/{made.json['id']}/undo")
    twice = await house.ask("agent", "POST", f"/actions/{made.json['id']}/undo")

    assert (made.status, again.status, again.json["id"]) == (201, 200, made.json["id"])
    assert (made.json["state"], made.json["done"]) == ("done", 4)
    assert len(closed["items"]) == 4
    assert (listed["items"][0]["id"], listed["items"][0]["undoable"]) == (made.json["id"], True)
    assert (undone.json["done"], undone.json["skipped"], undone.json["undo_of"]) == (4, 0, made.json["id"])
    assert twice.status == 409
    assert (await house.get("/conversations?status=closed", "agent"))["items"] == []
    assert len((await house.get("/conversations", "admin"))["items"]) == 5  # the other team's was not touched


@wire_only
async def test_a_job_that_says_too_little_or_too_much_is_refused(house: House) -> None:
    number = (await first(house))["id"]
    for body in (
        {"do": "status"},
        {"do": "status", "conversations": [number], "filter": {}},
        {"do": "status", "status": "snoozed", "conversations": [number]},
        {"do": "assign", "employee": "999999", "conversations": [number]},
        {"do": "dance", "conversations": [number]},
        {"do": "tags", "until_words": "tomorrow", "conversations": [number]},
        {"do": "read", "filter": {"q": "nothing has these words"}},
    ):
        answer = await house.ask("agent", "POST", "/bulk", body)
        assert (answer.status, body) == (422, body)
