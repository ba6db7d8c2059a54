"""Customers on screen without JavaScript: the panel, finding, changing, merging, giving a conversation away, and writing first."""

from typing import Any

import pytest
import sqlalchemy as sa

from hub import absences, accounts, customers, handing
from hub.access import Actor
from hub.clock import now
from tests.web.conftest import Site


async def actor(site: Site, who: str = "anna") -> Actor:
    found = await site.server.hub.db.read(accounts.actor, site.people[who])
    assert isinstance(found, Actor)
    return found


async def made(site: Site, name: str, *addresses: str, **more: Any) -> int:
    """A customer, made by the administrator."""
    given, who = {"owner_id": None, "attributes": {}, **more}, await actor(site)
    return int(await site.write(lambda c: customers.add(c, who, name, list(addresses), **given)))


async def rows(site: Site, text: str, **values: Any) -> list[Any]:
    return list(await site.server.hub.db.read(lambda c: c.execute(sa.text(text), values).all()))


async def customer_of(site: Site, number: int) -> int:
    return int((await rows(site, "SELECT customer_id FROM conversations WHERE id = :n", n=number))[0][0])


# ── the panel ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_panel_says_what_the_database_knows_and_nothing_else(site: Site) -> None:
    number = await site.say("Hello")
    person, anna = await customer_of(site, number), await actor(site)
    firm = await made(site, "Vogel Solar GmbH")
    jonas = site.people["jonas"]
    known = {"role": "Installer", "timezone": "Asia/Tokyo", "preferred": "email", "opted_out": True, "plant": "PV-2231"}
    await site.write(
        lambda c: (
            customers.change(c, anna, person, attributes=known, company_id=firm, owner_id=jonas),
            customers.add_address(c, anna, person, "email:k@kunde.example", "", True),
            absences.add(c, anna, jonas, now() - 1000, now() + 86_400_000, deputy_id=site.people["anna"]),
        )
    )
    browser = await site.signed_in()

    page = await browser.get(f"/c/{number}")

    assert (
        page.words(".cust .iam")
        == "Katrin Vogel Installer · Vogel Solar GmbH " + page.words(".cust .iam .t3") + " Whole timeline"
    )
    assert page.words(".cust .iam .t3").endswith("local time")
    assert page.words(".cust .facts dt") == "Conversations Not closed First contact"
    assert page.words(".cust .facts dd").startswith("1 1 ")
    assert page.words(".cust .ids li").startswith(
        "kunde wrote 1 min ago k@kunde.example verified preferred wants no advertising"
    )
    assert page.words(".cust .own").startswith("JM Jonas Meier absent until")
    assert page.words(".cust .own").endswith("deputy Anna Becker")
    assert page.words(".cust .attrs") == "plant PV-2231"
    german = await (await site.signed_in("jonas@firm.example")).get(f"/c/{number}")
    assert "schrieb vor 1 Min." in german.words(".cust .ids")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_of_a_customer_nobody_looks_after_the_companys_owner_is_named(site: Site) -> None:
    firm = await made(site, "Big Ltd", owner_id=site.people["jonas"])
    person = await made(site, "Kim", company_id=firm)
    browser = await site.signed_in()

    page = await browser.get(f"/customers/{person}")

    assert page.words("aside .own") == "JM Jonas Meier for Big Ltd"
    assert page.words("aside .facts dd") == "0 0 –"


