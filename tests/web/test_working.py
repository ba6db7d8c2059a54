"""Working on conversations without JavaScript: snoozing, undoing, what comes next, many at once, merging and splitting."""

from __future__ import annotations

import sqlalchemy as sa

from tests.web.conftest import Page, Site


async def several(site: Site, count: int = 3) -> list[int]:
    return [await site.say(f"About {n}", f"c{n}", f"Customer {n}", subject=f"Matter {n}") for n in range(count)]


async def status(site: Site, number: int) -> str:
    question = sa.text("SELECT status FROM conversations WHERE id = :n")
    return str(await site.server.hub.db.read(lambda c: c.execute(question, {"n": number}).scalar()))


def here(page: Page) -> str:
    return page.url.partition("?")[0].rpartition("/")[2]


async def test_closing_leads_on_as_chosen_and_undo_comes_back(site: Site) -> None:
    one, two, three = await several(site)  # who has waited longest stands first
    anna = await site.signed_in()

    following = await anna.post(f"/c/{two}/status?in=all", {"status": "closed"})
    undone = await anna.send(following, "#toast form")
    await anna.post("/me/after", {"after": "previous"})
    previous = await anna.post(f"/c/{two}/status?in=all", {"status": "closed"})
    await anna.send(previous, "#toast form")
    await anna.post("/me/after", {"after": "list"})
    listed = await anna.post(f"/c/{two}/status?in=all", {"status": "closed"})

    assert (here(following), following.words("#toast span")) == (str(three), f"Closed #{two}")
    assert (here(undone), undone.words("#toast span")) == (str(two), "Undone")
    assert "Anna Becker undid this" in undone.words(".ev")
    assert here(previous) == str(one)
    assert (here(listed), listed.words("#toast span")) == ("all", f"Closed #{two}")


async def test_what_stays_in_the_list_stays_on_the_screen(site: Site) -> None:
    _, two, _ = await several(site)
    jonas = await site.signed_in("jonas@firm.example")

    taken = await jonas.post(f"/c/{two}/assign?in=all", {"to": "me"})
    away = await jonas.post(f"/c/{two}/assign?in=mine", {"to": ""})
    out_of_sight = await jonas.post(f"/c/{two}/assign?in=all", {"to": "t901"})

    assert here(taken) == str(two)
    assert here(away) == "mine"
    assert here(out_of_sight) != str(two)
    back = await jonas.send(out_of_sight, "#toast form")
    assert (back.status, here(back)) == (200, str(two))


async def test_a_snooze_is_set_by_a_quick_choice_by_words_or_until_the_reply(site: Site) -> None:
    one, two, three = await several(site)
    anna = await site.signed_in()
    page = await anna.get(f"/c/{one}")
    moments = [b.attributes["value"] for b in page.all(".snoozes [name=at]")]

    await anna.post(f"/c/{one}/status", {"status": "snoozed", "at": moments[-2] or ""})
    await anna.post(f"/c/{two}/status", {"status": "snoozed", "words": "in 2 wochen"})
    await anna.post(f"/c/{three}/status", {"status": "snoozed", "at": "reply"})
    unclear = await anna.post(f"/c/{one}/status", {"status": "snoozed", "words": "next friday"})

    assert moments[-1] == "reply"
    assert [await status(site, n) for n in (one, two, three)] == ["snoozed"] * 3
    assert "Until the customer replies" in (await anna.get(f"/c/{three}")).words(".sub")
    assert (unclear.status, "can mean two days" in unclear.words("#failure-words")) == (422, True)


