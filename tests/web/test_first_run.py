"""The first run: the firm, the colour, the sample that comes and goes, and the first steps beside the work."""

from typing import Any

import sqlalchemy as sa

from hub import workspace
from tests.fakes import until
from tests.web.conftest import Site, running

FIRM = {"company": "Müller & Söhne", "language": "de", "opens": "09:00", "closes": "16:30", "hue": "150"}


async def company(site: Site, **more: str) -> Any:
    anna = await site.signed_in()
    return await anna.send(await anna.get("/welcome/company"), "form", **{**FIRM, **more})


async def test_the_firm_gets_its_name_hours_and_colour_and_the_sign_in_its_language(site: Site) -> None:
    page = await company(site)

    inbox = await (await site.signed_in()).get("/inbox/mine")
    assert page.url.endswith("/welcome/start")
    assert inbox.words(".brand") == "Müller & Söhne"
    assert "--accent:light-dark(" in inbox.words("head style")
    assert 'lang="de"' in (await site.browser().get("/login")).text
    hours = await site.server.hub.db.read(lambda c: c.execute(sa.text("SELECT name, zone, week FROM hours")).all())
    assert [(h.name, "09:00-16:30" in h.week) for h in hours] == [("Müller & Söhne", True)]


async def test_coming_back_changes_the_hours_instead_of_making_more(site: Site) -> None:
    await company(site)
    await company(site, opens="07:00")

    hours = await site.server.hub.db.read(lambda c: c.execute(sa.text("SELECT week FROM hours")).scalars().all())
    assert len(hours) == 1
    assert "07:00-16:30" in hours[0]


async def test_what_cannot_be_is_said_at_its_field_and_nothing_is_lost(site: Site) -> None:
    nameless = await company(site, company=" ")
    strange = await company(site, opens="25:99")
    colourful = await company(site, hue="999")

    assert (nameless.status, nameless.words("#e-company")) == (
        422,
        "Say what the firm is called; customers see it too.",
    )
    assert (strange.status, len(strange.all("#summary a[href='#f-opens']"))) == (422, 1)
    assert strange.one("#f-company").attributes["value"] == FIRM["company"]
    assert colourful.status == 422


async def test_only_administrators_set_the_house_up(site: Site) -> None:
    jonas = await site.signed_in("jonas@firm.example")

    refused = [(await jonas.get(path)).status for path in ("/welcome/company", "/welcome/start")]
    refused += [(await jonas.post(p)).status for p in ("/welcome/sample", "/sample/remove", "/welcome/done")]

    assert refused == [403] * 5


async def test_the_sample_moves_in_says_so_on_every_page_and_goes_again(site: Site) -> None:
    anna = await site.signed_in()
    real = await site.say("A real one", subject="Real")
    inbox = await anna.send(await anna.get("/welcome/start"), "form[action='/welcome/sample']")
    again = await anna.post("/welcome/sample")
    ribbons = [(await anna.get(path)).words(".ribbon") for path in ("/inbox/all", "/live", "/me", "/settings/people")]
    mine = len(inbox.all("#rows .it"))
    gone = await anna.send(await anna.get("/sample"), "form")
    after = await anna.get("/inbox/all")

    assert mine >= 12
    assert again.status == 200
    assert all(words.startswith("Sample data") for words in ribbons)
    assert gone.url.endswith("/welcome/start")
    assert (after.all(".ribbon"), [row.attributes["id"] for row in after.all("#rows > li")]) == ([], [f"c{real}"])


async def test_answers_to_the_sample_arrive_nowhere_but_arrive(site: Site) -> None:
    """The stand-ins of mail server and messenger run while the sample is here."""
    anna = await site.signed_in()
    await anna.send(await anna.get("/welcome/start"), "form[action='/welcome/sample']")
    question = sa.text(
        "SELECT c.id FROM conversations c JOIN channels h ON h.id = channel_id WHERE h.kind = 'api' AND h.name LIKE 'Wh%'"
    )
    number = await site.server.hub.db.read(lambda c: c.execute(question).scalar())
    settled = sa.text("SELECT count(*) FROM channels WHERE settings LIKE '%127.0.0.1%'")
    await until(lambda: site.server.hub.db.read(lambda c: c.execute(settled).scalar() == 6), 60)
    await site.server.hub.load_channels()

    sent = await anna.send(await anna.get(f"/c/{number}"), ".f-reply", text="Does it arrive?")
    assert sent.status == 200, sent.words("#trouble")

    state = sa.text(
        "SELECT d.state FROM deliveries d JOIN messages m ON m.id = message_id WHERE m.text = 'Does it arrive?'"
    )
    over = ("sent", "delivered", "read", "failed")
    await until(lambda: site.server.hub.db.read(lambda c: c.execute(state).scalar() in over), 60)
    assert await site.server.hub.db.read(lambda c: c.execute(state).scalar()) != "failed"


async def test_the_first_steps_are_ticked_off_and_can_be_sent_away(site: Site) -> None:
    anna = await site.signed_in()
    before = await anna.get("/inbox/mine")
    await company(site)
    shown = await anna.get("/inbox/mine")
    await site.say("The first message")
    await until(lambda: "message" not in site.server.app[_brand()].state.left)
    jonas = await (await site.signed_in("jonas@firm.example")).get("/inbox/mine")
    sent_away = await anna.send(shown, "#first form")

    assert before.all("#first") == []
    assert "4/5" in shown.words("#first h2") or "3/5" in shown.words("#first h2")
    assert jonas.all("#first") == []
    assert sent_away.all("#first") == []
    assert (await site.server.hub.db.read(workspace.chosen)).dismissed


def _brand() -> Any:
    from hub.web.brand import BRAND

    return BRAND


async def test_the_parts_of_the_screens_are_shown_to_developers_only(settings: Any, monkeypatch: Any) -> None:
    async with running(settings(HUB_WEB__DEV="true"), monkeypatch) as dev:
        shown = await (await dev.signed_in()).get("/dev/components")

    assert shown.status == 200
    assert (len(shown.all("#p-rows .it")), len(shown.all("#p-timeline .state"))) == (7, 7)
    assert all(shown.all(f".{kind}") for kind in ("card", "bub", "nt", "ev", "callc", "trouble", "alert", "chip"))


async def test_nobody_else_sees_them(site: Site) -> None:
    assert (await (await site.signed_in()).get("/dev/components")).status == 404


async def test_what_is_said_says_its_language_where_that_is_known(site: Site) -> None:
    """I3."""
    number = await site.say("Guten Tag", language="de")
    unknown = await site.say("Hello", "somebody else")
    anna = await site.signed_in()

    german, plain = await anna.get(f"/c/{number}"), await anna.get(f"/c/{unknown}")

    assert [n.attributes.get("lang") for n in german.all(".bub .txt")] == ["de"]
    assert [n.attributes.get("lang") for n in plain.all(".bub .txt")] == [None]
