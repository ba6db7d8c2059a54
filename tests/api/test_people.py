"""People, teams, absences, presence and taking work by API."""

from __future__ import annotations

from typing import Any

import pytest

from hub import absences, directory, privacy
from hub.clock import now, rfc3339
from tests.api.conftest import House, wire_only

DAY = 86_400_000


async def employee(house: House, name: str) -> dict[str, Any]:
    """Somebody as the API shows them."""
    found: dict[str, Any] = await house.get(f"/employees/{house.people[name]}")
    return found


async def north(house: House) -> str:
    """The conversation of the north team."""
    found = (await house.get("/conversations"))["items"]
    return str(next(c["id"] for c in found if c["customer_name"] == "Nora North"))


# ── employees ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_supervisors_set_up_who_can_do_what_and_administrators_who_may_do_what(house: House) -> None:
    path, deputy = f"/employees/{house.people['agent']}", str(house.people["stranger"])
    change = {"skills": ["tax", " tax ", "Tax law"], "languages": ["de", "en-GB"], "capacity": 12, "deputy": deputy}
    answer = await house.ask("boss", "PATCH", path, change)
    assert answer.status == 200
    assert answer.json == await employee(house, "agent")
    shown = {key: answer.json[key] for key in (*change, "role", "load", "absent", "absent_until", "presence")}
    assert shown == {
        "skills": ["tax", "Tax law"],
        "languages": ["de", "en-GB"],
        "capacity": 12,
        "deputy": deputy,
        "role": "agent",
        "load": 0,
        "absent": False,
        "absent_until": None,
        "presence": {"state": "offline", "chosen": ""},
    }
    for more in ({"role": "admin"}, {"name": "x", "capacity": 1}, {"password": "long enough"}, {"disabled": True}):
        assert (await house.ask("boss", "PATCH", path, more)).status == 403, more
    assert (await house.ask("agent", "PATCH", path, {"capacity": 1})).status == 403
    both = await house.ask("admin", "PATCH", path, {"name": "Agatha", "capacity": 0, "deputy": None, "skills": []})
    assert (both.json["name"], both.json["capacity"], both.json["deputy"], both.json["skills"]) == (
        "Agatha",
        0,
        None,
        [],
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"deputy": "{self}"}, "their own deputy"),
        ({"deputy": "999999"}, "no active employee"),
        ({"languages": ["german!"]}, "no language"),
        ({"capacity": -1}, "capacity"),
        ({"capacity": 100_000}, "capacity"),
        ({"skills": ["x" * 100]}, "skills"),
    ],
)
@wire_only
async def test_what_nobody_can_be_is_refused_and_nothing_of_it_is_kept(
    house: House, change: dict[str, Any], words: str
) -> None:
    number = str(house.people["agent"])
    given = {key: number if value == "{self}" else value for key, value in change.items()}
    answer = await house.ask("admin", "PATCH", f"/employees/{number}", {**given, "name": "Changed"})

    assert answer.status == 422
    assert words in answer.json["detail"]
    assert (await employee(house, "agent"))["name"] == "Agent"


async def test_the_list_shows_who_is_here_how_much_they_have_and_who_is_away_until_when(house: House) -> None:
    conversation = await north(house)
    agent = str(house.people["agent"])
    assert (
        await house.ask("boss", "PUT", f"/conversations/{conversation}/assignee", {"employee": agent})
    ).status == 200
    until = rfc3339(now() + DAY)
    away = {"starts_at": rfc3339(now() - 1000), "ends_at": until, "kind": "sick", "note": "flu"}
    assert (await house.ask("boss", "POST", f"/employees/{house.people['light']}/absences", away)).status == 201
    assert (
        await house.ask("boss", "POST", f"/employees/{house.people['stranger']}/absences", away | {"ends_at": None})
    ).status == 201
    assert (await house.ask("agent", "PUT", f"/employees/{agent}/presence", {"state": "busy"})).status == 200

    people = {e["email"].split("@")[0]: e for e in (await house.get("/employees", "light"))["items"]}
    assert (people["agent"]["load"], people["agent"]["presence"]) == (1, {"state": "busy", "chosen": "busy"})
    assert (people["light"]["absent"], people["light"]["absent_until"]) == (True, until)
    assert (people["stranger"]["absent"], people["stranger"]["absent_until"]) == (True, None)
    assert (people["boss"]["absent"], people["boss"]["load"]) == (False, 0)