async def test_many_rows_are_worked_on_by_a_plain_form(site: Site) -> None:
    numbers = await several(site)
    anna = await site.signed_in()
    page = await anna.get("/inbox/all")
    action = page.one("#bulk").attributes["action"] or ""
    chosen = [("id", str(n)) for n in numbers[:2]]

    tagged = await anna.post(action, [*chosen, ("tag", "inverter"), ("do", "tag")])
    closed = await anna.post(action, [*chosen, ("do", "status:closed")])
    assert [await status(site, n) for n in numbers] == ["closed", "closed", "open"]
    undone = await anna.send(closed, "#toast form")
    everything = await anna.post(action, {"all": "1", "do": "snooze", "words": "tomorrow"})

    assert tagged.words("#toast span") == "Tags of 2 conversations changed"
    assert closed.words("#toast span") == "2 conversations closed"
    assert undone.words("#toast span") == "Undone"
    assert everything.words("#toast span") == "3 conversations snoozed"
    for wrong in ([("do", "status:closed")], [*chosen, ("do", "dance")], [*chosen, ("do", "snooze")], chosen):
        assert (await anna.post(action, wrong)).status in (400, 422)


async def test_light_agents_see_no_boxes_and_may_not_use_the_form(site: Site) -> None:
    numbers = await several(site, 1)
    lea = await site.signed_in("lea@firm.example")

    page = await lea.get("/inbox/all")
    refused = await lea.post("/bulk?in=all", {"id": str(numbers[0]), "do": "status:closed"})

    assert page.all(".pick") == page.all("#bulk") == []
    assert refused.status == 403


async def test_priority_spam_and_unread_are_in_the_menu(site: Site) -> None:
    one, two, _ = await several(site)
    anna = await site.signed_in()

    urgent = await anna.post(f"/c/{one}/priority?in=all", {"priority": "urgent"})
    await anna.post(f"/c/{one}/seen?in=all", {})
    unread = await anna.post(f"/c/{one}/unread?in=all", {})
    await anna.post(f"/c/{two}/status?in=all", {"status": "closed", "as": "spam"})
    spam = await anna.get(f"/c/{two}")
    wrong = await anna.post(f"/c/{one}/priority", {"priority": "huge"})

    assert "Urgent" in urgent.words(".sub .chip")
    assert (here(unread), unread.words("#toast span")) == ("all", f"#{one} marked as unread")
    assert "Spam" in spam.words(".sub .chip")
    assert "closed this as spam" in spam.words(".ev")
    assert wrong.status == 400


async def test_tags_come_and_go_one_by_one(site: Site) -> None:
    (one,) = await several(site, 1)
    anna = await site.signed_in()
    await anna.post(f"/c/{one}/tags?in=all", {"add": "b, a"})
    page = await anna.post(f"/c/{one}/tags?in=all", {"remove": "b"})
    known = await anna.get("/tags")

    assert [n.attributes["value"] for n in page.all(".tagged button")] == ["a"]
    assert [n.attributes["value"] for n in known.all("option")] == ["a"]


async def test_the_preview_says_what_words_mean_or_what_is_expected(site: Site) -> None:
    jonas = await site.signed_in("jonas@firm.example")

    meant = await jonas.get("/snooze?words=20.12.2030+10+Uhr")
    unclear = await jonas.get("/snooze?words=irgendwann")
    reply = await jonas.get("/snooze?words=bis+zur+Antwort")

    assert meant.words("[data-says]") == "Freitag, 20. Dezember 2030, 10:00"
    assert unclear.words("[data-says]").startswith("Schreiben Sie zum Beispiel „morgen 9“")
    assert reply.words("[data-says]") == "Bis der Kunde antwortet"


