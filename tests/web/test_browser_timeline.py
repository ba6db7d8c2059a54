# ruff: noqa: F811 - fixtures of another file
"""The timeline in a real browser: where it opens, that it never jumps, mails in their frames, pictures, sound, chapters."""

from typing import Any

import pytest
import sqlalchemy as sa

from hub.clock import now
from tests.fakes import lacking, until
from tests.web.conftest import Site
from tests.web.history import DAY, MAIL, PNG, WAV, every_kind, many, png, said
from tests.web.test_browser import barriers, chrome, database_kind, one_browser, pytestmark, signed_in, site  # noqa: F401
from tests.web.test_live import joined
from tests.web.test_timeline import chaptered

TOP = "n => n.getBoundingClientRect().top - document.querySelector('#timeline').getBoundingClientRect().top"
#: The first entry that is whole below the upper edge.
ANCHOR = """() => { const top = document.querySelector('#timeline').getBoundingClientRect().top
  return [...document.querySelectorAll('.tl > .li')].find(n => n.getBoundingClientRect().top > top + 60).id }"""
#: Two drawn frames later: whatever grows has grown.
#: The entry in the middle of the timeline: what is out of sight is only as high as the browser guesses.
READ = """() => { const room = document.querySelector('#timeline').getBoundingClientRect()
  return document.elementFromPoint(room.left + room.width / 2, room.top + room.height / 2).closest('.li').id }"""
DRAWN = "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(r, 0))))"


async def top_of(page: Any, selector: str) -> float:
    return float(await page.eval_on_selector(selector, TOP))


async def long(site: Site, count: int = 260) -> tuple[int, list[int]]:
    """A conversation with many messages of very different lengths; its entries."""
    number = await site.say("Hello", subject="Long")
    given = [
        {"text": f"No. {n} " + "words and words " * (n * 7 % 40), "direction": "out" if n % 3 else "in"}
        for n in range(count)
    ]
    return number, [event for _, event in await site.write(many, number, given)]


async def opened(chrome: Any, site: Site, path: str, who: str = "anna") -> Any:
    page = await signed_in(chrome, site, who)
    await page.goto(site.base + path)
    await page.wait_for_selector("#timeline .li")
    await page.evaluate(DRAWN)
    return page


async def test_it_opens_at_the_new_marker_at_a_third_of_the_height_or_at_the_end(chrome: Any, site: Site) -> None:
    number, ids = await long(site, 60)
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET unread = 0")))
    page = await opened(chrome, site, f"/c/{number}")
    assert abs(await page.eval_on_selector("#timeline", "n => n.scrollTop")) < 2
    assert await page.is_visible(f"#i{ids[-1]}")

    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET unread = 5")))
    page = await opened(chrome, site, f"/c/{number}")
    height = await page.eval_on_selector("#timeline", "n => n.clientHeight")

    async def near_a_third() -> Any:
        return abs(await top_of(page, "#new") - height / 3) <= 2

    await until(near_a_third)
    assert page.complaints == []


async def test_older_entries_come_by_themselves_and_what_is_read_stays_where_it_is(chrome: Any, site: Site) -> None:
    number, _ = await long(site, 400)
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET unread = 0")))
    page = await opened(chrome, site, f"/c/{number}")
    moved: list[float] = []

    for _ in range(5):
        await page.eval_on_selector("#timeline", "n => n.scrollTop = 300 - n.scrollHeight")
        await page.evaluate(DRAWN)
        if await page.locator("#older").is_hidden():
            break
        first = await page.get_attribute(".tl > .li", "id")
        anchor = await page.evaluate(ANCHOR)
        before = await top_of(page, f"#{anchor}")
        await page.eval_on_selector("#older", "n => n.click()")

        async def came(first: str = first) -> Any:
            return bool(await page.get_attribute(".tl > .li", "id") != first)

        await until(came)
        moved.append(abs(await top_of(page, f"#{anchor}") - before))
        await page.evaluate(DRAWN)
        moved.append(abs(await top_of(page, f"#{anchor}") - before))

    assert len(moved) >= 6 and max(moved) <= 1, moved
    assert len(await page.query_selector_all(".tl > .li")) <= 300
    assert page.complaints == []


async def test_at_most_three_hundred_entries_stand_in_the_page_and_the_way_back_is_there(
    chrome: Any, site: Site
) -> None:
    number, ids = await long(site, 420)
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET unread = 0")))
    page = await opened(chrome, site, f"/c/{number}")
    await page.eval_on_selector("#timeline", "n => n.scrollTop = -n.scrollHeight")

    async def at_the_beginning() -> Any:
        await page.eval_on_selector("#timeline", "n => n.scrollTop = -n.scrollHeight")
        return bool(await page.query_selector(f"#i{ids[0]}"))

    await until(at_the_beginning, 20)
    count = len(await page.query_selector_all(".tl > .li"))
    assert count <= 300
    assert await page.query_selector(f"#i{ids[-1]}") is None
    assert await page.locator("#main").get_attribute("data-past") is not None
    await page.eval_on_selector("#newest", "n => n.click()")
    await page.wait_for_selector(f"#i{ids[-1]}")
    assert await page.locator("#main").get_attribute("data-past") is None
    assert page.complaints == []


