"""Business hours and service levels over the API: who may set them up, what is refused, and what a conversation shows of them."""

from __future__ import annotations

from typing import Any

import pytest

from hub.clock import parse_time
from tests.api.conftest import House, wire_only

OFFICE = {"mon": ["08:00-12:00", "13:00-17:00"], "fri": ["22:00-06:00"]}
HOURS = {"name": "Office", "zone": "Europe/Berlin", "region": "DE-NI", "week": OFFICE}


async def made(house: House, path: str, **body: Any) -> Any:
    """What a POST made; it must succeed."""
    answer = await house.ask("boss", "POST", path, body)
    assert answer.status == 201, answer
    return answer.json


async def test_hours_are_made_shown_changed_and_removed(house: House) -> None:
    first = await made(house, "/hours", **HOURS, exceptions={"2026-12-31": [], "2026-12-24": ["08:00-12:00"]})
    assert first["week"] == OFFICE
    assert list(first["exceptions"].items()) == [("2026-12-24", ["08:00-12:00"]), ("2026-12-31", [])]
    assert first["open"] is (first["opens_at"] is None) is (first["closes_at"] is not None)
    path = f"/hours/{first['id']}"

    changed = await house.ask("boss", "PATCH", path, {"week": {"sun": ["00:00-24:00"]}, "region": ""})

    assert changed.status == 200
    assert changed.json == await house.get(path, "agent") | {"open": changed.json["open"]}
    assert (changed.json["week"], changed.json["region"], changed.json["zone"]) == (
        {"sun": ["00:00-24:00"]},
        "",
        "Europe/Berlin",
    )
    assert [h["name"] for h in (await house.get("/hours", "light"))["items"]] == ["Office"]
    assert (await house.ask("boss", "DELETE", path)).status == 204
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert (await house.ask("boss", method, path, body)).status == 404
    kinds = [e["kind"] for e in (await house.get("/events"))["items"]]
    assert [k for k in kinds if k.startswith("hours.")] == ["hours.added", "hours.changed", "hours.removed"]


@wire_only
async def test_only_those_who_arrange_work_set_up_hours_and_levels(house: House) -> None:
    hours = await made(house, "/hours", **HOURS)
    policy = await made(house, "/sla_policies", name="Gold", first_minutes=60)
    writes = [
        ("POST", "/hours", HOURS),
        ("PATCH", f"/hours/{hours['id']}", {"name": "x"}),
        ("DELETE", f"/hours/{hours['id']}", None),
        ("POST", "/sla_policies", {"name": "x", "first_minutes": 1}),
        ("PATCH", f"/sla_policies/{policy['id']}", {"name": "x"}),
        ("DELETE", f"/sla_policies/{policy['id']}", None),
    ]

    said = [(await house.ask(who, *write)).status for who in ("agent", "light") for write in writes]

    assert said == [403] * 12
    assert await house.get(f"/sla_policies/{policy['id']}", "agent") == policy
    assert (await house.ask("admin", "POST", "/hours", HOURS)).status == 201


