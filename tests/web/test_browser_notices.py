"""Title, icon, sounds and notices on the desktop; the settings of notifications; and no barrier in any of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub import outbox
from hub.accounts import actor
from hub.outbox import Draft
from tests.fakes import lacking, until
from tests.web.conftest import Site, running
from tests.web.test_browser import (  # noqa: F401 - fixtures
    barriers,
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
)
from tests.web.test_live import joined
from tests.web.test_notices import give

#: Remembers sounds and notices instead of making them; the test says whether the browser lets it.
PRETENDED = """
window.played = 0; window.shown = []; window.badge = null; window.allowed = true;
class Param { setValueAtTime() {} linearRampToValueAtTime() {} exponentialRampToValueAtTime() {} }
class Voice { constructor() { this.frequency = new Param(); this.gain = new Param(); }
  connect(to) { return to } start() { window.played++ } stop() {} }
window.AudioContext = class { constructor() { this.currentTime = 0; this.destination = new Voice() }
  get state() { return window.allowed ? 'running' : 'suspended' }
  resume() { return window.allowed ? Promise.resolve() : new Promise(() => {}) }
  createOscillator() { return new Voice() } createGain() { return new Voice() } };
window.Notification = class { constructor(title, more) { window.shown.push([title, more.body, more.tag]) } close() {} };
window.Notification.permission = 'granted';
window.Notification.requestPermission = () => { window.asked = true; return Promise.resolve('granted') };
navigator.setAppBadge = n => { window.badge = n; return Promise.resolve() };
navigator.clearAppBadge = () => { window.badge = 0; return Promise.resolve() };
document.hasFocus = () => !window.elsewhere;
"""


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server of each test's own."""
    async with running(settings(), monkeypatch) as here:
        yield here


async def pretending(chrome: Any, site: Site, path: str, who: str = "anna") -> Any:  # noqa: F811
    page = await signed_in(chrome, site, who)
    await page.context.add_init_script(PRETENDED)
    await page.goto(site.base + path)
    return page


async def becomes(page: Any, expression: str, wanted: Any) -> None:
    async def there() -> bool:
        return bool(await page.evaluate(expression) == wanted)

    await until(there)


