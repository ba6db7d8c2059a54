"""Searching, filters, saved views and mentions on the screens, without JavaScript."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from hub import accounts, collaboration, outbox, views
from hub.views import Content
from tests.web.conftest import Page, Site


async def actor(site: Site, who: str) -> Any:
    return await site.server.hub.db.read(accounts.actor, site.people[who])


async def shop(site: Site) -> tuple[int, int]:
    """A conversation with the word roof that waits, tagged; and a closed one."""
    one = await site.say("The new roof leaks in Müllers Straße", "katrin", "Katrin Vogel", subject="Roof")
    two = await site.say("The roof bill", "henrik", "Henrik Sørensen", subject="Bill")
    anna = await actor(site, "anna")
    await site.write(collaboration.set_tags, anna, one, ["warranty"])
    await site.write(collaboration.set_status, anna, two, "closed")
    return one, two


def rows(page: Page) -> list[str]:
    return [str(n.attributes["id"]) for n in page.all("#rows > li")]


async def test_a_search_shows_the_words_marked_and_opens_at_the_message(site: Site) -> None:
    one, two = await shop(site)
    anna = await site.signed_in()
    page = await anna.get("/search?q=strasse+roof")

    assert {n.text() for n in page.all(".hits mark")} == {"Straße", "roof", "Roof"}
    link = page.one(".hits a.hit").attributes["href"]
    entry = (await anna.get(link)).one(f"#{link.partition('#')[2]}")
    assert "leaks" in entry.text()
    page = await anna.get("/search?q=roof")
    assert [n.attributes["href"] for n in page.all(".hg")] == [f"/c/{two}", f"/c/{one}"]
    assert "Closed" in page.words(".hits")


async def test_a_hit_far_above_opens_where_it_stands(site: Site) -> None:
    number = await site.say("needle in the beginning", "katrin", "Katrin Vogel")
    for n in range(35):
        await site.say(f"hay {n}", "katrin", "Katrin Vogel")
    anna = await site.signed_in()
    link = (await anna.get("/search?q=needle")).one("a.hit").attributes["href"]
    page = await anna.get(link)

    assert f"/c/{number}?item=" in link
    assert "needle" in page.one(f"#{link.partition('#')[2]}").text()


async def test_a_search_without_hits_says_what_was_searched_and_offers_more(site: Site) -> None:
    await shop(site)
    anna = await site.signed_in()
    page = await anna.get("/search?q=bill+is:open+kunde:x")

    assert "Only conversations of this status were searched" in page.words(".empty")
    assert "There is no operator “kunde:”" in page.words(".hints")
    assert len(page.all(".hits .hg")) == 0
    wider = next(n.attributes["href"] for n in page.all(".empty a") if "closed" in n.text())
    assert "is%3Aopen" not in wider
    fewer = next(n.attributes["href"] for n in page.all(".empty a") if "kunde" in n.text())
    page = await anna.get(fewer)
    assert "bill" in page.one("[name=q][value*=bill]").attributes["value"]
    assert len((await anna.get("/search?q=bill")).all(".hg")) == 1
    page = await anna.get("/search?q=nothingatall")
    assert "in closed conversations too" in page.words(".empty")


async def test_the_operators_are_taught_in_both_languages(site: Site) -> None:
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    assert "is:open" in (await anna.get("/search")).words(".ops dt")
    taught = await jonas.get("/search")
    assert "ist:offen" in taught.words(".ops dt")
    for link in (n.attributes["href"] for n in taught.all(".ops dt a")):
        answer = await jonas.get(link)
        assert answer.status == 200
        assert "Operator" not in answer.words(".hints")


async def test_the_filter_narrows_by_plain_forms_and_chips_widen_again(site: Site) -> None:
    one, _ = await shop(site)
    other = await site.say("Something else", "lena", "Lena Brandt")
    anna = await site.signed_in()
    page = await anna.get("/inbox/all")
    assert rows(page) == [f"c{one}", f"c{other}"]
    action = page.one(".filt form[method=get]").attributes["action"]
    fields = page.fields(".filt form[method=get]")
    narrowed = await anna.get(
        f"{action}?"
        + "&".join(f"{k}={v}" for k, v in {**fields, "tag": "warranty", "unread": "1", "who": "none"}.items())
    )

    assert rows(narrowed) == [f"c{one}"]
    chips = {n.text().split("Remove")[0].strip(): n.attributes["href"] for n in narrowed.all("#only .chip")}
    assert list(chips) == ["Unread", "Nobody has it", "Tag: warranty"]
    wider = await anna.get(chips["Tag: warranty"])
    assert rows(wider) == [f"c{one}", f"c{other}"]
    assert "tag=" not in wider.url
    none = await anna.get("/inbox/all?tag=nosuch&waited=120")
    assert "Nothing matches these filters" in none.words("#nothing")
    assert rows(await anna.get(none.one("#nothing a[href*='status=any']").attributes["href"])) == []


async def test_the_longest_waiting_come_first_and_the_order_can_be_chosen(site: Site) -> None:
    first, second = await site.say("One", "one", "One"), await site.say("Two", "two", "Two")
    anna = await site.signed_in()
    page = await anna.get("/inbox/all")

    assert rows(page) == [f"c{first}", f"c{second}"]
    newest = next(n.attributes["href"] for n in page.all(".links a") if "Newest" in n.text())
    assert rows(await anna.get(newest)) == [f"c{second}", f"c{first}"]
    for sort in ("due", "priority"):
        assert sorted(rows(await anna.get(f"/inbox/all?sort={sort}"))) == sorted([f"c{first}", f"c{second}"])


async def test_a_filtered_list_is_kept_as_a_view_with_its_count(site: Site) -> None:
    one, _ = await shop(site)
    await site.say("Something else", "lena", "Lena Brandt")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get("/inbox/all?tag=warranty")
    page = await anna.send(page, ".keepview", name="Warranty cases", visibility="everyone", icon="shield")

    number = re.search(r"/inbox/view/(\d+)$", page.url)
    assert number
    assert rows(page) == [f"c{one}"]
    assert page.one("h1").text() == "Warranty cases"
    link = page.one(f"#views a[href='/inbox/view/{number[1]}']")
    assert link.css_first(".count").text() == "1"
    assert (await jonas.get("/inbox/mine")).all(f"#views a[href='/inbox/view/{number[1]}']")

    inside = page.one(f"#c{one} a").attributes["href"]
    assert f"in=view%3A{number[1]}" in inside
    assert rows(await anna.get(inside)) == [f"c{one}"]
    changed = await anna.get(f"/inbox/view/{number[1]}?tag=&status=closed")
    assert "As it was saved" in changed.words("#only")
    kept = await anna.send(changed, "#only form")
    assert kept.url.endswith(f"/inbox/view/{number[1]}")
    assert rows(kept) == rows(changed) != [f"c{one}"]


async def test_views_are_renamed_moved_and_removed_in_the_settings(site: Site) -> None:
    anna, jonas = await actor(site, "anna"), await actor(site, "jonas")
    one = await site.write(views.add, anna, {"name": "One", "visibility": "everyone", "content": Content(unread=True)})
    two = await site.write(views.add, anna, {"name": "Two", "visibility": "everyone"})
    await site.write(views.add, jonas, {"name": "Private"})
    browser = await site.signed_in()
    page = await browser.get("/settings/views")
    assert [n.text() for n in page.all(".rules .plain")] == ["One", "Two"]
    assert "Unread" in page.words(f"#v{one}")

    page = await browser.send(page, f"form[action='/settings/views/{two}/move']:first-of-type", to="1")
    assert [n.text() for n in page.all(".rules .plain")] == ["Two", "One"]
    form = await browser.get(f"/settings/views/{one}")
    again = await browser.send(form, ".fm", name=" ")
    assert again.status == 422
    page = await browser.send(form, ".fm", name="Better", icon="star", visibility="mine")
    assert "Better" in page.words(".rules")
    page = await browser.post(f"/settings/views/{one}/remove")
    assert [n.text() for n in page.all(".rules .plain")] == ["Two"]
    other = await site.signed_in("jonas@firm.example")
    assert (await other.post(f"/settings/views/{two}/remove")).status == 403
    assert (await other.get(f"/settings/views/{one}")).status == 404


async def test_a_mention_is_marked_counted_and_gone_when_seen(site: Site) -> None:
    number = await site.say("Help")
    await site.server.hub.db.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")).rowcount)
    jonas = await site.signed_in("jonas@firm.example")
    assert (await jonas.get(f"/c/{number}")).status == 404
    anna = await actor(site, "anna")
    await site.write(outbox.note, anna, number, "Can @jonas meier <b>look</b>?", "n1")
    page = await jonas.get("/inbox/mentions")

    assert rows(page) == [f"c{number}"]
    assert page.one("#views a[href='/inbox/mentions'] .pillc").text().startswith("1")
    assert page.all(f"#c{number} .at")
    opened = await jonas.get(f"/c/{number}?in=mentions")
    assert opened.one(".nt .mn.you").text() == "@jonas meier"
    assert opened.one(".nt .txt").text() == "Can @jonas meier <b>look</b>?"
    assert opened.one("#main").attributes["data-unread"] != "0"
    await jonas.post(f"/c/{number}/seen")
    page = await jonas.get("/inbox/mentions")
    assert page.all("#views a[href='/inbox/mentions'] .pillc") == []
    assert rows(page) == [f"c{number}"]


async def test_colleagues_are_offered_by_the_letters_of_any_of_their_names(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.get("/mates?q=mei")

    assert [n.attributes["data-name"] for n in page.all("li")] == ["Jonas Meier"]
    assert "offline" in page.words("li")
    assert [n.attributes["data-name"] for n in (await anna.get("/mates?q=s")).all("li")] == ["Sales", "Service"]
    assert len((await anna.get("/mates")).all("li")) == 4


async def test_the_start_is_the_list_that_was_looked_at_last(site: Site) -> None:
    anna = await site.signed_in()
    number = await site.write(views.add, await actor(site, "anna"), {"name": "Mine alone"})
    assert (await anna.get("/")).url.endswith("/inbox/mine")
    for path in ("/inbox/unassigned", "/inbox/team/service", f"/inbox/view/{number}", "/inbox/mentions"):
        await anna.get(path)
        assert (await anna.get("/")).url.endswith(path)
    await anna.get(f"/inbox/view/{number}")
    await anna.post(f"/settings/views/{number}/remove")
    assert (await anna.get("/")).url.endswith("/inbox/mine")


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/view/999999",
        "/inbox/view/99999999999999999999",
        "/inbox/view/x",
        "/inbox/nonsense",
    ],
)
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    assert (await (await site.signed_in()).get(path)).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "sort=nonsense&status=x&who=y&team=9999999&channel=-1&tag=%00&unread=2&waited=99999999999&due=never",
        "status=any&sort=due&cursor=x",
        "q=%22&sort=priority",
        "q=" + "is:" * 80,
        "q=%23999999999999999",
        "q=%2B49&tag=%F0%9F%99%82&waited=525600&unread=1",
        "q=before:9999-12-31+after:9999-12-31",
    ],
)
async def test_no_address_is_too_strange(site: Site, query: str) -> None:
    anna = await site.signed_in()
    await site.say("Hello")
    for path in ("/inbox/all", "/inbox/mine", "/inbox/mentions", "/search", "/inbox/team/service"):
        assert (await anna.get(f"{path}?{query}")).status in (200, 400), path


async def test_a_view_on_a_team_that_is_not_ones_own_shows_only_what_is_ones_own(site: Site) -> None:
    number = await site.say("Help")
    await site.server.hub.db.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")).rowcount)
    view = await site.write(
        views.add, await actor(site, "anna"), {"name": "Sales", "visibility": "everyone", "content": Content(team=901)}
    )
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    assert rows(await anna.get(f"/inbox/view/{view}")) == [f"c{number}"]
    page = await jonas.get(f"/inbox/view/{view}")
    assert (page.status, rows(page)) == (200, [])


async def test_help_stands_on_every_page_at_the_same_place_and_names_keys_and_people(site: Site) -> None:
    """WCAG 3.2.6."""
    number = await site.say("Hello")
    jonas = await site.signed_in("jonas@firm.example")
    before = []
    for path in ("/inbox/all", f"/c/{number}", "/me", "/search", "/live", "/settings/keyboard", "/help"):
        links = [a.attributes.get("href") for a in (await jonas.get(path)).all("#low > a, #me > a")]
        before.append(links[links.index("/help") - 1 :])
    page = await jonas.get("/help")

    assert len({tuple(links) for links in before}) == 1
    assert "Anna Becker" in page.words("main") and "Jonas" not in page.words("main")
    assert len(page.all("main kbd")) > 30 and "Umschalt" in page.words("main kbd")
    outside = [
        a.attributes["href"] for a in page.all("main a") if not a.attributes["href"].startswith(("/", "mailto:"))
    ]
    assert outside == []