# ── teams and channels ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_how_a_team_works_is_set_by_supervisors(house: House) -> None:
    hours = (await house.ask("boss", "POST", "/hours", {"name": "Office", "zone": "Europe/Berlin"})).json["id"]
    path, lead = f"/teams/{house.teams['north']}", str(house.people["boss"])
    change = {
        "strategy": "round_robin",
        "hours": hours,
        "lead": lead,
        "offer_seconds": 20,
        "silent_minutes": 90,
        "name": "Nord",
    }
    answer = await house.ask("boss", "PATCH", path, change)
    assert answer.status == 200
    assert {key: answer.json[key] for key in change} == change
    assert answer.json == await house.get(path, "light")
    assert (await house.ask("boss", "DELETE", f"/hours/{hours}")).status == 409
    nothing = await house.ask(
        "boss", "PATCH", path, {"hours": None, "lead": None, "strategy": "queue", "offer_seconds": 0}
    )
    assert (nothing.json["hours"], nothing.json["lead"], nothing.json["strategy"]) == (None, None, "queue")
    for wrong in ({"strategy": "best"}, {"hours": "999"}, {"lead": "999"}, {"offer_seconds": -1}, {"name": " "}):
        assert (await house.ask("boss", "PATCH", path, wrong)).status == 422, wrong
    d = await house.hub.db.read(directory.current)
    assert d.teams[house.teams["north"]].strategy == "queue"


async def test_a_new_team_has_what_it_is_given_and_can_go_while_nothing_belongs_to_it(house: House) -> None:
    made = await house.ask(
        "admin", "POST", "/teams", {"name": "East", "members": [str(house.people["light"])], "strategy": "queue"}
    )
    assert (made.status, made.json["strategy"], made.json["silent_minutes"]) == (201, "queue", 0)
    path = f"/teams/{made.json['id']}"
    channel = f"/channels/{house.channels['south'].config.id}"
    await house.ask("admin", "PATCH", channel, {"team": made.json["id"]})
    used = await house.ask("admin", "DELETE", path)
    assert used.status == 409
    assert "channel “south”" in used.json["detail"]
    await house.ask("admin", "PATCH", channel, {"team": str(house.teams["south"])})
    assert (await house.ask("admin", "DELETE", path)).status == 204
    assert (await house.ask("admin", "DELETE", path)).status == 404
    assert (await house.ask("admin", "GET", path)).status == 404
    with_talks = await house.ask("admin", "DELETE", f"/teams/{house.teams['north']}")
    assert with_talks.status == 409
    assert "conversations" in with_talks.json["detail"]


async def test_a_channel_has_its_own_business_hours(house: House) -> None:
    hours = (await house.ask("boss", "POST", "/hours", {"name": "Office", "zone": "UTC"})).json["id"]
    path = f"/channels/{house.channels['north'].config.id}"
    assert (await house.get(path))["hours"] is None
    assert (await house.ask("admin", "PATCH", path, {"hours": hours})).json["hours"] == hours
    assert (await house.ask("admin", "PATCH", path, {"name": "Nord"})).json["hours"] == hours
    d = await house.hub.db.read(directory.current)
    assert str(d.channels[house.channels["north"].config.id].hours_id) == hours
    assert (await house.ask("admin", "PATCH", path, {"hours": "999"})).status == 422
    assert (await house.ask("admin", "PATCH", path, {"hours": None})).json["hours"] is None
    new = {"kind": "api", "name": "east", "settings": {"secret": "s"}, "hours": hours}
    assert (await house.ask("admin", "POST", "/channels", new)).json["hours"] == hours


# ── absences ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_an_absence_of_whole_days_is_planned_shown_changed_and_called_off(house: House) -> None:
    await house.ask("boss", "POST", "/hours", {"name": "Office", "zone": "Europe/Berlin"})
    path = f"/employees/{house.people['light']}/absences"
    body = {
        "starts_at": "2031-12-24",
        "ends_at": "2031-12-26",
        "note": "at the sea",
        "deputy": str(house.people["agent"]),
    }
    made = await house.ask("light", "POST", path, body | {"client_id": "a"})
    assert made.status == 201
    assert (made.json["starts_at"], made.json["ends_at"]) == ("2031-12-23T23:00:00.000Z", "2031-12-26T23:00:00.000Z")
    assert (await house.ask("light", "POST", path, body | {"client_id": "a"})).json == made.json
    assert (await house.get(path, "light"))["items"] == [made.json]

    one = f"/absences/{made.json['id']}"
    changed = await house.ask("light", "PATCH", one, {"ends_at": "2031-12-25T12:00:00+01:00", "kind": "training"})
    assert (changed.json["ends_at"], changed.json["kind"], changed.json["note"]) == (
        "2031-12-25T11:00:00.000Z",
        "training",
        "at the sea",
    )
    assert (await house.ask("light", "PATCH", one, {"ends_at": None, "deputy": None})).json["ends_at"] is None
    assert (await house.ask("light", "DELETE", one)).status == 204
    assert (await house.get(path, "light"))["items"] == []