async def test_a_new_entry_moves_nothing_while_one_reads_above_and_a_button_says_how_many(
    chrome: Any, site: Site
) -> None:
    number, _ = await long(site, 80)
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET unread = 0")))
    page = await opened(chrome, site, f"/c/{number}")
    await page.eval_on_selector("#timeline", "n => n.scrollTop = -900")
    await page.evaluate(DRAWN)
    anchor = "#" + await page.evaluate(READ)
    before = await top_of(page, anchor)

    await site.say("Are you there?")
    await page.wait_for_selector("#jumpnew:not([hidden])")
    assert abs(await top_of(page, anchor) - before) <= 1
    assert await page.inner_text("#jumpnew") == "1 new"
    await page.wait_for_selector('#said:has-text("1 new. Katrin Vogel by Shop: Are you there?")', state="attached")
    await site.say("Hello?")
    await page.wait_for_selector("#jumpnew >> text=2 new ones")
    assert abs(await top_of(page, anchor) - before) <= 1
    await page.click("#jumpnew")
    await page.wait_for_selector("#jumpnew", state="hidden")
    await site.say("At the end now")
    await page.wait_for_selector(".bub >> text=At the end now")

    assert abs(await page.eval_on_selector("#timeline", "n => n.scrollTop")) < 2
    assert page.complaints == []


async def test_what_comes_late_is_put_where_it_belongs_in_a_page_that_is_open(chrome: Any, site: Site) -> None:
    """ux.md 5.6, 6: as a page that is loaded afterwards has it."""
    minute, ten = 60_000, now() // DAY * DAY - DAY + 10 * 3_600_000
    number = await site.say("Hello")
    await site.write(many, number, [{"text": f"No. {n}", "at": ten + n * minute} for n in range(6)])
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET unread = 0")))
    page = await opened(chrome, site, f"/c/{number}")
    await joined(site)
    order = "[...document.querySelectorAll('.tl .bub .txt')].map(n => n.textContent.trim())"

    late = {"text": "Late", "at": ten + 30 * minute, "written": ten + 2 * minute + 1}
    await site.write(many, number, [late])
    await page.wait_for_selector(".bub >> text=Late")
    await page.wait_for_selector(".late >> text=arrived")
    wanted = ["No. 0", "No. 1", "No. 2", "Late", "No. 3", "No. 4", "No. 5", "Hello"]
    assert await page.evaluate(order) == wanted
    await page.reload()
    assert await page.evaluate(order) == wanted
    assert page.complaints == []


async def test_a_link_to_an_entry_centres_marks_and_focuses_it_wherever_it_is(chrome: Any, site: Site) -> None:
    number, ids = await long(site)
    for entry in (ids[-5], ids[20]):
        page = await opened(chrome, site, f"/c/{number}#i{entry}")
        await page.wait_for_selector(f"#i{entry}.hit")
        box = await page.eval_on_selector(f"#i{entry}", "n => n.getBoundingClientRect().height")
        room = await page.eval_on_selector("#timeline", "n => n.clientHeight")

        async def centred(page: Any = page, entry: int = entry, box: float = box, room: float = room) -> Any:
            return abs(await top_of(page, f"#i{entry}") + box / 2 - room / 2) < 4

        if entry == ids[20]:
            await until(centred)
            assert await page.is_visible("#jumpnew")
        assert await page.evaluate("document.activeElement.id") == f"i{entry}"
        assert page.complaints == []


async def test_a_mail_keeps_its_room_shows_its_quotation_on_demand_and_fetches_nothing(chrome: Any, site: Site) -> None:
    number = await site.say("Hello")
    new = "New part" + "\nline" * 12 + "\nhttps://bank.example/login"
    html = (
        "<table><tr><td>New part<br>"
        + "line<br>" * 12
        + '</td></tr></table><p><a href="https://evil.example/x">https://bank.example/login</a></p>'
        '<img data-remote-src="https://tracker.example/t.gif"><blockquote>' + "old<br>" * 80 + "</blockquote>"
    )
    _, event = await site.write(
        lambda c: said(c, number, f"{new}\n> old", visible=new, kind="email", html=html, sender=MAIL)
    )
    page = await opened(chrome, site, f"/c/{number}")
    frame = page.frame_locator(f"#i{event} iframe")
    await frame.locator("text=New part").wait_for()

    async def kept() -> Any:
        return int(
            await site.server.hub.db.read(lambda c: c.execute(sa.text("SELECT max(height) FROM heights")).scalar()) or 0
        )

    height = await until(kept)
    assert height == await page.eval_on_selector(f"#i{event} iframe", "n => +n.getAttribute('height')")
    assert await frame.locator("text=old").count() == 0
    assert await frame.locator(".elsewhere").inner_text() == "leads to evil.example"
    assert await frame.locator("a").get_attribute("title") == "evil.example"
    button = page.locator(f"#i{event} button.q")
    await button.click()
    await frame.locator("blockquote").wait_for()
    assert await button.get_attribute("aria-expanded") == "true"
    await page.wait_for_selector(f"#i{event} .all:not([hidden])")
    assert await page.eval_on_selector(f"#i{event} .clip", "n => n.clientHeight") == 400
    await page.click(f"#i{event} .all summary")
    assert await page.eval_on_selector(f"#i{event} .clip", "n => n.clientHeight") > 1000
    await page.reload()
    assert await page.eval_on_selector(f"#i{event} iframe", "n => +n.getAttribute('height')") == height
    assert page.complaints == []


