"""What a pane shows while it waits for its content: nothing, then a line, an outline, words and another try. ux.md 14.1."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fakes import until
from tests.web.conftest import Site
from tests.web.history import many
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in, site, until_true  # noqa: F401

#: What is shown in a pane of what it waits for.
SHOWN = """pane => ['.ld', '.sk', '.sk p'].flatMap(s => [...document.querySelectorAll(`${pane} ${s}`)])
  .filter(n => n.checkVisibility()).map(n => n.className || n.querySelector('span:not([hidden])').textContent)"""
WATCH = """window.givenUp = []; const ask = fetch; window.fetch = (url, more) => {
  more?.signal?.addEventListener('abort', () => givenUp.push(url)); return ask(url, more) }"""
HEARD = "document.querySelector('#said').textContent"


class Slow:
    """Requests of a page to a path are held back until `go`, while its clock stands still."""

    def __init__(self) -> None:
        self.held: list[Any] = []

    async def hold(self, route: Any) -> None:
        """Keep one request waiting."""
        self.held.append(route)

    async def go(self) -> None:
        """Let the newest request through."""
        await self.held.pop().continue_()


async def waiting(page: Any, path: str) -> Slow:
    """From now on requests to the path wait, and the clock of the page goes on only by `run_for`."""
    slow = Slow()
    await page.route(path, slow.hold)
    await page.clock.pause_at(await page.evaluate("Date.now()") + 60_000)
    return slow


async def after(page: Any, pane: str, ms: int) -> list[str]:
    """What the pane shows so many milliseconds later."""
    await page.clock.run_for(ms)
    return list(await page.evaluate(SHOWN, pane))


async def begun(chrome: Any, site: Site, path: str) -> Any:  # noqa: F811
    """A page whose clock can be held, and which knows what it has given up asking for."""
    page = await signed_in(chrome, site)
    await page.add_init_script(WATCH)
    await page.clock.install()
    await page.goto(f"{site.base}{path}")
    await until_true(page, "document.documentElement.dataset.js !== undefined")
    return page


async def test_a_conversation_that_is_slow_shows_a_line_then_its_outline_then_another_try(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
) -> None:
    first, second = [await site.say("Hello", f"c{n}", f"Customer {n}", subject=f"Matter {n}") for n in range(2)]
    page = await begun(chrome, site, f"/c/{first}?in=all")
    slow = await waiting(page, f"**/c/{second}?in=all")
    row = f"#c{second} a"
    await page.focus(row)
    await page.keyboard.press("Enter")
    await until(lambda: asyncio.sleep(0, len(slow.held) == 1))

    assert await after(page, ".convo", 149) == []
    assert await after(page, ".convo", 2) == ["ld"]
    assert await after(page, ".convo", 850) == ["ld", "sk"]
    wide, tall = "document.querySelector('.sk').offsetWidth", "document.querySelector('.sk').offsetHeight"
    assert await page.evaluate(
        f"[{wide}, {tall}].join() === [document.querySelector('.convo').clientWidth, innerHeight].join()"
    )
    assert await page.evaluate(
        "document.querySelector('.side').checkVisibility() && document.activeElement.matches('a.it')"
    )
    assert await after(page, ".convo", 9_000) == ["ld", "sk", "Still loading"]
    assert await after(page, ".convo", 3_000) == ["ld", "sk", "Still loading"]
    assert await page.evaluate(HEARD) == "Still loading"

    await page.focus(".convo > .sk button")
    await page.keyboard.press("Enter")
    await until(lambda: asyncio.sleep(0, len(slow.held) == 2))
    assert (await page.evaluate("givenUp")).count(f"/c/{second}?in=all") == 1
    assert await after(page, ".convo", 3_000) == ["ld", "sk", "Still loading"]
    await slow.go()
    await page.wait_for_selector(f"[data-conversation='{second}']")
    assert await page.evaluate(SHOWN, ".app") == []
    assert await page.evaluate(f"document.activeElement.matches('{row}, #head h1')")
    assert page.complaints == []


async def test_whoever_chooses_another_conversation_does_not_wait_for_the_first(chrome: Any, site: Site) -> None:  # noqa: F811
    first, second, third = [await site.say("Hello", f"c{n}", f"Customer {n}") for n in range(3)]
    page = await begun(chrome, site, f"/c/{first}?in=all")
    slow = await waiting(page, f"**/c/{second}?in=all")
    await page.click(f"#c{second} a")
    assert await after(page, ".convo", 1_100) == ["ld", "sk"]

    await page.click(f"#c{third} a")
    await page.wait_for_selector(f"[data-conversation='{third}']")
    assert await after(page, ".app", 20_000) == []
    await slow.go()
    assert await after(page, ".app", 1_000) == []

    assert await page.get_attribute(".convo", "data-conversation") == str(third)
    assert page.complaints == []


async def test_what_could_not_be_loaded_says_so_and_comes_with_the_connection(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await begun(chrome, site, "/inbox/all")
    slow = await waiting(page, f"**/c/{number}?in=all")
    await page.click(f"#c{number} a")
    await until(lambda: asyncio.sleep(0, len(slow.held) == 1))
    await slow.held.pop().abort()

    await until_true(page, "document.querySelector('.convo .sk p')?.checkVisibility()")
    assert await page.evaluate(SHOWN, ".convo") == ["sk", "This could not be loaded."]
    await page.evaluate("document.dispatchEvent(new CustomEvent('hub:online', { detail: {} }))")
    await until(lambda: asyncio.sleep(0, len(slow.held) == 1))
    await slow.go()

    await page.wait_for_selector(f"[data-conversation='{number}']")
    assert page.complaints == []


async def test_older_entries_stand_as_an_outline_where_they_will_be_and_nothing_that_is_read_moves(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
) -> None:
    number = await site.say("The last")
    await site.write(lambda c: many(c, number, [{"text": f"Line {n}"} for n in range(60)]))
    page = await begun(chrome, site, "/inbox/all")
    slow = await waiting(page, "**/more?**")
    await page.click(f"#c{number} a")
    await page.wait_for_selector("#older:not([hidden])")
    await page.hover("#timeline")
    await page.mouse.wheel(0, -9_000)
    await until(lambda: asyncio.sleep(0, bool(slow.held)))
    top = "document.querySelector('.tl > .li').getBoundingClientRect().top"
    await until_true(page, f"{top} > 0")
    was = await page.evaluate(top)

    assert await after(page, ".convo", 1_100) == ["ld", "sk"]
    assert await page.evaluate("document.querySelector('#older').previousElementSibling.className") == "sk"
    assert abs(await page.evaluate(top) - was) <= 1
    await slow.go()
    await until_true(page, "document.querySelectorAll('.tl > .li').length > 50")
    assert await page.evaluate(SHOWN, ".app") == []
    assert page.complaints == []