async def test_colleagues_see_that_somebody_is_absent_and_supervisors_why(house: House) -> None:
    path = f"/employees/{house.people['light']}/absences"
    await house.ask("light", "POST", path, {"starts_at": "2031-03-01", "kind": "sick", "note": "operation"})

    async def private(who: str) -> list[tuple[str, str]]:
        return [(a["kind"], a["note"]) for a in (await house.get("/absences", who))["items"]]

    assert await private("stranger") == [("absent", "")]
    for who in ("boss", "admin", "light"):
        assert await private(who) == [("sick", "operation")], who


async def test_the_calendar_holds_what_lasts_some_of_the_time_asked_for(house: House) -> None:
    path = f"/employees/{house.people['agent']}/absences"
    for starts, ends in (("2031-01-10", "2031-01-12"), ("2031-01-20", "2031-01-20"), ("2031-02-01", None)):
        assert (await house.ask("boss", "POST", path, {"starts_at": starts, "ends_at": ends})).status == 201

    async def days(query: str) -> list[str]:
        return [a["starts_at"][:10] for a in (await house.get(f"/absences?{query}"))["items"]]

    assert await days("from=2031-01-12&to=2031-01-19") == ["2031-01-10"]
    assert await days("from=2031-01-13&to=2031-01-19") == []
    assert await days("from=2031-01-20&to=2031-01-20") == ["2031-01-20"]
    assert await days("from=2031-01-20T23:59:59Z") == ["2031-01-20", "2031-02-01"]
    assert await days("from=2040-01-01") == ["2031-02-01"]
    assert await days("to=2031-01-09") == []
    assert (await house.ask("light", "GET", "/absences?from=soon")).status == 422


@wire_only
@pytest.mark.parametrize(
    "body",
    [
        {"starts_at": "soon"},
        {"starts_at": "2031-13-01"},
        {"starts_at": "2031-01-02", "ends_at": "2031-01-01"},
        {"starts_at": "9999-12-31T23:59:59Z"},
        {"starts_at": "1900-01-01"},
        {"starts_at": "2031-01-01", "kind": "party"},
        {"starts_at": "2031-01-01", "deputy": "99999"},
        {},
    ],
)
async def test_absences_that_cannot_be_are_refused(house: House, body: dict[str, Any]) -> None:
    answer = await house.ask("admin", "POST", f"/employees/{house.people['agent']}/absences", body)

    assert answer.status == 422
    assert len(answer.json["detail"]) > 20


async def test_giving_work_to_somebody_who_is_absent_asks_once_and_names_the_deputy(house: House) -> None:
    path, agent, boss = (
        f"/conversations/{await north(house)}/assignee",
        str(house.people["agent"]),
        str(house.people["boss"]),
    )
    await house.ask("admin", "PATCH", f"/employees/{agent}", {"deputy": boss})
    until = rfc3339(now() + DAY)
    away = {"starts_at": rfc3339(now() - 1000), "ends_at": until}
    number = (await house.ask("agent", "POST", f"/employees/{agent}/absences", away)).json["id"]
    refused = await house.ask("boss", "PUT", path, {"employee": agent})
    assert refused.status == 409
    assert {key: refused.json[key] for key in ("deputy", "deputy_name", "absent_until")} == {
        "deputy": boss,
        "deputy_name": "Boss",
        "absent_until": until,
    }
    assert "Boss stands in" in refused.json["detail"]
    assert (await house.ask("boss", "PUT", path, {"employee": boss})).status == 200
    assert (await house.ask("boss", "PUT", path, {"employee": agent, "anyway": True})).json["assignee"] == agent
    assert (await house.ask("boss", "PUT", path, {"employee": agent})).status == 200, "they have it already"
    await house.ask("boss", "PUT", path, {"employee": None})
    assert (await house.ask("agent", "PUT", path, {"employee": agent})).status == 200, "of oneself one knows"
    await house.ask("boss", "PUT", path, {"employee": None})
    assert (await house.ask("agent", "DELETE", f"/absences/{number}")).status == 204
    assert (await house.ask("boss", "PUT", path, {"employee": agent})).status == 200