async def test_attributes_are_changed_beside_the_conversation_and_keep_their_kind(site: Site) -> None:
    number = await site.say("Hello")
    person, anna = await customer_of(site, number), await actor(site)
    await site.write(lambda c: customers.change(c, anna, person, attributes={"size": 9.8, "vip": True, "old": "x"}))
    browser = await site.signed_in("jonas@firm.example")
    page = await browser.get(f"/c/{number}?in=all")
    action = page.one("aside form[action*=attributes]").attributes["action"]
    data = [("key", "old"), ("value", ""), ("key", "size"), ("value", "9.8"), ("key", "vip"), ("value", "true")]

    page = await browser.post(action, [*data, ("key", "roof"), ("value", "flat <b>")])

    assert page.url.endswith(f"/c/{number}?in=all")
    assert page.words(".cust .attrs") == "roof flat <b> size 9.8 vip true"
    row = await site.server.hub.db.read(customers.one, anna, person)
    assert row.attributes == {"size": 9.8, "vip": True, "roof": "flat <b>"}
    light = await site.signed_in("lea@firm.example")
    assert (await light.get(f"/c/{number}")).all("aside form[action*=attributes]") == []
    assert (await light.post(action, data)).status == 403


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "q",
    [
        "katrin",
        "VOGEL",
        "k.vogel@",
        "K.Vogel@Posteo.Example",
        "+49 151 2264 8810",
        "0049 (151) 22648810",
        "0151 2264 8810",
        "tel:+491512",
    ],
)
async def test_a_customer_is_found_however_name_or_address_are_written(site: Site, q: str) -> None:
    wanted = await made(site, "Katrin Vogel", "email:k.vogel@posteo.example", "tel:+4915122648810")
    await made(site, "Henrik Sørensen", "email:h@x.example", "tel:+4915100000000")
    browser = await site.signed_in()

    page = await browser.get("/customers?q=" + q.replace("+", "%2B").replace(" ", "+"))

    assert [a.attributes["href"] for a in page.all("#found a")] == [f"/customers/{wanted}"]
    assert (await browser.get(f"/customers?q=%23{wanted}")).words("#found .nm b") == "Katrin Vogel"
    assert "Nobody is called" in (await browser.get("/customers?q=nemo")).words("#found")


async def test_the_list_shows_last_contact_open_ones_and_who_looks_after_them_page_by_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.say("One")
    for n in range(3):
        await made(site, f"Quiet {n}", owner_id=site.people["jonas"])
    browser = await site.signed_in()

    page = await browser.get("/customers")
    assert page.words("#found .nm b") == "Quiet 2 Quiet 1 Quiet 0 Katrin Vogel"
    assert page.words("#found li:last-child .fkn") == "1 open"
    assert page.words("#found li:first-child").endswith(
        f"Responsible: Jonas Meier {page.words('#found li:first-child .fkt')}"
    )

    from hub.web import customers as screen

    monkeypatch.setattr(screen.find, "__defaults__", (2,))
    page = await browser.get("/customers")
    assert page.words("#found .nm b") == "Quiet 2 Quiet 1"
    page = await browser.get(page.one(".pager a").attributes["href"])
    assert page.words("#found .nm b") == "Quiet 0 Katrin Vogel"
    assert page.all(".pager") == []


async def test_an_agent_finds_nobody_whose_conversations_are_not_theirs(site: Site) -> None:
    number = await site.say("Secret")
    person = await customer_of(site, number)
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")))
    jonas = await site.signed_in("jonas@firm.example")

    assert (await jonas.get("/customers?q=katrin")).all("#found a") == []
    for path in (
        f"/customers/{person}/edit",
        f"/customers/{person}/same",
        f"/c/{number}/customer",
        f"/new?customer={person}",
    ):
        assert (await jonas.get(path)).status == 404, path
    for path in (f"/customers/{person}/edit", f"/customers/{person}/addresses", f"/customers/{person}/attributes"):
        assert (
            await jonas.post(path, {"name": "Mine", "address": "a@b.example", "key": "a", "value": "b"})
        ).status == 404
    other = await made(site, "Other")
    assert (await jonas.get(f"/customers/{other}/same?other={person}")).status == 404
    assert (await jonas.post(f"/customers/{other}/same?other={person}", {})).status == 404
    assert (await jonas.post(f"/c/{number}/customer", {"customer": str(other)})).status == 404
    assert await customer_of(site, number) == person


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_customer_is_made_and_changed_and_what_cannot_be_is_said_at_its_field(site: Site) -> None:
    await made(site, "Taken", "email:t@x.example")
    browser = await site.signed_in()
    page = await browser.get("/customers/new")
    refused: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({}, "name", "needs a name or an address"),
        ({"address": "nonsense"}, "address", "is no address"),
        ({"address": "T@x.example"}, "address", "belongs to another customer already"),
        ({"name": "Kim", "company": "Nobody Ltd"}, "company", "no customer of this name"),
    )
    for given, field, said in refused:
        back = await browser.send(page, "form.fm", **given)
        assert (back.status, back.one("#summary a").attributes["href"]) == (422, f"#f-{field}")
        assert said in back.words(f"#e-{field}")
        assert back.one("#f-name").attributes["value"] == given.get("name", "")

    page = await browser.send(page, "form.fm", name="Kim", address="0049 30 1234", owner=str(site.people["jonas"]))
    assert "Added." in page.words("[role=status]")
    number = int(page.url.split("/")[-2])
    await made(site, "Kim & Co")
    page = await browser.send(page, "form[action$=edit]", name="Kim Lee", company="Kim & Co")
    assert "Kim Lee" in page.words("h1")
    row = await site.server.hub.db.read(customers.one, await actor(site), number)
    assert (row.name, row.owner_id, [i.address for i in row.identities]) == (
        "Kim Lee",
        site.people["jonas"],
        ["tel:0049301234"],
    )
    page = await browser.send(
        await browser.get(f"/customers/{number}/edit"), "form[action$=edit]", owner="", company=""
    )
    row = await site.server.hub.db.read(customers.one, await actor(site), number)
    assert (row.owner_id, row.company_id) == (None, None)


