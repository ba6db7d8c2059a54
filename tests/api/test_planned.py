"""Messages that leave later, by API."""

from __future__ import annotations

from hub.clock import now, rfc3339
from tests.api.conftest import House
from tests.api.test_drafts import home, scalar

HOUR = 3_600_000


async def test_a_message_is_planned_listed_put_off_and_taken_back(house: House) -> None:
    path = f"/conversations/{await home(house)}/planned"
    at = rfc3339(now() + HOUR)
    wanted = {"text": "Tomorrow", "send_at": at, "client_id": "p1", "actions": ["status:closed"]}
    made = await house.ask("agent", "POST", path, wanted)
    again = await house.ask("agent", "POST", path, wanted)

    assert (made.status, again.status, again.json) == (201, 200, made.json)
    assert (made.json["state"], made.json["send_at"], made.json["message"]) == ("waiting", at, None)
    assert made.json["to"] and (await house.get(path, "agent"))["items"] == [made.json]
    one = f"/planned/{made.json['id']}"
    later = await house.ask("agent", "PATCH", one, {"send_words": "morgen 9", "zone": "Europe/Berlin"})
    assert later.json["send_at"] > str(at)
    taken = await house.ask("agent", "DELETE", one)
    assert (taken.json["text"], taken.json["actions"]) == ("Tomorrow", ["status:closed"])
    assert (await house.ask("agent", "DELETE", one)).status == 409
    assert (await house.ask("agent", "PATCH", one, {"send_at": at})).status == 409
    assert (await house.get(one, "agent"))["state"] == "withdrawn"
    assert (await house.get(path, "agent"))["items"] == []


async def test_a_planned_message_is_sent_at_once_when_somebody_says_so(house: House) -> None:
    path = f"/conversations/{await home(house)}/planned"
    made = (await house.ask("agent", "POST", path, {"text": "Soon", "send_words": "in 3 h"})).json
    sent = await house.ask("agent", "POST", f"/planned/{made['id']}/now")

    assert (sent.status, sent.json["text"], sent.json["direction"]) == (200, "Soon", "out")
    assert (await house.get(f"/planned/{made['id']}", "agent"))["message"] == sent.json["id"]
    assert (await house.ask("agent", "POST", f"/planned/{made['id']}/now")).status == 409
    assert await scalar(house, "SELECT count(*) FROM messages WHERE direction = 'out' AND text = 'Soon'") == 1


async def test_what_makes_no_sense_or_is_not_theirs_is_refused(house: House) -> None:
    number = await home(house)
    path, at = f"/conversations/{number}/planned", rfc3339(now() + HOUR)
    for wrong, field in (
        ({"text": "x"}, "send_at"),
        ({"text": "x", "send_at": "tomorrow"}, "send_at"),
        ({"text": "x", "send_words": "some day"}, "send_words"),
        ({"text": "x", "send_words": "when the customer replies"}, "send_words"),
        ({"text": "x", "send_at": at, "zone": "Europe/Nowhere"}, "zone"),
    ):
        answer = await house.ask("agent", "POST", path, wrong)
        assert (answer.status, answer.json["field"]) == (422, field), wrong
    for wrong in (
        {"text": "", "send_at": at},
        {"text": "x", "send_at": rfc3339(1)},
        {"text": "x", "send_at": at, "actions": ["boom"]},
    ):
        assert (await house.ask("agent", "POST", path, wrong)).status == 422, wrong
    stale = await house.ask("agent", "POST", path, {"text": "x", "send_at": at, "seen": "1"})
    assert stale.status == 409 and stale.json["newer"]
    assert (await house.ask("light", "POST", path, {"text": "x", "send_at": at})).status == 403
    assert (
        await house.ask("agent", "POST", "/conversations/999999/planned", {"text": "x", "send_at": at})
    ).status == 404
    made = (await house.ask("agent", "POST", path, {"text": "x", "send_at": at})).json["id"]
    assert (await house.ask("stranger", "GET", f"/planned/{made}")).status == 404
    assert (await house.ask("light", "DELETE", f"/planned/{made}")).status == 403
    assert (await house.ask("agent", "GET", "/planned/999999")).status == 404