async def test_the_running_hub_passes_on_and_hands_back_by_itself(house: House) -> None:
    conversation, agent, boss = await north(house), str(house.people["agent"]), str(house.people["boss"])
    await house.ask("boss", "PUT", f"/conversations/{conversation}/assignee", {"employee": agent})
    away = {"starts_at": rfc3339(now()), "deputy": boss}
    number = (await house.ask("agent", "POST", f"/employees/{agent}/absences", away)).json["id"]
    await house.hub.db.write(absences.turn)
    shown = await house.get(f"/conversations/{conversation}")
    assert shown["assignee"] == boss
    assert shown["reason"].endswith("Agent is absent until further notice → Boss stands in for Agent")
    await house.ask("agent", "DELETE", f"/absences/{number}")
    await house.hub.db.write(absences.turn)

    shown = await house.get(f"/conversations/{conversation}")
    assert (shown["assignee"], shown["reason"]) == (agent, "Agent is back")


# ── presence ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_everybody_says_what_they_are_doing_and_sees_what_others_do(house: House) -> None:
    path = f"/employees/{house.people['agent']}/presence"
    said = await house.ask("agent", "PUT", path, {"state": "away"})
    assert (said.status, said.json["state"], said.json["chosen"], said.json["calls"]) == (200, "away", "away", 0)
    by_id = {p["employee"]: p for p in (await house.get("/presence", "light"))["items"]}
    assert by_id[str(house.people["agent"])] == said.json
    assert by_id[str(house.people["boss"])] == {
        "employee": str(house.people["boss"]),
        "state": "offline",
        "chosen": "",
        "calls": 0,
        "seen_at": None,
    }
    other = await house.ask("boss", "PUT", f"/employees/{house.people['light']}/presence", {"state": "available"})
    assert (other.json["state"], other.json["chosen"]) == ("offline", "available")
    assert (await house.ask("boss", "PUT", path, {"state": "asleep"})).status == 422
    assert (await house.ask("boss", "PUT", "/employees/99999/presence", {"state": "away"})).status == 404


# ── companies ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_customers_company_is_another_customer_whose_owner_is_asked_for_new_matters(house: House) -> None:
    boss = str(house.people["boss"])
    firm = (await house.ask("boss", "POST", "/customers", {"name": "Solar GmbH", "owner": boss})).json
    nora = (await house.get(f"/conversations/{await north(house)}"))["customer"]
    path = f"/customers/{nora}"
    assert firm["company"] is None
    assert (await house.ask("boss", "PATCH", path, {"company": firm["id"]})).json["company"] == firm["id"]
    for wrong in (nora, "99999"):
        assert (await house.ask("boss", "PATCH", path, {"company": wrong})).status == 422, wrong
    new = {"name": "Kim", "identities": ["api:kim"], "company": firm["id"]}
    kim = (await house.ask("boss", "POST", "/customers", new)).json
    assert kim["company"] == firm["id"]

    async def owner_of_kims_company() -> str | None:
        answer = await house.ask(
            "boss",
            "POST",
            "/routing/decisions",
            {"channel": str(house.channels["south"].config.id), "customer": kim["id"]},
        )
        assert answer.status == 200
        found: str | None = answer.json["assignee"]
        return found

    assert await owner_of_kims_company() == boss
    other = (
        await house.ask("boss", "POST", "/customers", {"name": "Sun AG", "owner": str(house.people["admin"])})
    ).json
    merge = await house.ask("boss", "POST", f"/customers/{other['id']}/merges", {"other": firm["id"]})
    assert merge.status == 201
    assert await owner_of_kims_company() == str(house.people["admin"]), "a merged company is the one it became"
    await house.ask("boss", "DELETE", f"/customers/{other['id']}/merges/{merge.json['id']}")
    assert await owner_of_kims_company() == boss
    assert (await house.ask("boss", "PATCH", f"/customers/{kim['id']}", {"company": None})).json["company"] is None


async def test_an_erased_company_and_an_erased_employee_of_one_leave_no_trace_of_each_other(house: House) -> None:
    firm = (await house.ask("boss", "POST", "/customers", {"name": "Solar GmbH"})).json["id"]
    made = [
        (await house.ask("boss", "POST", "/customers", {"name": name, "company": firm})).json["id"]
        for name in ("Kim", "Lea")
    ]
    await house.hub.db.write(privacy.erase, int(made[0]))
    assert (await house.get(f"/customers/{made[0]}"))["company"] is None
    assert (await house.get(f"/customers/{made[1]}"))["company"] == firm
    await house.hub.db.write(privacy.erase, int(firm))

    assert (await house.get(f"/customers/{made[1]}"))["company"] is None
