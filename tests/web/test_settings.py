"""Settings and the live board without JavaScript: people, teams, absences, rules, drafts, hours, promises; and who may not."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from hub import absences, accounts, directory, presence, staff
from hub.clock import now
from hub.directory import Conditions, Directory, Target
from tests.fakes import until
from tests.web.conftest import Browser, Page, Site

DAY = 86_400_000


async def the_directory(site: Site) -> Directory:
    found: Directory = await site.server.hub.db.read(directory.current)
    return found


async def away(site: Site, who: str, deputy: str | None = None) -> None:
    """Absent since yesterday, for two more days."""

    def work(conn: Any) -> None:
        actor = accounts.actor(conn, site.people["anna"])
        assert actor is not None
        until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=3)
        starts, ends = int(until.timestamp() * 1000) - 4 * DAY, int(until.timestamp() * 1000)
        stands_in = site.people[deputy] if deputy else None
        absences.add(conn, actor, site.people[who], starts, ends, deputy_id=stands_in)

    await site.write(work)


async def fill(browser: Browser, page: Page, form: str, values: dict[str, str]) -> Page:
    """Fill in a form of the page and send it."""
    return await browser.post(page.one(form).attributes["action"], {**page.fields(form), **values})


def links(page: Any) -> list[str]:
    return [node.attributes["href"] for node in page.all(".under a")]


# ── who may what ──────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_everybody_sees_only_the_settings_of_their_role(site: Site) -> None:
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    for_anna, for_jonas = links(await anna.get("/settings")), links(await jonas.get("/settings"))

    everybody = ["/settings/people", "/settings/teams", "/settings/absences", "/settings/replies", "/settings/views"]
    everybody += ["/settings/keyboard", "/settings/notifications"]
    most = ["/settings/routing", "/settings/hours", "/settings/sla", "/settings/blocked"]
    assert for_anna == [*everybody, "/settings/channels", *most]
    assert for_jonas == everybody


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_an_agent_is_refused_whatever_address_they_type(site: Site) -> None:
    jonas, other = await site.signed_in("jonas@firm.example"), site.people["anna"]
    for path in (
        "people/new",
        f"people/{other}",
        "teams/new",
        "teams/900",
        "routing",
        "routing/new",
        "hours",
        "sla/new",
    ):
        assert (await jonas.get(f"/settings/{path}")).status == 403, path
    posts = {
        "people/new": {"email": "x@firm.example", "role": "admin"},
        f"people/{other}": {"skills": "x"},
        f"people/{other}/access": {"disabled": "yes"},
        f"people/{other}/password": {},
        "teams/new": {"name": "X"},
        "teams/900": {"name": "X"},
        "routing/new": {"name": "X", "team": "900"},
        "routing/try": {"channel": "1"},
        "routing/draft": {},
        "routing/draft/publish": {},
        "hours/new": {"name": "X", "zone": "UTC"},
        "sla/new": {"name": "X", "first_minutes": "1"},
        "absences/new": {"who": str(other), "from": "2030-01-01"},
    }
    before = await the_directory(site)

    for path, form in posts.items():
        assert (await jonas.post(f"/settings/{path}", form)).status == 403, path

    assert (await the_directory(site)).version == before.version


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_another_site_cannot_send_these_forms(site: Site) -> None:
    anna = await site.signed_in()
    for path in ("settings/teams/new", "settings/routing/draft", "me/presence", "inbox/next", "settings/absences/new"):
        answer = await anna.post(f"/{path}", {"name": "Evil", "state": "away"}, Sec_Fetch_Site="cross-site")
        assert answer.status == 403, path


# ── people and teams ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_somebody_is_invited_set_up_and_loses_access(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.send(
        await anna.get("/settings/people/new"), "form.fm", email="mira@firm.example", name="Mira Ose", teams="900"
    )
    password = page.words(".secret")
    mira = site.browser()
    assert (await mira.login("mira@firm.example", password)).url.endswith("/inbox/mine")

    person = page.one("form.fm").attributes["action"]
    listed = await anna.send(page, "form.fm", skills="Billing, inverter ,", languages="de, en-GB", capacity="7",
                             deputy=str(site.people["jonas"]))  # fmt: skip
    assert "Saved." in listed.words("[role=status]")
    found = next(e for e in (await the_directory(site)).employees.values() if e.name == "Mira Ose")
    assert (found.skills, found.languages) == (frozenset({"Billing", "inverter"}), frozenset({"de", "en-GB"}))
    assert (found.capacity, found.deputy_id) == (7, site.people["jonas"])
    assert found.id in (await the_directory(site)).teams[900].members

    page = await anna.send(await anna.get(person), "form[action$=access]")
    assert "cannot sign in any more" in page.words("[role=status]")

    async def out() -> Any:
        return "/login" in (await mira.get("/inbox/mine")).url

    await until(out)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_cannot_be_is_said_above_the_form_and_at_its_field_and_nothing_typed_is_lost(site: Site) -> None:
    jonas = site.people["jonas"]
    anna = await site.signed_in()
    wrong = {
        "languages": ("german, de", "“german” is no language; write it like de or en-GB."),
        "capacity": ("many", "Write a whole number here, like 15."),
        "deputy": (str(jonas), "Nobody is their own deputy; choose somebody else."),
    }
    for field, (value, sentence) in wrong.items():
        given = {field: value, "skills": "kept"}
        page = await fill(anna, await anna.get(f"/settings/people/{jonas}"), "form.fm", given)

        assert (page.status, page.words("#summary li")) == (422, sentence)
        assert page.one("#summary a").attributes["href"] == f"#f-{field}"
        assert page.one(f"#f-{field}").attributes["aria-invalid"] == "true"
        assert page.words(f"#e-{field}") == sentence
        assert page.one("#f-skills").attributes["value"] == "kept"
    assert (await the_directory(site)).employees[jonas].skills == frozenset()


async def test_a_team_is_made_changed_and_refused_without_a_name(site: Site) -> None:
    anna = await site.signed_in()
    form = "form[action='/settings/teams/new']"
    page = await anna.send(await anna.get("/settings/teams/new"), form, name="???")
    assert (page.status, page.one("#summary a").attributes["href"]) == (422, "#f-name")

    page = await anna.post(
        "/settings/teams/new",
        {"name": "Night shift", "members": str(site.people["jonas"]), "strategy": "round_robin", "silent_minutes": "90",
         "lead": str(site.people["anna"])},
    )  # fmt: skip

    assert "Night shift" in page.words(".tiles h2")
    team = next(t for t in (await the_directory(site)).teams.values() if t.slug == "night-shift")
    assert (team.strategy, team.silent_minutes, team.lead_id) == ("round_robin", 90, site.people["anna"])
    assert team.members == (site.people["jonas"],)
    page = await anna.send(await anna.get(f"/settings/teams/{team.id}"), "form.fm", offer_seconds="99999")
    assert (page.status, page.words("#e-offer_seconds")) == (422, "0 to 600 seconds.")


# ── absences ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_an_absence_is_planned_shown_in_the_calendar_and_called_off(site: Site) -> None:
    jonas = await site.signed_in("jonas@firm.example")
    given = {"from": "2031-03-03", "until": "2031-03-14", "kind": "training", "deputy": str(site.people["anna"])}
    page = await fill(jonas, await jonas.get("/settings/absences/new"), "form.fm", given)
    assert "Angelegt." in page.words("[role=status]")

    month = await jonas.get("/settings/absences?month=2031-03")
    cell = month.one(".gantt .off")
    assert (cell.attributes["colspan"], month.words(".gantt .off")) == ("12", "Fortbildung → Anna Becker")
    assert len(month.all(".gantt tbody td")) == 31 - 12 + 1
    assert month.words(".gantt tbody th").endswith("Jonas Meier")
    assert "Jonas Meier" not in (await jonas.get("/settings/absences?month=2031-04")).words(".gantt")

    page = await jonas.send(month, "form[action$=end]")
    assert "Abgesagt." in page.words("[role=status]")
    assert (await the_directory(site)).absences == {}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_an_absence_that_ends_before_it_begins_is_refused_and_others_are_not_shown(site: Site) -> None:
    jonas = await site.signed_in("jonas@firm.example")
    await away(site, "anna", "lea")

    given = {"from": "2031-03-03", "until": "2031-02-01"}
    page = await fill(jonas, await jonas.get("/settings/absences/new"), "form.fm", given)
    assert (page.status, page.one("#summary a").attributes["href"]) == (422, "#f-until")
    assert page.one("#f-until").attributes["value"] == "2031-02-01"
    for nonsense in ("9999-12-31", "soon", "0001-01-01"):
        page = await jonas.post("/settings/absences/new", {"from": nonsense})
        assert (page.status, page.one("#summary a").attributes["href"]) == (422, "#f-from")
    assert "Anna" not in (await jonas.get("/settings/absences")).words("#main")
    anna = await site.signed_in()
    assert "Anna Becker" in (await anna.get("/settings/absences")).words("#main .lines")


# ── the table of questions ────────────────────────────────────────────────────────────────────────────────────────────
def sentences(page: Any) -> list[str]:
    return [" ".join(node.text().split()) for node in page.all(".rules .say")]


async def test_a_rule_is_made_read_as_a_sentence_moved_switched_off_tried_and_removed(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.send(
        await anna.get("/settings/routing/new"), "form.fm0", name="Invoices", keywords="Rechnung, invoice", team="901"
    )
    said = sentences(page)
    place = next(n for n, line in enumerate(said) if line.startswith("Invoices"))
    assert "If subject or text has “Rechnung” or “invoice” → team Sales" in said[place]
    number = page.all(".rules > li")[place].attributes["data-id"]

    page = await anna.send(page, f"form[action='/settings/routing/{number}/move']:has([value=up])")
    assert "Moved." in page.words("[role=status]")
    assert sentences(page)[place - 1].startswith("Invoices")
    tried = await anna.send(page, "form[action^='/settings/routing/try']", channel=str(site.channel.config.id),
                            subject="Rechnung 17")  # fmt: skip
    assert tried.words(".good .b6") == "Queue of Sales"
    assert "Rule “Invoices”" in tried.words(".good .steps")

    page = await anna.send(page, f"form[action='/settings/routing/{number}/switch']")
    assert "dim" in page.one(f"#r{number}").attributes["class"]
    page = await anna.send(page, f"form[action='/settings/routing/{number}/remove']")
    assert not any(line.startswith("Invoices") for line in sentences(page))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_rule_that_leads_nowhere_or_asks_nonsense_comes_back_with_what_is_wrong(site: Site) -> None:
    anna = await site.signed_in()
    form = await anna.get("/settings/routing/new")
    for given, field in (
        ({"name": "X"}, "team"),
        ({"name": "", "team": "901"}, "name"),
        ({"name": "X", "team": "901", "domains": "nonsense"}, "domains"),
        ({"name": "X", "team": "901", "attributes": "gold"}, "attributes"),
        ({"name": "X", "team": "901", "keywords": "!!!"}, "keywords"),
    ):
        page = await fill(anna, form, "form.fm0", given)
        assert (page.status, page.one("#summary a").attributes["href"]) == (422, f"#f-{field}")
        assert "conditions." not in page.words("#summary")
    assert all(rule.kind != "rule" for rule in (await the_directory(site)).rules)


async def test_a_draft_counts_only_when_it_is_put_into_force_and_not_over_a_newer_table(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.post("/settings/routing/draft")
    page = await anna.send(await anna.get("/settings/routing/draft/new"), "form.fm0", name="Mail", team="901")
    line = next(node for node in page.all(".rules > li") if "Mail" in node.text())
    assert line.attributes["data-id"] == "-1"
    page = await anna.send(page, "form[action='/settings/routing/draft/-1/move']:has([value=up])")
    page = await anna.send(page, "form[action='/settings/routing/draft/-1/switch']")
    assert "Mail" not in " ".join(sentences(await anna.get("/settings/routing")))

    page = await anna.send(page, "form[action$=publish]")
    assert "in force now" in page.words("[role=status]")
    made = next(rule for rule in (await the_directory(site)).rules if rule.name == "Mail")
    assert (made.enabled, made.target.team) == (False, "901")

    await anna.post("/settings/routing/draft")
    await anna.post("/settings/routing/new", {"name": "Meanwhile", "team": "900"})
    page = await anna.send(await anna.get("/settings/routing/draft"), "form[action$=publish]")
    assert (page.status, "changed since this draft began" in page.words("#summary")) == (422, True)
    page = await anna.send(page, "form[action$=discard]")
    assert "The draft is gone" in page.words("[role=status]")
    assert any(rule.name == "Meanwhile" for rule in (await the_directory(site)).rules)


@pytest.mark.rest
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_simulation_shows_how_far_it_is_and_who_would_have_got_what(site: Site) -> None:
    number = await site.say("Meine Rechnung stimmt nicht", subject="Rechnung")
    anna = await site.signed_in()
    await anna.post("/settings/routing/draft")
    page = await anna.post("/settings/routing/draft/new", {"name": "All", "employee": str(site.people["anna"])})
    refused = await anna.send(page, "#simulate form", days="0")
    assert (refused.status, refused.words("#e-days")) == (422, "1 to 365.")
    started = await anna.send(page, "#simulate form", days="7")
    assert "/settings/routing/simulations/" in started.url

    async def done() -> Any:
        part = await anna.get(f"{re.sub('^http://[^/]*', '', started.url)}/progress", X_Hub="part")
        return part if "data-progress" not in part.text else None

    await until(done, 30)
    page = await anna.get(re.sub("^http://[^/]*", "", started.url))
    assert page.words("#progress .chip") == "done"
    moved = [node.text() for node in page.all("#main .tb")[0].css("tbody td")]
    assert moved == ["Jonas Meier", "→ Anna Becker", "1", "1"]
    assert page.one(f".exm a[href='/c/{number}']")


# ── hours and promises ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_hours_are_written_as_people_write_them_previewed_kept_and_not_removed_while_in_use(site: Site) -> None:
    anna = await site.signed_in()
    form = "form.fm"
    given = {"name": "Shop", "zone": "Europe/Berlin", "mon": "8-12, 13:00 – 17.30", "tue": "22:00-02:00", "wed": "closed",
             "thu": "", "fri": "", "exceptions": "2026-12-24: 8-12\n2026-12-31: closed"}  # fmt: skip
    page = await fill(anna, await anna.get("/settings/hours/new"), form, {**given, "preview": "1"})
    assert len(page.all(".opened dt")) == 7
    assert "08:00-12:00, 13:00-17:30" in page.words(".opened")
    assert "22:00-24:00" in page.words(".opened")
    assert (await the_directory(site)).hours == {}

    await anna.post("/settings/hours/new", given)
    (made,) = (await the_directory(site)).hours.values()
    assert made.week[:3] == (((480, 720), (780, 1050)), ((1320, 1560),), ())
    assert made.exceptions == {"2026-12-24": ((480, 720),), "2026-12-31": ()}
    await site.write(staff.change_team, 900, {"hours_id": made.id})
    page = await anna.post(f"/settings/hours/{made.id}/remove")
    assert (page.status, "team “Service”" in page.words("#summary")) == (422, True)
    for field, value in (("mon", "8 to late"), ("zone", "Mars"), ("region", "XX"), ("exceptions", "tomorrow: 8-9")):
        page = await fill(anna, await anna.get(f"/settings/hours/{made.id}"), form, {field: value})
        assert (page.status, page.one("#summary a").attributes["href"]) == (422, f"#f-{field}")


async def test_a_service_level_is_promised_shown_at_the_conversation_and_withdrawn(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.send(await anna.get("/settings/sla/new"), "form.fm0", name="Gold")
    assert (page.status, page.one("#summary a").attributes["href"]) == (422, "#f-first_minutes")
    page = await anna.send(page, "form.fm0", first_minutes="30", resolution_minutes="600")
    assert "first answer 30 min" in page.words(".rules")

    number = await site.say("Hello")
    for path in (f"/c/{number}", "/inbox/unassigned"):
        assert "Reply in 2" in (await anna.get(path)).words(".chip.ok"), path
    overdue = sa.text("UPDATE sla_clocks SET due_at = due_at - 3600000, started_at = started_at - 3600000")
    await site.write(lambda c: c.execute(overdue))
    waited = sa.text("UPDATE conversations SET waiting_since = waiting_since - 3600000")
    await site.write(lambda c: c.execute(waited))
    assert "overdue" in (await anna.get("/inbox/unassigned")).words(".chip.bad")
    assert (await anna.get("/inbox/all?due=late")).words("#rows .nm") == "Katrin Vogel"
    assert (await anna.get("/inbox/all?due=soon")).words("#rows .nm") == ""

    policy = page.one(".rules form[action$=remove]").attributes["action"]
    page = await anna.post(policy)
    assert "Nothing is promised yet" in page.words("#main")
    assert "overdue" not in (await anna.get("/inbox/unassigned")).words("#rows")


# ── the inbox ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_what_nobody_has_is_taken_once_and_the_next_one_is_given(site: Site) -> None:
    first, second = await site.say("One"), await site.say("Two", "other", "Henrik Sørensen")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get(f"/c/{first}")
    taken = await anna.send(page, "form[action*=claim]")
    assert "Anna Becker took this conversation" in taken.words(".ev")
    assert "took it out of the queue" in taken.words("#why")
    late = await jonas.post(f"/c/{first}/claim")
    assert (late.status, "Anna Becker" in late.words("#failure-words")) == (409, True)

    page = await jonas.post("/inbox/next")
    assert page.url.endswith(f"/c/{second}?in=mine")
    page = await jonas.post("/inbox/next")
    assert (page.url.endswith("/inbox/mine?none=1"), page.words(".list [role=status]")) == (
        True,
        "Nichts wartet auf Sie.",
    )


async def test_presence_is_chosen_where_one_is_and_seen_by_colleagues(site: Site) -> None:
    number = await site.say("Hello")
    jonas, anna = await site.signed_in("jonas@firm.example"), await site.signed_in()
    page = await jonas.get(f"/c/{number}")
    answer = await jonas.post("/me/presence", {"state": "away"}, Referer=page.url)
    assert answer.url == page.url
    assert answer.words("#me .lab").strip() == "abwesend"
    assert (await jonas.post("/me/presence", {"state": "asleep"})).status == 400

    assert "Jonas Meier · away · 0/30" in (await anna.get(f"/c/{number}")).words("#head optgroup[label=Service]")
    state = (await site.server.hub.db.read(presence.one, site.people["jonas"])).chosen
    assert state == "away"


async def test_giving_it_to_somebody_absent_is_asked_once_and_offers_the_deputy(site: Site) -> None:
    number = await site.say("Hello")
    await away(site, "jonas", "anna")
    anna = await site.signed_in()
    owned = sa.text("UPDATE customers SET owner_id = :jonas")
    await site.write(lambda c: c.execute(owned, {"jonas": site.people["jonas"]}))
    page = await anna.get(f"/c/{number}")
    assert re.search(r"Jonas Meier\s*absent until .* · deputy Anna Becker", page.words(".cust .box"))

    asked = await anna.post(f"/c/{number}/assign?in=all", {"to": f"e{site.people['jonas']}"})
    assert (asked.status, "Jonas Meier: absent until" in asked.words(".ask")) == (409, True)
    to_deputy, anyway = (node.attributes for node in asked.all(".ask form"))
    given = await anna.post(anyway["action"], {"to": f"e{site.people['jonas']}", "anyway": "yes"})
    assert given.words(".whybox summary .trunc") == "Jonas Meier"
    assert "deputy, Anna Becker" in asked.words(".ask .btn-p")
    assert to_deputy["action"] == anyway["action"]


# ── the live board ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_every_number_of_the_board_leads_to_as_many_conversations(site: Site) -> None:
    await site.say("One")
    taken = await site.say("Two", "other", "Henrik Sørensen")
    anna = await site.signed_in()
    await anna.post(f"/c/{taken}/claim")
    await anna.post("/me/presence", {"state": "available"})
    await site.write(
        lambda c: c.execute(sa.text("UPDATE channels SET trouble = 'no route', trouble_since = :at"), {"at": now()})
    )

    page = await anna.get("/live")
    figures = {node.attributes["data-n"]: node for node in page.all("a[data-n]")}
    assert {n: figures[n].text().split()[0] for n in ("waiting", "unassigned", "soon", "late", "team900")} == {
        "waiting": "2", "unassigned": "1", "soon": "0", "late": "0", "team900": "1"
    }  # fmt: skip
    for name, node in figures.items():
        count = node.text().split()[0].partition("/")[0]
        rows = (await anna.get(node.attributes["href"])).all("#rows > li")
        assert str(len(rows)) == count, name
    assert "disturbed since" in page.words("#figures")
    assert page.words("[data-n=available]") == "1"
    assert "Anna Becker" in page.words(".shift")


async def test_the_board_on_the_wall_names_nobody_and_agents_see_their_own_teams(site: Site) -> None:
    number = await site.say("Secret")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    for browser in (anna, jonas):
        await browser.post("/me/presence", {"state": "available"})
    await anna.post(f"/c/{number}/assign", {"to": "t901"})

    wall = await anna.get("/live?tv=1")
    assert wall.one("html").attributes["data-theme"] == "dark"
    assert not wall.all("nav.side")
    assert not any(name in wall.text for name in ("Anna", "Jonas", "Katrin"))
    assert (wall.words("[data-n=available]"), wall.words("[data-n=waiting]")) == ("2", "1")
    desk = await jonas.get("/live")
    assert (desk.words("[data-n=waiting]"), "Sales" in desk.words("#figures")) == ("0", False)
    assert "Anna" not in desk.words("#figures")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_conditions_of_a_rule_come_back_into_its_form(site: Site) -> None:
    anna = await site.signed_in()
    sent = {
        "name": "Everything", "keywords": "a1, b2", "subject": "c3", "domains": "firm.example", "languages": "de",
        "regions": "de-ni", "attributes": "contract = gold", "fields": "topic = repair", "open": "closed", "kinds": "api",
        "channels": str(site.channel.config.id), "teams": "900", "priorities": "high", "team": "901", "skills": "billing",
        "employee": str(site.people["jonas"]), "speaks": "yes",
    }  # fmt: skip
    await anna.post("/settings/routing/new", sent)
    rule = next(rule for rule in (await the_directory(site)).rules if rule.kind == "rule")
    assert rule.conditions == Conditions(
        kinds=("api",), channels=(str(site.channel.config.id),), teams=("900",), keywords=("a1", "b2"), subject=("c3",),
        domains=("firm.example",), languages=("de",), regions=("DE-NI",), attributes={"contract": "gold"},
        fields={"topic": "repair"}, priorities=("high",), open=False,
    )  # fmt: skip
    assert rule.target == Target(str(site.people["jonas"]), "901", ("billing",), True)

    page = await anna.get(f"/settings/routing/{rule.id}")
    page = await anna.send(page, "form.fm0", name="Renamed")
    after = next(rule for rule in (await the_directory(site)).rules if rule.kind == "rule")
    assert (after.name, after.conditions, after.target) == ("Renamed", rule.conditions, rule.target)


async def test_blocked_senders_are_listed_blocked_and_heard_again(site: Site) -> None:
    number = await site.say("Buy now", "spammer", "Spam Mer")
    anna = await site.signed_in()
    assert "Nobody is blocked" in (await anna.get("/settings/blocked")).words(".empty")
    await anna.post(f"/c/{number}/block")
    await anna.post("/settings/blocked", {"address": "Pest@Example.org "})
    wrong = await anna.post("/settings/blocked", {"address": "no address"})
    assert (wrong.status, wrong.one("#f-address").attributes["value"]) == (422, "no address")

    page = await anna.get("/settings/blocked")
    assert [" ".join(n.text().split()).split(" ")[0] for n in page.all(".rules li")] == ["spammer", "pest@example.org"]
    assert "Blocked by Anna Becker" in page.words(".rules")
    heard = await anna.send(page, ".rules li:first-child form")
    assert "spammer" not in heard.words(".rules")
    assert "heard again" in heard.words(".good")
    jonas = await site.signed_in("jonas@firm.example")
    assert (await jonas.get("/settings/blocked")).status == 403
    for path in ("/settings/blocked", "/settings/blocked/unblock"):
        assert (await jonas.post(path, {"address": "pest@example.org"})).status == 403
    assert "pest@example.org" in (await anna.get("/settings/blocked")).words(".rules")


async def test_who_may_not_is_told_who_can_change_that_and_where_a_merged_conversation_goes_on(site: Site) -> None:
    jonas, anna = await site.signed_in("jonas@firm.example"), await site.signed_in()
    refused = await jonas.get("/settings/blocked")
    assert (refused.status, "Anna Becker" in refused.words("#failure-words")) == (403, True)
    one, two = await site.say("One", "c0", "Customer 0"), await site.say("Two", "c1", "Customer 1")
    await anna.post(f"/c/{two}/merge", {"into": str(one), "anyway": "yes"})
    late = await anna.post(f"/c/{two}/status", {"status": "closed"})
    assert late.one("#failure-words a").attributes["href"] == f"/c/{one}"