async def test_the_number_stands_in_title_icon_and_badge_and_goes_by_the_act(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("First")
    await give(site, number, "anna", "anna")
    one, two = (
        await pretending(chrome, site, "/inbox/mine"),
        await pretending(chrome, site, "/me"),
    )
    for page in (one, two):
        await becomes(page, "[document.title.slice(0, 4), window.badge]", ["(1) ", 1])
    icon = await one.evaluate("document.querySelector('link[rel=icon]').href")

    await one.click("#rows .it")

    for page in (one, two):
        await becomes(page, "[document.title.startsWith('('), window.badge]", [False, 0])
    assert await one.evaluate("document.querySelector('link[rel=icon]').href") != icon
    assert one.complaints + two.complaints == []


async def test_news_ring_and_show_on_the_desktop_unless_it_is_in_front(chrome: Any, site: Site) -> None:  # noqa: F811
    number, other = await site.say("One"), await site.say("Two", "other", "Henrik")
    for each in (number, other):
        await give(site, each, "anna", "anna")
    page = await pretending(chrome, site, f"/c/{other}")
    await joined(site)

    await site.say("In front is another one")
    await becomes(page, "window.played", 2)
    assert await page.evaluate("window.shown") == []
    await page.evaluate("window.elsewhere = true; dispatchEvent(new Event('blur'))")
    await site.say("Nobody looks")
    await becomes(page, "window.shown", [["Katrin Vogel", "Nobody looks", f"/c/{number}"]])
    assert await page.evaluate("[window.played, window.asked]") == [4, None]


async def test_a_sound_that_is_blocked_is_shown_at_the_bell_and_the_card_turns_it_on(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("One")
    await give(site, number, "anna", "anna")
    page = await pretending(chrome, site, "/inbox/mine")
    await joined(site)
    await page.evaluate("window.allowed = false")
    await page.wait_for_selector("#sound-card:visible")
    await site.say("Hear, hear")
    await page.wait_for_selector("#bell.muted[title*='no sound']")

    await page.evaluate("window.allowed = true")
    await page.click("text=Turn on sound")

    await page.wait_for_selector("#bell:not(.muted)")
    await page.wait_for_selector("#sound-card", state="hidden")
    assert await page.evaluate("window.played") > 0
    await page.reload()
    await page.wait_for_selector("#bell")
    assert await page.is_hidden("#sound-card")


async def test_everything_can_be_tried_out_and_nobody_is_asked_on_loading(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await pretending(chrome, site, "/settings/notifications")
    await page.wait_for_selector("[data-state-of=desktop] >> text=Allowed by this browser.")
    await page.click("[data-try=sound]")
    await page.click("[data-try=call]")
    await page.click("[data-try=desktop]")

    await becomes(page, "window.shown.length", 1)
    assert await page.evaluate("window.played") > 8
    await page.evaluate("window.Notification.permission = 'denied'")
    await page.click("[data-try=desktop]")
    await page.wait_for_selector("[data-state-of=desktop] >> text=Blocked in this browser")
    assert page.complaints == []


async def test_axe_finds_no_barrier_in_what_is_live(chrome: Any, site: Site) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    script, said = Axe().axe_script, []
    number = await site.say("Hello")
    anna = await signed_in(chrome, site)
    await anna.goto(f"{site.base}/c/{number}")
    jonas = await signed_in(chrome, site, "jonas")
    await jonas.goto(f"{site.base}/c/{number}")
    await jonas.type("#reply-text", "Ich sehe den Fehler")
    await anna.wait_for_selector("#replying:visible")
    await anna.click("[data-peek]")
    await anna.wait_for_selector("#peek >> text=Fehler")
    said += await barriers(script, anna, "a colleague is replying")
    await anna.fill("#reply-text", "Mine")
    person = await site.server.hub.db.read(actor, site.people["jonas"])
    await site.write(outbox.reply, person, site.server.hub.channels, 0, number, Draft("I was faster", "1"))
    await anna.wait_for_selector("#collision")
    await anna.evaluate(
        "for (const id of ['#connection', '#version', '#again', '#sound-card']) document.querySelector(id).hidden = false;"
        "document.querySelector('#connection [data-words]').textContent = document.querySelector('#connection').dataset.offline;"
        "document.querySelector('#connection [data-now]').hidden = false"
    )
    said += await barriers(script, anna, "a collision without connection")
    await anna.goto(f"{site.base}/settings/notifications")
    said += await barriers(script, anna, "/settings/notifications")

    assert said == []


async def test_web_push_shows_what_came_and_opens_it(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("One")
    page = await signed_in(chrome, site)
    await page.context.grant_permissions(["notifications"], origin=site.base)
    await page.goto(f"{site.base}/settings/notifications")
    devtools = await page.context.new_cdp_session(page)
    found: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: found.extend(r["registrationId"] for r in said["registrations"]),
    )
    await devtools.send("ServiceWorker.enable")
    await page.evaluate(
        "navigator.serviceWorker.register('/push.js', { scope: '/' }).then(() => navigator.serviceWorker.ready).then(() => 1)"
    )
    await until(lambda: bool(found))
    said = {"title": "Katrin Vogel", "text": "Are you there?", "tag": f"c{number}", "path": f"/c/{number}", "n": 2}
    wanted = {"origin": site.base, "registrationId": found[-1], "data": json.dumps(said)}
    await devtools.send("ServiceWorker.deliverPushMessage", wanted)
    shown = (
        "navigator.serviceWorker.ready.then(r => r.getNotifications())"
        ".then(all => all.map(n => [n.title, n.body, n.tag, n.data.path]))"
    )

    await becomes(page, shown, [["Katrin Vogel", "Are you there?", f"c{number}", f"/c/{number}"]])
    assert page.complaints == []


async def test_ten_tabs_play_one_sound(chrome: Any, site: Site) -> None:  # noqa: F811
    """L6: a sound has two voices, in whichever tab it is made."""
    number = await site.say("One")
    await give(site, number, "anna", "anna")
    first = await pretending(chrome, site, "/inbox/mine")
    tabs = [first, *[await first.context.new_page() for _ in range(9)]]
    for tab in tabs[1:]:
        await tab.goto(f"{site.base}/inbox/mine")
    await joined(site)

    await site.say("Are you there?")
    for tab in tabs:
        await tab.bring_to_front()  # who is not looked at waits
        await tab.wait_for_selector(f"#c{number} >> text=Are you there?")

    async def played() -> int:
        return sum([await tab.evaluate("window.played") for tab in tabs])

    await until(played)
    assert await played() == 2