async def test_a_conversation_is_split_merged_back_and_leads_to_where_it_goes_on(site: Site) -> None:
    one = await site.say("First matter", "c0", "Customer 0")
    await site.say("Second matter", "c0", "Customer 0")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{one}/split?in=all")
    assert "Second matter" in page.words(".splits")
    assert "First matter" not in page.words(".splits")

    first = page.all(".splits input")[0].attributes["value"] or ""
    fresh = await anna.send(page, "form.fm", **{"from": first})
    assert fresh.words(".bub .txt") == "Second matter"
    assert "split this off" in fresh.words(".ev")
    number = here(fresh)
    merged = await anna.post(f"/c/{number}/merge?in=all", {"into": f"#{one}"})
    assert (here(merged), merged.words(".bub .txt")) == (str(one), "First matter Second matter")
    led = await anna.get(f"/c/{number}?in=all")
    assert here(led) == str(one)
    assert f"Conversation #{number} was merged into this one." in led.words(".alert")
    undone = await anna.send(merged, "#toast form")
    assert (here(undone), undone.words(".bub .txt")) == (number, "Second matter")
    for into in ("", "999999", str(one) * 10, "x"):
        assert (await anna.post(f"/c/{number}/merge", {"into": into})).status in (404, 422)


async def test_merging_conversations_of_two_customers_says_first_what_becomes_of_whom(site: Site) -> None:
    one, two, _ = await several(site)
    anna = await site.signed_in()
    asked = await anna.post(f"/c/{two}/merge?in=all", {"into": f"#{one}"})
    assert asked.words(".dots").count("Customer 0") == 1
    assert asked.one("a.mla").attributes["href"].startswith("/customers/")

    merged = await anna.send(asked, "form.wrap")
    assert (here(merged), merged.words(".bub .txt")) == (str(one), "About 0 About 1")
    assert "merged another customer’s conversation" in merged.words(".ev")
    assert "Customer 1" in merged.words("#about")
    theirs = asked.one("a.mla").attributes["href"].split("/")[2]
    assert f"/c/{one}" in [a.attributes["href"] for a in (await anna.get(f"/customers/{theirs}")).all("#cust .ids a")]
    undone = await anna.send(merged, "#toast form")
    assert (here(undone), undone.words(".bub .txt")) == (str(two), "About 1")


async def test_a_deleted_conversation_offers_no_box_to_write_in(site: Site) -> None:
    number = await site.say("zebra")
    anna = await site.signed_in()
    await anna.post(f"/c/{number}/delete", {"name": "Katrin Vogel"})
    page = await anna.get(f"/c/{number}?in=all")

    assert not page.all("#composer textarea")
    assert "was deleted" in page.words("#composer")
    for way in ("reply", "note"):
        answer = await anna.post(f"/c/{number}/{way}", {"text": "x", "note": "x", "client_id": "a", "seen": "0"})
        assert answer.status in (410, 422)


async def test_a_message_is_moved_from_its_place_in_the_timeline_and_back(site: Site) -> None:
    one = await site.say("About the roof", "c0", "Customer 0")
    await site.say("About the bill", "c0", "Customer 0")
    two = await site.say("Something else", "c1", "Customer 1")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{one}?in=all")
    assert len(page.all(".bub .mv")) == 2
    asked = await anna.get(page.all(".bub .mv")[1].attributes["href"])
    assert "About the bill" in asked.words(".pn")

    fresh = await anna.send(asked, "form.fm", into="new")
    assert fresh.words(".bub .txt") == "About the bill"
    back = await anna.send(fresh, "#toast form")
    assert "About the bill" in (await anna.get(f"/c/{one}?in=all")).words(".bub .txt"), back.url
    sure = await anna.send(asked, "form.fm", other=f"#{two}")
    assert (sure.status, "Customer 1" in sure.words(".alert")) == (409, True)
    moved = await anna.send(sure, "form.fm")
    assert (here(moved), moved.words(".bub .txt")) == (str(two), "About the bill Something else")
    assert "moved 1 message here" in moved.words(".ev")
    undone = await anna.send(moved, "#toast form")
    assert undone.words(".bub .txt") == "About the roof About the bill"
    for wrong in ("", "x", "99999", str(one)):
        assert (
            await anna.post(f"/c/{one}/move", {**asked.fields("form.fm"), "into": "", "other": wrong})
        ).status == 422
    lea = await site.signed_in("lea@firm.example")
    assert not (await lea.get(f"/c/{one}?in=all")).all(".mv")