async def test_addresses_are_added_and_removed_and_one_that_is_taken_is_refused(site: Site) -> None:
    number = await made(site, "Kim")
    await made(site, "Taken", "email:t@x.example")
    browser = await site.signed_in()
    page = await browser.get(f"/customers/{number}/edit")

    back = await browser.send(page, "form[action$=addresses]", address="t@X.example")
    assert (back.status, "another customer" in back.words("#e-address")) == (422, True)
    page = await browser.send(page, "form[action$=addresses]", address="+49 30 1234", verified="yes")
    assert page.words(".lines .grow") == "+49301234 verified"
    page = await browser.send(page, "form[action$=remove]")
    assert page.all(".lines") == []
    assert (await browser.post(f"/customers/{number}/addresses/12345/remove")).status == 404


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_strangers_send_is_never_a_failure(site: Site) -> None:
    number = await site.say("Hello")
    person = await customer_of(site, number)
    browser = await site.signed_in()
    evil = {
        "name": "\x00" * 9,
        "address": "😀" * 500,
        "company": "9" * 40,
        "owner": "9" * 40,
        "customer": "-1",
        "via": " ",
        "text": "\ud800".encode("utf-8", "ignore").decode(),
        "keep": "x",
        "key": "k" * 900,
        "value": "v" * 9000,
    }
    for path in ("/customers/new", f"/customers/{person}/edit", f"/customers/{person}/addresses", f"/customers/{person}/attributes",
                 f"/customers/{person}/same?other=999999999999999999", f"/customers/{person}/merges/99999999999999999999/undo",
                 f"/c/{number}/customer", "/new?to=%00", "/new?customer=999999999999999999"):  # fmt: skip
        assert (await browser.post(path, evil)).status < 500, path
    for path in (
        "/customers?q=%00%ff&before=x",
        "/new?q=%25%5f",
        "/customers?q=tel:",
        "/customers?q=%2B%2B",
        "/customers?q=" + "9" * 300,
    ):
        assert (await browser.get(path)).status == 200, path


