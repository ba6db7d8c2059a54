"""The table of questions by API: made, changed, ordered, refused in words; who would get what; simulations."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, directory, hours, levels, rulewords, simulation
from hub.database import open_database
from hub.directory import WEIGHTS, Conditions, Rule, Target
from hub.i18n import catalogue
from hub.rehearsal import ASSUMED
from hub.sql import allocate
from hub.tables import counters, employees, routing_rules
from tests.api.conftest import House, wire_only
from tests.fakes import until

BUILT_IN = ["assignee", "owner", "company", "last", "channel", "fallback"]


async def table(house: House) -> list[Any]:
    return list((await house.get("/routing/rules"))["items"])


async def add(house: House, name: str, **more: Any) -> Any:
    body = {"name": name, "target": {"team": str(house.teams["south"])}, **more}
    answer = await house.ask("boss", "POST", "/routing/rules", body)
    assert answer.status == 201, answer
    return answer.json


async def test_a_rule_is_made_changed_and_removed_and_history_tells_who_did_it(house: House) -> None:
    target = {"team": str(house.teams["south"]), "skills": ["billing"]}
    body = {"name": "Bills", "conditions": {"keywords": ["Rechnung"], "languages": ["de"]}, "target": target}
    made = await house.ask("boss", "POST", "/routing/rules", body | {"client_id": "one"})
    again = await house.ask("boss", "POST", "/routing/rules", body | {"client_id": "one"})
    path = f"/routing/rules/{made.json['id']}"
    changed = await house.ask("admin", "PATCH", path, {"enabled": False, "conditions": {"open": True}})
    same = await house.ask("admin", "PATCH", path, {"enabled": False})
    moved = await house.ask("admin", "PATCH", path, {"position": 1})
    shown = await house.get(path, "agent")
    gone = await house.ask("admin", "DELETE", path)
    again_gone = await house.ask("admin", "DELETE", path)

    assert (made.status, again.status, again.json) == (201, 200, made.json)
    assert made.json["words"] == (
        "If subject or text has “Rechnung” and the language is de → team south, skill billing"
    )
    assert (made.json["position"], made.json["enabled"]) == (4, True)
    assert made.json["conditions"] == body["conditions"]
    assert changed.json["words"] == "If the channel is open → team south, skill billing"
    assert (changed.json["enabled"], changed.json["conditions"], same.json) == (False, {"open": True}, changed.json)
    assert (moved.json["position"], shown) == (1, moved.json)
    assert (gone.status, again_gone.status) == (204, 404)
    assert [q["kind"] for q in await table(house)] == BUILT_IN
    news = [e for e in (await house.get("/events?limit=100"))["items"] if e["kind"] == "routing.changed"]
    people = {str(house.people[n]): n for n in ("boss", "admin")}
    told = [(people[e["actor"]], e["data"]["what"], e["data"]["name"]) for e in news]
    assert told == [
        ("boss", "added", "Bills"),
        ("admin", "changed", "Bills"),
        ("admin", "moved", "Bills"),
        ("admin", "removed", "Bills"),
    ]
    assert news[1]["data"]["before"]["conditions"] == body["conditions"]
    assert news[1]["data"]["after"]["conditions"] == {"open": True}


async def test_the_order_is_what_was_said_last(house: House) -> None:
    first, second = await add(house, "First"), await add(house, "Second", position=2)
    names = [q["name"] or q["kind"] for q in await table(house)]
    before = [q["id"] for q in await table(house)]

    turned = await house.ask("boss", "PUT", "/routing/rules/order", {"ids": before[::-1]})

    assert names == ["assignee", "Second", "owner", "company", "First", "last", "channel", "fallback"]
    assert [q["id"] for q in turned.json["items"]] == before[::-1] == [q["id"] for q in await table(house)]
    assert [q["position"] for q in turned.json["items"]] == list(range(1, 9))
    for ids, words in (
        (before[1:], f"line {before[0]} is missing"),
        ([*before, before[0]], "named twice"),
        ([*before[1:], "999"], "no line 999"),
        ([], "is missing"),
    ):
        refused = await house.ask("boss", "PUT", "/routing/rules/order", {"ids": ids})
        assert (refused.status, words in refused.json["detail"]) == (422, True), refused
    last = await house.ask("boss", "PATCH", f"/routing/rules/{first['id']}", {"position": 100})
    assert last.json["position"] == 8
    assert {q["id"] for q in await table(house)} == {*before}
    assert second["position"] == 2


async def test_what_is_built_in_can_be_moved_switched_and_the_fallback_aimed_but_not_more(house: House) -> None:
    ids = {q["kind"]: q["id"] for q in await table(house)}
    team = {"team": str(house.teams["north"])}

    async def change(kind: str, body: Any) -> Any:
        return await house.ask("boss", "PATCH", f"/routing/rules/{ids[kind]}", body)

    on = await change("last", {"enabled": True, "position": 2})
    aimed = await change("fallback", {"target": team})
    refused = [
        (await change("owner", {"name": "x"}), "only rules have a name"),
        (await change("owner", {"conditions": {"kinds": ["api"]}}), "only rules have a name"),
        (await change("owner", {"target": team}), "only rules and the fallback"),
        (await change("fallback", {"target": {"team": "999"}}), "no team “999”"),
        (await house.ask("boss", "DELETE", f"/routing/rules/{ids['fallback']}"), "not removed"),
    ]

    assert (on.json["enabled"], on.json["position"]) == (True, 2)
    assert (aimed.json["target"], aimed.json["words"]) == (team, "Otherwise → team north")
    for answer, words in refused:
        assert (answer.status, words in answer.json["detail"]) == (422, True), answer
    assert sorted(q["kind"] for q in await table(house)) == sorted(BUILT_IN)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"target": {}}, "“target”: a rule leads to an employee, a team, or both."),
    ({"target": {"team": "999"}}, "“target.team”: there is no team “999”."),
    ({"target": {"team": "x"}}, "“target.team”: there is no team “x”."),
    ({"target": {"employee": "999"}}, "“target.employee”: there is no employee “999”."),
    ({"target": {"employee": "{light}"}}, "“target.employee”: Light does not answer customers."),
    ({"target": {"employee": "{gone}"}}, "“target.employee”: Gone does not work here any more."),
    ({"target": {"skills": ["x"]}}, "“target”: a rule leads to an employee, a team, or both."),
    ({"target": {"team": "{south}", "skills": [" "]}}, "“target.skills”: an entry has 1 to 100 characters."),
    ({"target": {"team": "{south}", "colour": "red"}}, "There is no field “target.colour”; leave it out."),
    ({"name": " "}, "“name”: a rule needs a name."),
    ({"conditions": {"kinds": ["pigeon"]}}, "“conditions.kinds”: there is no kind of channel “pigeon”; there are api, email, webchat."),
    ({"conditions": {"channels": ["999"]}}, "“conditions.channels”: there is no channel “999”."),
    ({"conditions": {"channels": ["٣"]}}, "“conditions.channels”: there is no channel “٣”."),
    ({"conditions": {"teams": ["0"]}}, "“conditions.teams”: there is no team “0”."),
    ({"conditions": {"hours": "999", "open": True}}, "“conditions.hours”: there are no business hours “999”."),
    ({"conditions": {"hours": "1"}}, "“conditions.hours”: say with “open” whether they are to be open or closed."),
    ({"conditions": {"keywords": ["!!!"]}}, "“conditions.keywords”: “!!!” has neither a letter nor a digit."),
    ({"conditions": {"subject": ["a", "…"]}}, "“conditions.subject”: “…” has neither a letter nor a digit."),
    ({"conditions": {"keywords": [""]}}, "“conditions.keywords”: an entry has 1 to 100 characters."),
    ({"conditions": {"keywords": ["x" * 101]}}, "“conditions.keywords”: an entry has 1 to 100 characters."),
    ({"conditions": {"keywords": [f"w{n}" for n in range(101)]}}, "“conditions.keywords”: at most 100 entries."),
    ({"conditions": {"domains": ["a b"]}}, "“conditions.domains”: “a b” is no domain; write it like example.org."),
    ({"conditions": {"languages": ["german!"]}}, "“conditions.languages”: “german!” is no language; write it like de or en-GB."),
    ({"conditions": {"regions": ["Saxony"]}}, "“conditions.regions”: “SAXONY” is no region; write it like DE or DE-NI."),
    ({"conditions": {"attributes": {"": "x"}}}, "“conditions.attributes”: an entry has 1 to 100 characters."),
    ({"conditions": {"colour": "red"}}, "There is no field “conditions.colour”; leave it out."),
]  # fmt: skip


async def test_what_cannot_be_is_refused_in_one_sentence(house: House) -> None:
    def leave(conn: Connection) -> int:
        number = accounts.add_employee(conn, "gone@house.example", "Gone", "agent", None)
        accounts.disable(conn, number)
        conn.execute(sa.update(counters).where(counters.c.name == "directory").values(value=1 << 40))
        return number

    ids = {"{gone}": str(await house.hub.db.write(leave)), "{light}": str(house.people["light"])}
    ids |= {"{south}": str(house.teams["south"])}
    good = {"name": "x", "target": {"team": ids["{south}"]}}

    wrong = {}
    for change, words in REFUSED:
        body = {**good, **change}
        body["target"] = {k: ids.get(v, v) if isinstance(v, str) else v for k, v in body["target"].items()}
        answer = await house.ask("boss", "POST", "/routing/rules", body)
        if (answer.status, answer.json["detail"]) != (422, words):
            wrong[str(change)] = answer

    assert wrong == {}
    assert len(await table(house)) == len(BUILT_IN)
    german = catalogue("de").sentence
    assert [w for _, w in REFUSED if german(w) == w and not w.startswith("There is no field")] == []


@wire_only
async def test_conditions_are_kept_as_the_resolver_compares_them(house: House) -> None:
    conditions = {"domains": [" @Firm.Example "], "regions": ["de-ni"], "keywords": ["  Rechnung ", "Rechnung"]}

    made = await add(house, "Tidy", conditions=conditions)

    assert made["conditions"] == {"domains": ["firm.example"], "regions": ["DE-NI"], "keywords": ["Rechnung"]}


@wire_only
async def test_a_table_has_an_end(house: House) -> None:
    def fill(conn: Connection) -> None:
        values = {"kind": "rule", "enabled": True, "target": '{"team":"1"}', "created_at": 0}
        ids = allocate(conn, "rules", 500)
        conn.execute(sa.insert(routing_rules), [{"id": n, "position": 3500, "name": f"R{n}", **values} for n in ids])
        directory.bump(conn)

    await house.hub.db.write(fill)
    body = {"name": "One more", "target": {"team": str(house.teams["south"])}}

    refused = await house.ask("boss", "POST", "/routing/rules", body)

    assert (refused.status, refused.json["detail"]) == (422, "There are 500 rules already; remove one first.")


async def test_only_administrators_and_supervisors_arrange_who_gets_what(house: House) -> None:
    team = {"team": str(house.teams["north"])}
    asked: list[tuple[str, str, Any]] = [
        ("POST", "/routing/rules", {"name": "x", "target": team}),
        ("PATCH", "/routing/rules/1", {"enabled": False}),
        ("DELETE", "/routing/rules/1", None),
        ("PUT", "/routing/rules/order", {"ids": []}),
        ("PUT", "/routing/settings", {"capacity": 1, "weights": {}}),
        ("POST", "/routing/decisions", {"channel": "1"}),
        ("POST", "/routing/simulations", {"days": 1, "rules": []}),
        ("GET", "/routing/simulations", None),
        ("GET", "/routing/simulations/1", None),
        ("DELETE", "/routing/simulations/1", None),
    ]
    for method, path, body in asked:
        for who in ("agent", "light"):
            assert (await house.ask(who, method, path, body)).status == 403, (who, method, path)
        assert (await house.ask("", method, path, body)).status == 401, path
        assert (await house.ask("boss", method, path, body)).status != 403, path


async def test_another_process_decides_by_the_new_table_at_once(house: House) -> None:
    other = open_database(house.server.settings.database_url)
    before = await other.read(directory.current)

    await add(house, "New")
    after = await other.read(directory.current)
    capacity = {"capacity": 7, "weights": {"api": 2}}
    assert (await house.ask("boss", "PUT", "/routing/settings", capacity)).status == 200
    with_settings = await other.read(directory.current)
    await other.close()

    assert "New" not in [rule.name for rule in before.rules]
    assert "New" in [rule.name for rule in after.rules]
    assert (with_settings.settings.capacity, with_settings.weight("api"), with_settings.weight("voice")) == (7, 2, 1)
    assert {e.capacity for e in with_settings.employees.values()} == {7}


async def test_settings_are_kept_told_and_refused_when_they_cannot_be(house: House) -> None:
    usual = await house.get("/routing/settings", "agent")
    wanted = {"capacity": 12, "weights": {"email": 2, "voice": 10}}
    for _ in range(2):
        assert (await house.ask("boss", "PUT", "/routing/settings", wanted)).json == wanted

    assert usual == {"capacity": 30, "weights": WEIGHTS}
    assert await house.get("/routing/settings") == wanted
    events = [e for e in (await house.get("/events?limit=100"))["items"] if e["kind"] == "routing.changed"]
    assert [(e["data"]["what"], e["data"]["after"]) for e in events] == [("settings", wanted)]
    for body, words in (
        ({"capacity": 0, "weights": {}}, "1 to 10000"),
        ({"capacity": 1, "weights": {"pigeon": 1}}, "no kind of channel “pigeon”"),
        ({"capacity": 1, "weights": {"api": -1}}, "weighs 0 to 1000"),
        ({"capacity": 1}, "“weights” is missing"),
    ):
        refused = await house.ask("boss", "PUT", "/routing/settings", body)
        assert (refused.status, words in refused.json["detail"]) == (422, True), refused


async def test_who_would_get_this_is_answered_with_reasons_and_nothing_is_written(house: House) -> None:
    customer = (await house.get("/customers?q=nora"))["items"][0]["id"]
    boss = str(house.people["boss"])
    await add(house, "Bills", conditions={"keywords": ["Rechnung"]}, target={"employee": boss})
    channel = str(house.channels["north"].config.id)
    events = (await house.get("/events?limit=100"))["last"]

    async def ask(**body: Any) -> Any:
        return await house.ask("boss", "POST", "/routing/decisions", {"channel": channel, **body})

    bill = await ask(subject="Ihre RECHNUNG", text="…", **{"from": "new@x.example"})
    other = await ask(text="Hello", **{"from": "nora"})
    named = await ask(text="rechnungsfrage", customer=customer, at="2026-11-23T03:00:00Z", fields={"a": "b"})
    refused = [await ask(**body) for body in ({"channel": "999"}, {"customer": "999999"}, {"at": "soon"}, {"x": 1})]

    assert (bill.json["assignee"], bill.json["assignee_name"]) == (boss, "Boss")
    assert (bill.json["reason"], bill.json["steps"]) == ("Rule “Bills”", ["Rule “Bills”"])
    assert (other.json["assignee"], other.json["team_name"]) == (None, "north")
    assert other.json["steps"][-1] == "Waits in the queue of north"
    assert named.json["assignee"] == boss
    assert [a.status for a in refused] == [422] * 4
    assert [a.json["detail"].split("”")[0] for a in refused[:3]] == ["“channel", "“customer", "“at"]
    assert (await house.get("/events?limit=100"))["last"] == events


@pytest.mark.rest
async def test_a_simulation_by_api_shows_who_would_have_got_it_in_words(house: House) -> None:
    boss = str(house.people["boss"])
    rules = [{k: q[k] for k in ("id", "kind", "name", "enabled", "conditions", "target")} for q in await table(house)]
    rule = {"kind": "rule", "name": "Money", "conditions": {"keywords": ["money"]}, "target": {"employee": boss}}
    body = {"days": 1, "rules": [rule, *rules], "client_id": "s"}

    made = await house.ask("boss", "POST", "/routing/simulations", body)
    again = await house.ask("boss", "POST", "/routing/simulations", body)
    path = f"/routing/simulations/{made.json['id']}"

    async def done() -> Any:
        found = await house.get(path)
        return found if found["state"] not in ("queued", "running") else None

    found: Any = await until(done, 30)

    assert (made.status, again.status, again.json["id"]) == (201, 200, made.json["id"])
    assert (found["state"], found["done"], found["total"], found["error"]) == ("done", 2, 2, None)
    result = found["result"]
    assert (result["conversations"], result["messages"], result["changed"]) == (2, 2, 1)
    (move,) = result["moves"]
    assert (move["before"]["employee_name"], move["after"]["employee_name"]) == ("Stranger", "Boss")
    (example,) = result["examples"]
    assert example["reason_after"] == "Rule “Money”"
    assert example["reason_before"].startswith("Team of the channel: south → ")
    assert example["number"] == int(example["conversation"])
    assert len(result["assumed"]) == len(ASSUMED)
    assert [line["id"] for line in (await house.get("/routing/simulations"))["items"]] == [made.json["id"]]
    assert (await house.ask("boss", "DELETE", path)).status == 204
    assert (await house.get(path))["state"] == "done"
    for wrong in (
        {"days": 0, "rules": []},
        {"days": 1, "rules": [{"kind": "pigeon"}]},
        {"days": 1, "rules": [rule | {"target": {}}]},
    ):
        assert (await house.ask("boss", "POST", "/routing/simulations", wrong)).status == 422, wrong


async def test_a_simulation_that_waits_can_be_called_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "PROGRAM", ("-c", "import sys; sys.stdin.read()"))
    made = await house.ask("boss", "POST", "/routing/simulations", {"days": 30, "rules": []})
    path = f"/routing/simulations/{made.json['id']}"

    assert made.json["state"] == "queued"
    assert (await house.ask("boss", "DELETE", path)).status == 204
    assert (await house.get(path))["state"] == "cancelled"
    assert (await house.ask("boss", "DELETE", "/routing/simulations/999")).status == 404


# ── the words ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@wire_only
async def test_every_condition_and_target_is_said_in_words_of_both_languages(house: House) -> None:
    def make(conn: Connection) -> tuple[directory.Directory, int]:
        conn.execute(sa.update(employees).where(employees.c.id == house.people["boss"]).values(name="Beate"))
        number = levels.add_hours(conn, "Shop", "Europe/Berlin", "", {day: ["08:00-12:00"] for day in hours.DAYS}, {})
        return directory.current(conn), number

    d, shop = await house.hub.db.write(make)
    conditions = Conditions(
        kinds=("api", "email"),
        channels=(str(house.channels["north"].config.id), "77777"),
        teams=(str(house.teams["north"]),),
        keywords=("Rechnung", "Mahnung"),
        subject=("dringend",),
        domains=("firm.example",),
        languages=("de", "fr", "it"),
        regions=("DE-NI",),
        attributes={"level": "gold"},
        fields={"menu": "2"},
        priorities=("high",),
        open=False,
        hours=str(shop),
    )
    target = Target(str(house.people["boss"]), str(house.teams["south"]), ("billing",), True)
    rule = Rule(9, "rule", "All", True, conditions, target)

    assert rulewords.in_words(d, rule) == (
        "If it comes by API or E-mail and it comes through north or #77777 and the channel belongs to north and "
        "subject or text has “Rechnung” or “Mahnung” and the subject has “dringend” and the sender writes from "
        "firm.example and the language is de, fr or it and the region is DE-NI and the priority is high and "
        "the customer's “level” is “gold” and “2” was chosen for “menu” and it is closed by “Shop” → "
        "Beate, otherwise team south, skill billing, somebody who speaks the customer's language"
    )
    german = rulewords.in_words(d, rule, "de")
    assert german.startswith("Wenn es per API oder E-Mail kommt und es über north oder #77777 kommt und der Kanal zu")
    assert german.endswith(
        "und bei „menu“ „2“ gewählt wurde und nach „Shop“ geschlossen ist → "
        "Beate, sonst Team south, Fähigkeit billing, jemand, der die Sprache des Kunden spricht"
    )
    always = Rule(9, "rule", "x", True, Conditions(), Target(team=str(house.teams["south"])))
    assert rulewords.in_words(d, always) == "Always → team south"
    assert rulewords.in_words(d, Rule(6, "fallback"), "de") == "Sonst → offen für alle"


def test_all_words_of_rules_and_simulations_are_translated() -> None:
    parts = (rulewords.QUESTIONS, rulewords.CONDITIONS, rulewords.PAIRS, rulewords.OPEN)
    texts = [text for part in parts for text in part.values()] + [*rulewords.OTHERS, *ASSUMED]

    assert [text for text in texts if text not in catalogue("de").texts] == []
    assert {*rulewords.CONDITIONS, *rulewords.PAIRS, "open", "hours"} == set(Conditions.__struct_fields__)
    assert set(rulewords.QUESTIONS) == set(BUILT_IN)
