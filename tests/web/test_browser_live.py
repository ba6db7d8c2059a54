"""Two people, many tabs, and a connection that comes and goes, in a real browser."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from hub import collaboration, outbox
from hub.accounts import actor
from hub.outbox import Draft
from tests.fakes import until
from tests.web.conftest import Site, running
from tests.web.history import many
from tests.web.test_browser import (  # noqa: F401 - fixtures
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    until_true,
)
from tests.web.test_browser_composer import becomes
from tests.web.test_browser_timeline import DRAWN, READ, top_of
from tests.web.test_live import joined


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server of each test's own."""
    async with running(settings(), monkeypatch) as here:
        yield here


async def opened(chrome: Any, site: Site, number: int, who: str = "anna") -> Any:  # noqa: F811
    page = await signed_in(chrome, site, who)
    await page.goto(f"{site.base}/c/{number}")
    await page.wait_for_selector("#reply-text")
    return page


async def answer(site: Site, number: int, who: str, text: str, client: str = "a") -> None:
    """Somebody answers from elsewhere."""
    person = await site.server.hub.db.read(actor, site.people[who])
    await site.write(outbox.reply, person, site.server.hub.channels, 0, number, Draft(text, client))


async def test_two_people_at_one_conversation_see_each_other_within_a_second(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna, jonas = await opened(chrome, site, number), await opened(chrome, site, number, "jonas")
    await anna.wait_for_selector("#head .stack[title='Jonas Meier is viewing']", timeout=2000)
    await joined(site, 2)

    await jonas.type("#reply-text", "Ich sehe")
    await anna.wait_for_selector("#replying:visible >> text=Jonas Meier is replying on Shop", timeout=1500)
    assert await anna.locator("#head .stack .av.ring").count() == 1
    await anna.wait_for_selector(f"#c{number} .here .av.ring")
    await anna.click("[data-peek]")
    await anna.wait_for_selector("#peek >> text=Ich sehe")
    await jonas.click("label:has(#mode-note)")
    await jonas.type("#note-text", "Nur für uns")
    await anna.wait_for_selector("#replying:visible >> text=Jonas Meier is writing a note", timeout=1500)
    assert await jonas.locator("#replying").is_hidden()

    await jonas.goto(f"{site.base}/inbox/all")
    await anna.wait_for_selector("#replying", state="hidden", timeout=2000)
    await anna.wait_for_selector("#head .stack", state="hidden")
    await jonas.wait_for_selector(f"#c{number} .here[title='Anna Becker sieht sich das an']", timeout=2000)
    assert anna.complaints + jonas.complaints == []


async def test_who_crashes_is_gone_within_ten_seconds(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna, jonas = await opened(chrome, site, number), await opened(chrome, site, number, "jonas")
    await anna.wait_for_selector("#head .stack[title='Jonas Meier is viewing']")

    await jonas.route("**/here", lambda route: route.abort())

    await anna.wait_for_selector("#head .stack", state="hidden", timeout=10_000)


async def test_a_colleague_who_was_faster_is_read_before_anything_leaves(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna = await opened(chrome, site, number)
    await joined(site)
    await anna.fill("#reply-text", "My long answer")
    await answer(site, number, "jonas", "I was faster")
    await anna.wait_for_selector("#collision >> text=I was faster")
    await anna.wait_for_selector(".bub.out >> text=I was faster")

    async with anna.expect_response(lambda r: f"/c/{number}/reply" in r.url) as sent:
        await anna.press("#reply-text", "Control+Enter")
    assert (await sent.value).status == 409
    await becomes(anna, "My long answer")
    await anna.click("#collision >> text=Send anyway")

    await anna.wait_for_selector(".bub.out >> text=My long answer")
    await anna.wait_for_selector("#collision", state="detached")
    assert await anna.input_value("#reply-text") == ""
    assert anna.complaints == []


async def test_the_three_ways_out_of_a_collision(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna = await opened(chrome, site, number)
    await joined(site)
    await anna.fill("#reply-text", "Hm")
    await answer(site, number, "jonas", "One", "1")
    await anna.click("#collision >> text=Edit")
    await anna.wait_for_selector("#collision", state="detached")
    assert await anna.evaluate("document.activeElement.id") == "reply-text"
    await anna.keyboard.press("Control+Enter")
    await anna.wait_for_selector(".bub.out >> text=Hm")

    await anna.fill("#reply-text", "Once more")
    await answer(site, number, "jonas", "Two", "2")
    await anna.click("#collision >> text=Discard")
    await becomes(anna, "")
    await anna.wait_for_selector("#collision", state="detached")
    assert anna.complaints == []


async def test_a_customer_who_goes_on_writing_is_announced_and_stops_nobody(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna = await opened(chrome, site, number)
    await joined(site)
    await anna.fill("#reply-text", "An answer")
    await site.say("One more thing")
    await anna.wait_for_selector("#again:visible >> text=Katrin Vogel wrote again")

    await anna.press("#reply-text", "Control+Enter")

    await anna.wait_for_selector(".bub.out >> text=An answer")
    assert await anna.locator("#collision").count() == 0


async def seen(site: Site, number: int) -> None:
    """Wait until somebody has looked at what was new."""
    question = sa.text("SELECT unread FROM conversations WHERE id = :id")
    await until(lambda: site.server.hub.db.read(lambda c: c.execute(question, {"id": number}).scalar() == 0))


#: What the page shows, without what belongs to this very look at it: how long somebody waits goes by the clock of the page.
SHOWN = """() => {
    const words = n => n.textContent.replace(/\\s+/g, ' ').trim()
    const rows = [...document.querySelectorAll('#rows > li')].map(n => [n.id, words(n).replace(/for \\d+ min$/, '')])
    const items = [...document.querySelectorAll('.tl .li')].map(n => [n.id, words(n)])
    return { rows, items, counts: document.querySelector('#views').innerText, head: document.querySelector('#head').innerText }
}"""


async def happen(site: Site, number: int, some: int, key: str) -> None:
    """So many things, of different kinds."""
    anna = await site.server.hub.db.read(actor, site.people["anna"])
    await site.say(f"{key} from the customer")
    await site.say(f"{key} from another", key, f"Other {key}")

    def work(conn: Any) -> None:
        for n in range(some - 6):
            outbox.note(conn, anna, number, f"{key} {n}", f"{key}{n}")
        collaboration.set_tags(conn, anna, number, [key])

    await site.write(work)
    await answer(site, number, "jonas", f"{key} by Jonas", key)


#: (seconds that pass by the hub's clock, what happens meanwhile, does one read above the end). 700 is more than is ever told again.
GAPS = {
    "five seconds": (5, 20, True),
    "five minutes": (300, 200, True),
    "at the end": (300, 200, False),
    "past the log": (300, 700, True),
}


async def cut_off(page: Any, site: Site, number: int, some: int, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream breaks, so many things happen, so much later by the hub's clock, and then it can be opened again."""
    live = await joined(site)
    live._closed = True
    for reader in list(live.readers):
        reader.transport.abort()
    await until(lambda: not live.readers)
    began = time.time_ns()
    later = SimpleNamespace(time_ns=lambda: time.time_ns() + seconds * 10**9)
    await happen(site, number, some // 2, "gap")
    monkeypatch.setattr("hub.clock.time", later)
    await happen(site, number, some - some // 2, "more")
    live._closed = False
    assert time.time_ns() - began < 60 * 10**9
    await page.evaluate("dispatchEvent(new Event('online'))")


@pytest.mark.parametrize("gap", GAPS)
async def test_after_any_gap_the_page_is_what_a_fresh_one_would_be(
    chrome: Any,  # noqa: F811
    site: Site,
    gap: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """L1: no entry twice, none missing; what is typed and what is read stay."""
    seconds, events, above = GAPS[gap]
    number = await site.say("Hello")
    await site.write(many, number, [{"text": f"Line {n}"} for n in range(40)])
    page = await opened(chrome, site, number)
    await seen(site, number)
    await page.reload()  # the first page of a browser does not know its zone, and marks what was new
    await page.fill("#reply-text", "still writi")
    await page.eval_on_selector("#timeline", f"n => n.scrollTop = {-700 if above else 0}")
    await page.evaluate(DRAWN)
    anchor = "#" + await page.evaluate(READ)
    before = await top_of(page, anchor)

    await cut_off(page, site, number, events, seconds, monkeypatch)
    caught_up = ".bub >> text=more by Jonas" if events < 500 else ".convo[data-past]"
    await page.wait_for_selector(caught_up, timeout=20_000)
    if above:
        assert (
            abs(await top_of(page, anchor) - before) <= 2
        )  # in as many portions as it came in, each rounded to a pixel
        await page.wait_for_selector("#jumpnew:not([hidden])")
    else:
        assert abs(await page.eval_on_selector("#timeline", "n => n.scrollTop")) < 2
    if events > 500:
        assert await page.locator(".tl > .li").count() <= 300
        await page.click("#jumpnew")
        await page.wait_for_selector(".convo:not([data-past])")
    fresh = await opened(chrome, site, number)
    await fresh.reload()
    wanted = await fresh.evaluate(SHOWN)
    last = {item[0]: item[1] for item in wanted["items"]}

    async def same() -> bool:
        now = await page.evaluate(SHOWN)
        ids = [item[0] for item in now["items"]]
        shown = [[i, t] for i, t in now["items"] if i in last]
        return bool(
            len(ids) == len(set(ids))
            and shown == wanted["items"]
            and [now["rows"], now["counts"], now["head"]] == [wanted["rows"], wanted["counts"], wanted["head"]]
        )

    await until(same, 10)
    assert await page.input_value("#reply-text") == "still writi"
    assert page.complaints == []


async def test_ten_tabs_have_one_connection_and_make_one_sound(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    await site.write(_give, site.people["anna"], number)
    first = await signed_in(chrome, site)
    await first.context.add_init_script(
        "window.heard = 0; addEventListener('DOMContentLoaded', () => document.addEventListener('hub:notice', () => heard++))"
    )
    tabs = [first, *[await first.context.new_page() for _ in range(9)]]
    for tab in tabs:
        await tab.goto(f"{site.base}/inbox/mine")
        await tab.wait_for_selector(f"#c{number}")
    live = await joined(site)

    await site.say("Are you there?")
    for tab in tabs:
        await tab.bring_to_front()  # who is not looked at waits
        await tab.wait_for_selector(f"#c{number} >> text=Are you there?")

    async def heard() -> int:
        return sum([await tab.evaluate("window.heard") for tab in tabs])

    await until(lambda: heard())
    assert (len(live.readers), await heard()) == (1, 1)
    before = await first.evaluate("window.heard")
    for tab in tabs[1:]:
        await tab.close()
    await site.say("Still?")
    await until(lambda: heard_by(first, before + 1))


async def heard_by(tab: Any, count: int) -> bool:
    return bool(await tab.evaluate("window.heard") == count)


def _give(conn: Any, anna: int, number: int) -> None:
    boss = actor(conn, anna)
    assert boss is not None
    collaboration.assign(conn, boss, number, anna, None)


@pytest.mark.parametrize("missing", ["SharedWorker", "SharedWorker, navigator.locks"])
async def test_without_a_shared_worker_one_tab_leads_and_another_takes_over(
    chrome: Any,  # noqa: F811
    site: Site,
    missing: str,
) -> None:
    number = await site.say("Hello")
    one = await signed_in(chrome, site)
    script = "delete window.SharedWorker;"
    if "locks" in missing:
        script += "Object.defineProperty(navigator, 'locks', { value: undefined });"
    await one.context.add_init_script(script)
    two = await one.context.new_page()
    for tab in (one, two):
        await tab.goto(f"{site.base}/inbox/all")
        await tab.wait_for_selector(f"#c{number}")
    live = await joined(site, 2 if "locks" in missing else 1)
    await site.say("Heard by both")
    for tab in (one, two):
        await tab.wait_for_selector(f"#c{number} >> text=Heard by both")

    await one.close()
    await until(lambda: len(live.readers) == 1)
    await site.say("Heard by the other")

    await two.wait_for_selector(f"#c{number} >> text=Heard by the other")


async def test_the_bar_says_since_when_and_how_much_came(chrome: Any, site: Site, monkeypatch: Any) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await opened(chrome, site, number)
    live = await joined(site)
    monkeypatch.setattr("hub.web.live.MOST_STREAMS", 0)
    for reader in list(live.readers):
        reader.transport.abort()
    await until(lambda: not live.readers)
    await page.wait_for_selector("#connection >> text=Offline since", timeout=10_000)
    assert "Next try in" in await page.inner_text("#connection")
    await site.say("Said meanwhile")
    monkeypatch.undo()
    await page.click("#connection [data-now]")

    await page.wait_for_selector("#connection >> text=Back online, 1 new item")
    await page.wait_for_selector(".bub >> text=Said meanwhile")
    await page.wait_for_selector("#connection", state="hidden")
    assert page.complaints == []


async def test_a_new_version_is_offered_and_never_forced(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await opened(chrome, site, number)
    live = await joined(site)
    assert await page.locator("#version").is_hidden()
    live.version = "another"
    for reader in list(live.readers):
        reader.transport.abort()

    await page.wait_for_selector("#version:not([hidden]) >> text=Reload")
    await page.fill("#reply-text", "still here")
    assert await page.input_value("#reply-text") == "still here"