# ── two that are one ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_two_are_merged_with_what_speaks_for_it_and_the_merge_is_undone(site: Site) -> None:
    number = await site.say("Hello", "kv")
    one = await customer_of(site, number)
    anna = await actor(site)
    await site.write(lambda c: customers.add_address(c, anna, one, "tel:+4915122648810", "", False))
    two = await made(site, "Katrin Vogel", "tel:015122648810", "email:k@kunde.example")
    browser = await site.signed_in()

    page = await browser.get(f"/c/{number}")
    assert "may be the same" in page.words(".cust .likely")
    page = await browser.get(page.one(".likely a").attributes["href"])
    assert page.words(".dots li") == "the same name the same phone number: +4915122648810"
    page = await browser.send(page, "form.fm", keep=str(two), why="She said so")
    assert page.url.endswith(f"/customers/{two}/same?done=merged")
    assert "Anna Becker" in page.words("#merges")
    assert "the same name; the same phone number: +4915122648810; She said so" in page.words("#merges")
    assert await customer_of(site, number) == two
    assert (await browser.get(f"/customers/{one}")).url.endswith(f"/customers/{two}")

    page = await browser.send(page, "#merges form")
    assert page.url.endswith(f"/customers/{one}/same?done=unmerged")
    assert (await customer_of(site, number), page.all("#merges")) == (one, [])
    assert (await browser.post(f"/customers/{two}/merges/1/undo")).status == 404