async def test_chapters_open_in_place_and_the_whole_history_by_one_click(chrome: Any, site: Site) -> None:
    number, _, first = await chaptered(site)
    page = await opened(chrome, site, f"/c/{number}")

    await page.click(".fold summary")
    await page.wait_for_selector(f".fold #i{first}")
    await site.say("Still live")
    await page.wait_for_selector(".tl > .li .bub >> text=Still live")
    await page.click("text=Whole history")
    await page.wait_for_selector("h2.chap")
    order = await page.eval_on_selector_all(".tl > .li", "all => all.map(n => [+n.dataset.at, +n.dataset.id])")
    assert order == sorted(order) and first in [number for _, number in order]
    await page.reload()
    assert await page.locator("h2.chap").count() >= 2
    await page.click('#timeline a:has-text("This conversation"), #timeline button:has-text("This conversation")')
    await page.wait_for_selector(".fold")

    assert await page.locator(f".tl > #i{first}").count() == 0
    assert page.complaints == []


async def test_pictures_are_shown_large_by_keyboard_and_the_focus_comes_back(chrome: Any, site: Site) -> None:
    number = await site.say("Hello")
    put = site.server.hub.blobs.put
    files = [(f"{n}.png", "image/png", len(PNG), put(png(60, 40 + n, b"\x10\x80\x10"))) for n in range(3)]
    await site.write(lambda c: said(c, number, "Look", files=files))
    page = await opened(chrome, site, f"/c/{number}")

    await page.focus("[data-picture='1.png']")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#lightbox[open]")
    assert await page.inner_text("#lightbox [data-name]") == "1.png"
    await page.keyboard.press("ArrowRight")
    assert await page.inner_text("#lightbox [data-name]") == "2.png"
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    assert (
        await page.eval_on_selector(
            "#lightbox .big img",
            "n => new Promise(r => n.complete ? r(n.naturalHeight) : n.onload = () => r(n.naturalHeight))",
        )
        == 40
    )
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#lightbox", state="hidden")

    assert await page.evaluate("document.activeElement.dataset.picture") == "0.png"
    assert page.complaints == []


async def test_a_recording_plays_goes_ten_seconds_on_and_faster(chrome: Any, site: Site) -> None:
    number = await site.say("Hello")
    put = site.server.hub.blobs.put
    made = await site.write(every_kind, number, site.people["anna"], put(PNG), put(WAV))
    page = await opened(chrome, site, f"/c/{number}#i{made['call']}")
    player = page.locator(f"#i{made['call']} .player")

    await player.locator("[data-do=play]").click()
    audio = f"#i{made['call']} audio"
    await until(lambda: page.eval_on_selector(audio, "n => n.currentTime > 0"))
    await player.locator("[data-do=on]").click()
    await until(lambda: page.eval_on_selector(audio, "n => n.ended"))
    await player.locator("[data-do=speed]").click()

    assert await player.locator("[data-do=speed]").inner_text() == "1.25×"
    assert await page.eval_on_selector(f"#i{made['call']} audio", "n => n.playbackRate") == 1.25
    assert "/ 0:00" in await player.locator("[data-do=time]").inner_text()
    assert page.complaints == []


@pytest.mark.parametrize("who", ["anna", "jonas"])
async def test_axe_finds_no_barrier_in_any_kind_of_entry(chrome: Any, site: Site, who: str) -> None:
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    number, _, _ = await chaptered(site)
    put = site.server.hub.blobs.put
    made = await site.write(every_kind, number, site.people["anna"], put(PNG), put(WAV))
    html = '<p style="color:#333333">Designed <b>mail</b></p><img data-remote-src="https://t.example/t.gif">'
    await site.write(
        lambda c: said(
            c,
            number,
            "Designed mail\n> x",
            visible="Designed mail",
            kind="email",
            html=html,
            sender="email:k@kunde.example",
        )
    )
    page = await opened(chrome, site, f"/c/{number}", who)
    await page.click(".fold summary")
    await page.wait_for_selector(".fold .li")
    await page.click(".run summary")
    said_by_axe = await barriers(Axe().axe_script, page, "one conversation")
    await page.goto(f"{site.base}/c/{number}?history=all")
    await page.wait_for_selector(f"#i{made['out']}")
    said_by_axe += await barriers(Axe().axe_script, page, "the whole history")

    assert said_by_axe == []
    assert page.complaints == []