@wire_only
@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/hours", {"zone": "Berlin"}, "“zone”: “Berlin” is no time zone; write one like Europe/Berlin."),
        ("/hours", {"region": "ZZ"}, "“region”: the holidays of “ZZ” are not known"),
        ("/hours", {"week": {"mon": ["8-12"]}}, "“week.mon”: “8-12” is no time from-to; write it like 08:00-17:30."),
        ("/hours", {"week": {"monday": []}}, "“week”: “monday” is no day"),
        ("/hours", {"week": {"mon": ["08:00-12:00", "11:00-13:00"]}}, "“week.mon”: 08:00-12:00, 11:00-13:00 overlap"),
        ("/hours", {"exceptions": {"tomorrow": []}}, "“exceptions”: “tomorrow” is no date"),
        ("/hours", {"name": " "}, "“name”: business hours need a name."),
        ("/hours", {"week": {"mon": [8]}}, "“week"),
        ("/hours", {"holidays": True}, "There is no field “holidays”"),
        ("/sla_policies", {"first_minutes": 0}, "A service level promises something"),
        ("/sla_policies", {"first_minutes": -1}, "“first_minutes”"),
        ("/sla_policies", {"name": ""}, "“name”: a service level needs a name."),
        ("/sla_policies", {"hours": "99"}, "“hours”: there are no business hours 99."),
        (
            "/sla_policies",
            {"conditions": {"keywords": ["x"]}},
            "“conditions.keywords”: a service level can only ask for",
        ),
        ("/sla_policies", {"conditions": {"open": True}}, "“conditions.open”: a service level can only ask for"),
        ("/sla_policies", {"conditions": {"weather": "fine"}}, "There is no field “conditions.weather”"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_one_sentence(
    house: House, path: str, body: dict[str, Any], words: str
) -> None:
    usual = HOURS if path == "/hours" else {"name": "Gold", "first_minutes": 60}

    answer = await house.ask("boss", "POST", path, usual | body)

    assert (answer.status, answer.json["detail"][: len(words)]) == (422, words)
    assert (await house.get(path))["items"] == []


async def test_hours_in_use_stay_and_the_answer_says_who_has_them(house: House) -> None:
    hours = await made(house, "/hours", **HOURS)
    policy = await made(house, "/sla_policies", name="Gold", first_minutes=60, hours=hours["id"])
    path = f"/hours/{hours['id']}"

    refused = await house.ask("boss", "DELETE", path)

    assert refused.status == 409
    assert refused.json["detail"] == (
        "These business hours are in use: service level “Gold”. Give them other hours first."
    )
    await house.receive("north", "n2", "olaf", "Measured by these hours")
    changed = await house.ask("boss", "PATCH", f"/sla_policies/{policy['id']}", {"hours": None})
    assert (changed.status, changed.json["hours"]) == (200, None)
    assert (await house.ask("boss", "DELETE", path)).status == 204


async def test_levels_keep_their_order_and_move_in_it(house: House) -> None:
    ids = {}
    for name in "ABC":
        ids[name] = (await made(house, "/sla_policies", name=name, next_minutes=5))["id"]
    first = await made(house, "/sla_policies", name="D", next_minutes=5, position=1)

    async def order() -> str:
        items = (await house.get("/sla_policies"))["items"]
        assert [p["position"] for p in items] == list(range(1, len(items) + 1))
        return "".join(p["name"] for p in items)

    assert (first["position"], await order()) == (1, "DABC")
    assert (await house.ask("boss", "PATCH", f"/sla_policies/{ids['A']}", {"position": 99})).json["position"] == 4
    assert await order() == "DBCA"
    await house.ask("boss", "PATCH", f"/sla_policies/{ids['A']}", {"position": 2, "name": "a"})
    assert await order() == "DaBC"


async def test_a_conversation_shows_its_level_alone_and_in_lists(house: House) -> None:
    conditions = {"kinds": ["api"], "teams": [str(house.teams["north"])], "priorities": ["normal"]}
    policy = await made(
        house, "/sla_policies", name="Gold", first_minutes=60, resolution_minutes=600, conditions=conditions
    )
    assert policy["conditions"] == conditions
    await house.receive("north", "n2", "olaf", "Promised something")
    await house.receive("south", "s2", "sven", "Promised nothing")

    items = (await house.get("/conversations"))["items"]
    shown = {c["customer_name"]: c["sla"] for c in items}
    assert [shown[name] for name in ("sven", "Nora North")] == [None, None]
    level = shown["olaf"]
    assert (level["policy"], level["policy_name"], level["next"]) == (policy["id"], "Gold", None)
    assert level["first"]["state"] == "running"
    assert 3500 < level["first"]["left_seconds"] <= 3600
    olaf = next(c for c in items if c["customer_name"] == "olaf")
    waits, due = parse_time(olaf["waiting_since"]), parse_time(level["resolution"]["due_at"])
    assert due == (waits or 0) + 600 * 60_000

    path = f"/conversations/{olaf['id']}"
    await house.ask("agent", "PUT", f"{path}/status", {"status": "waiting"})
    one = (await house.get(path, "agent"))["sla"]
    assert (one["first"]["state"], one["resolution"]["state"], one["resolution"]["due_at"]) == (
        "running",
        "paused",
        None,
    )
    assert (await house.ask("boss", "DELETE", f"/sla_policies/{policy['id']}")).status == 204
    assert (await house.get(path))["sla"] is None
    assert (await house.ask("boss", "DELETE", f"/sla_policies/{policy['id']}")).status == 404


@wire_only
async def test_the_same_request_twice_makes_one(house: House) -> None:
    for path, body in (("/hours", HOURS), ("/sla_policies", {"name": "Gold", "first_minutes": 60})):
        said = [await house.ask("boss", "POST", path, body | {"client_id": "k1"}) for _ in range(2)]
        assert [a.status for a in said] == [201, 200]
        assert said[0].json["id"] == said[1].json["id"]