async def test_without_any_evidence_one_has_to_say_how_one_knows_and_oneself_is_nobody_else(site: Site) -> None:
    one, two = await made(site, "Kim"), await made(site, "Lee", "email:l@gmail.com")
    browser = await site.signed_in()

    page = await browser.get(f"/customers/{one}/same?other={two}")
    assert "Nothing that the hub knows" in page.words("form.fm")
    assert "required" in page.one("#f-why").attributes
    assert (await browser.get(f"/customers/{one}/same?other={one}")).all("form[action*=other]") == []
    assert (await browser.post(f"/customers/{one}/same?other={one}", {})).status == 422
    found = await browser.get(f"/customers/{one}/same?q=lee")
    assert found.one("#found a").attributes["href"] == f"/customers/{one}/same?other={two}"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (("Vogel, Katrin", "api:a"), ("Katrin Vogel", "api:b"), "the same words in the name"),
        (("A", "email:a@firma.example"), ("B", "email:b@firma.example"), "addresses at firma.example"),
        (("A", "email:k.vogel@gmail.com"), ("B", "email:k.vogel@web.de"), "the same name before the @: k.vogel"),
        (("A", "email:a@gmail.com"), ("B", "email:b@gmail.com"), ""),
        (("+49 30", "tel:+49301"), ("+49 30", "api:x"), ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_speaks_for_it(site: Site, first: Any, second: Any, said: str) -> None:
    one, two = await made(site, *first), await made(site, *second)
    browser = await site.signed_in()

    assert (await browser.get(f"/customers/{one}/same?other={two}")).words(".dots li") == said


async def test_an_address_of_the_other_in_ones_conversation_speaks_for_it(site: Site) -> None:
    number = await site.say("Hello", "kv")
    one, two = await customer_of(site, number), await made(site, "K. V.", "email:k@kunde.example")
    text = sa.text(
        "INSERT INTO participants (conversation_id, address, channel_id) VALUES (:n, 'email:k@kunde.example', :c)"
    )
    await site.write(lambda c: c.execute(text, {"n": number, "c": site.channel.config.id}))
    browser = await site.signed_in()

    assert (await browser.get(f"/customers/{one}/same?other={two}")).words(
        ".dots li"
    ) == f"both take part in conversation #{number}"


# ── somebody else ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_conversation_is_given_to_somebody_else_and_back(site: Site) -> None:
    number = await site.say("Hello")
    one, other = await customer_of(site, number), await made(site, "Henrik")
    browser = await site.signed_in()

    page = await browser.get((await browser.get(f"/c/{number}?in=all")).one("[data-whose]").attributes["href"])
    page = await browser.send(await browser.get(f"/c/{number}/customer?find=henrik&in=all"), "#found form")
    assert page.url.endswith(f"/c/{number}?in=all")
    assert "Henrik" in page.words(".cust .iam")
    assert "was of Katrin Vogel before" in page.words(".cust .likely")
    assert "gave this conversation to another customer" in page.words("#timeline")
    homes = "SELECT customer_id FROM messages WHERE conversation_id = :n"
    told = "SELECT customer_id FROM events WHERE conversation_id = :n AND shown"
    held = await rows(site, f"{homes} UNION {told}", n=number)
    assert [row[0] for row in held] == [other]

    page = await browser.send(page, ".cust .likely form")
    assert (await customer_of(site, number), page.all(".cust .likely")) == (one, [])
    page = await browser.send(
        await browser.get(f"/c/{number}/customer?in=all"), "form.fm", name="New One", address="n@x.example"
    )
    assert "New One" in page.words(".cust .iam")
    back = await browser.send(
        await browser.get(f"/c/{number}/customer?in=all"), "form.fm", name="Kim", address="n@x.example"
    )
    assert (back.status, back.one("#f-name").attributes["value"]) == (422, "Kim")
    assert "another customer" in back.words("#e-address")


async def test_what_was_given_away_stays_away_when_a_merge_is_undone(site: Site) -> None:
    number = await site.say("Hello")
    one, anna = await customer_of(site, number), await actor(site)
    two, three = await made(site, "Two"), await made(site, "Three")
    merge = await site.write(customers.merge, anna, two, one, "")
    await site.write(handing.give, anna, number, three)
    await site.write(customers.unmerge, anna, two, merge)

    assert await customer_of(site, number) == three


# ── writing first ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_conversation_begins_with_a_customer_and_can_be_taken_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.holds.SECONDS", {"api": 30})
    person = await made(site, "Kim", "api:kim")
    browser = await site.signed_in("jonas@firm.example")
    page = await browser.get("/new?q=kim")
    page = await browser.get(page.one("#found a").attributes["href"])
    assert page.words(".viaopt") == "Shop kim"

    refused = await browser.send(page, "form.fm", text="  ")
    assert (refused.status, refused.words("#e-text")) == (422, "Die Nachricht ist leer.")
    sent = await browser.send(page, "form.fm", text="Hello Kim")
    number = int(sent.url.split("/c/")[1].split("?")[0])
    assert "Hello Kim" in sent.words("#timeline")
    assert (await browser.send(page, "form.fm", text="Hello Kim")).url == sent.url
    assert (await customer_of(site, number), len(await rows(site, "SELECT id FROM conversations"))) == (person, 1)

    back = await browser.send(sent, "#toast form")
    assert "Hello Kim" in back.one("#reply-text").text()
    assert await rows(site, "SELECT id FROM deliveries") == []


async def test_an_address_nobody_knows_becomes_a_customer_and_a_known_one_is_theirs(site: Site) -> None:
    browser = await site.signed_in()
    page = await browser.get("/new?q=api:fresh")
    page = await browser.get(page.one("#found p a").attributes["href"])
    sent = await browser.send(page, "form.fm", text="Hello", name="Fresh One")
    assert "Fresh One" in sent.words(".cust .iam")

    page = await browser.get("/new?to=api:fresh")
    assert "Fresh One" in page.words("form.fm p b")
    assert "No channel in use" in (await browser.get("/new?to=tel:%2B49301234")).words("form.fm")
    light = await site.signed_in("lea@firm.example")
    assert (await light.get("/new")).status == 403
    assert (await light.post("/new?to=api:fresh", page.fields("form.fm") | {"text": "x"})).status == 403
    forged = await browser.post(
        "/new?to=api:fresh", page.fields("form.fm") | {"text": "x", "via": f"{site.channel.config.id} api:else"}
    )
    assert (forged.status, "Choose by which" in forged.words("#summary")) == (422, True)


async def test_a_customers_language_is_shown_where_it_is_known_and_set_by_hand(site: Site) -> None:
    number = await site.say("Guten Tag, wo ist mein Paket? Ich warte seit einer Woche.")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}?in=all")
    assert "German" in page.words("#cust .iam")
    assert page.one(".bub .txt").attributes["lang"] == "de"
    customer = page.one("[data-customer]").attributes["data-customer"]

    form = {"key": "language", "value": "fr"}
    changed = await anna.post(f"/customers/{customer}/attributes?c={number}&in=all", form)
    assert "French" in changed.words("#cust .iam")
    assert changed.one("#cust select[name=value] option[selected]").attributes["value"] == "fr"
    again = await anna.post(f"/customers/{customer}/attributes?c={number}&in=all", form | {"value": ""})
    assert "German" in again.words("#cust .iam")
