"""Every action of the table of keys, done by its key alone: what it does is seen, a held key does nothing more, the focus is never lost.

Acceptance K1, K4, K5, K6.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from playwright.async_api import Error

from hub.web import keys
from tests.fakes import until
from tests.web.conftest import Site
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in, site, taken, until_true  # noqa: F401
from tests.web.test_recipients import mailbox


class Act(NamedTuple):
    """After the keys of ``first`` (and with the focus on ``at``), the action's own key makes ``then`` true, which was false."""

    then: str
    first: str = ""
    at: str = ""


def opened(which: str) -> str:
    return f"document.querySelector('[data-conversation]')?.dataset.conversation === '{{{which}}}'"


def focus(selector: str) -> str:
    return f"document.activeElement.matches({selector!r})"


def address(path: str) -> str:
    return f"(location.pathname + location.search).startsWith('{path}')"


START = "/c/{middle}?in=all&sort=newest"
#: These load a page, where the focus begins at its beginning.
LEAVES = {"new", "history", *(b.id for b in keys.table() if b.id.startswith("go_"))}
#: What needs a mail is tried where there are mails.
ELSEWHERE = {"forward"}
ACTS = {
    "palette": Act("document.querySelector('#palette').open"),
    "search": Act(focus(".jump input")),
    "help": Act("document.querySelector('#help').open"),
    "next": Act(opened("older")),
    "previous": Act(opened("newer")),
    "open": Act(opened("newer") + " && document.activeElement.tagName === 'H1'", at="#c{newer} a"),
    "leave": Act(focus("#timeline"), at="#reply-text"),
    "select": Act("document.querySelectorAll('.pick:checked').length === 1"),
    "select_next": Act("document.querySelectorAll('.pick:checked').length === 2"),
    "select_previous": Act("document.querySelectorAll('.pick:checked').length === 2"),
    "select_all": Act(
        "document.querySelectorAll('.pick:checked').length === document.querySelectorAll('.pick').length"
    ),
    "unread": Act("!!document.querySelector('#c{middle} a.un') && " + address("/inbox/all")),
    "new": Act(address("/new")),
    "undo": Act(opened("middle"), first="e"),
    "apply": Act("document.querySelector('#rows > li').id === 'c{older}'", first="changed"),
    "focus_list": Act(focus("#c{middle} a"), at="#timeline"),
    "focus_timeline": Act(focus("#timeline")),
    "focus_composer": Act(focus("#reply-text")),
    "focus_customer": Act("!!document.activeElement.closest('#cust')"),
    "go_mine": Act(address("/inbox/mine")),
    "go_unassigned": Act(address("/inbox/unassigned")),
    "go_all": Act(address("/inbox/all")),
    "go_drafts": Act(address("/inbox/drafts")),
    "go_snoozed": Act(address("/inbox/snoozed")),
    "go_customers": Act(address("/customers")),
    "go_live": Act(address("/live")),
    "go_settings": Act(address("/settings/")),
    "sidebar": Act("!document.querySelector('#side').checkVisibility()"),
    "reply": Act(focus("#reply-text"), first="m Escape"),
    "note": Act(focus("#note-text")),
    "forward": Act(f"{focus('[name=to]')} && document.querySelector('[name=how]').value === 'forward'"),
    "via": Act("document.querySelector('.viabox').open"),
    "item_next": Act(
        "document.activeElement.closest('.li') === [...document.querySelectorAll('#timeline .li')].at(-1)"
    ),
    "item_previous": Act("!!document.activeElement.closest('#timeline .li')"),
    "theirs_next": Act("!!document.activeElement.closest('#timeline .li')"),
    "theirs_previous": Act("!!document.activeElement.closest('#timeline .li')"),
    "close": Act(opened("older")),
    "snooze": Act("!!document.querySelector('[data-snooze][open]')?.contains(document.activeElement)"),
    "assign": Act("!!document.querySelector('.whybox details[open]')?.contains(document.activeElement)"),
    "take": Act("/Anna/.test(document.querySelector('.sub summary').innerText)"),
    "status": Act("document.querySelector('[data-act=status]').parentElement.open"),
    "tags": Act("!!document.querySelector('[data-tags][open]')?.contains(document.activeElement)"),
    "history": Act("/history=all/.test(location.search)"),
    "panel": Act("!document.querySelector('#cust').checkVisibility()"),
    "copy": Act("/link/i.test(document.querySelector('#toast').innerText)"),
    "send": Act("[...document.querySelectorAll('.bub.out')].some(b => b.innerText.includes('typed'))", "r typed"),
    "send_close": Act(
        "!document.querySelector('#c{middle}') || /Open again/.test(document.querySelector('#head').innerText)",
        "r typed",
    ),
}


async def three(site: Site, case: str, early: bool) -> dict[str, int]:  # noqa: F811
    """Conversations of three customers nobody knows yet, the middle one maybe with an ``early`` chapter."""
    if early:
        await site.write(_shut, await site.say("Long ago", f"{case}1", f"Customer {case}", subject="Earlier"))
    numbers = [await site.say(f"About {n}", f"{case}{n}", f"Customer {case}", subject=f"Matter {n}") for n in range(3)]
    return dict(zip(("older", "middle", "newer"), numbers, strict=True))


def _shut(conn: Any, number: int) -> None:
    conn.execute(
        sa.text("UPDATE conversations SET status = 'closed', waiting_since = NULL WHERE id = :n"), {"n": number}
    )


async def worker(chrome: Any, site: Site) -> Any:  # noqa: F811
    """Somebody who may copy."""
    page = await signed_in(chrome, site)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return page


async def begin(page: Any, site: Site, act: Act, names: dict[str, int], case: str) -> None:  # noqa: F811
    """Go where the action starts and do what has to be done before."""
    await page.mouse.move(900, 500)
    await page.goto(site.base + START.format(**names))
    await page.wait_for_selector(f"[data-conversation='{names['middle']}']")
    await until_true(page, "document.documentElement.dataset.js !== undefined")
    await page.evaluate(
        "localStorage.clear(), delete document.documentElement.dataset.side, delete document.documentElement.dataset.panel"
    )
    await page.focus((act.at or "#c{middle} a").format(**names))
    for key in act.first.split():
        if key == "typed":
            await page.keyboard.type(key)
        elif key == "changed":
            await page.hover(f"#c{names['newer']} a")
            await site.say("Once more", f"{case}0")
            await page.wait_for_selector("#updates:not([hidden])")
        else:
            await page.keyboard.press(key)
            if key == "e":
                await page.wait_for_selector(f"[data-conversation='{names['older']}']")
                await page.wait_for_selector("#toast [data-act=undo]")


def strokes(key: str) -> list[str]:
    """As Playwright spells it: "g m" are two, "mod" is Ctrl."""
    return [part.replace("mod", "Control") for part in key.split(" ")]


async def true(page: Any, expression: str) -> bool:
    """Is it? Not while a page is being loaded."""
    try:
        return bool(await page.evaluate(expression))
    except Error as error:
        if "navigation" not in str(error) and "null" not in str(error):
            raise
        return False


async def done(page: Any, site: Site, b: keys.Binding, key: str, case: str) -> list[str]:  # noqa: F811
    """Do it by the key; what went wrong."""
    act, names = ACTS[b.id], await three(site, case, b.id == "history")
    if b.id == "forward":
        names["middle"] = await mailbox(site)
    await begin(page, site, act, names, case)
    then = act.then.format(**names)
    if await true(page, then):
        return [f"{b.id}: was so before"]
    for stroke in strokes(key):
        await page.keyboard.press(stroke)
    try:
        await until(lambda: true(page, then), 10)
    except pytest.fail.Exception:
        return [f"{b.id} by {key}: nothing happened"]
    stays = b.id not in LEAVES
    return (
        [f"{b.id}: the focus is lost"]
        if stays and not await true(page, "document.activeElement !== document.body")
        else []
    )


@pytest.mark.usefixtures("taken")
async def test_every_action_is_done_by_its_key_and_leaves_the_focus_somewhere(chrome: Any, site: Site) -> None:  # noqa: F811
    """K1, K6."""
    assert {b.id for b in keys.table() if b.keys} == set(ACTS) | ELSEWHERE
    page, said = await worker(chrome, site), []

    for place, (b, key) in enumerate((one, key) for one in keys.table() if one.id in ACTS for key in one.keys):
        said += await done(page, site, b, key, f"k{place}")

    assert not said, "\n".join(said)
    assert page.complaints == []


#: A German, French or Polish keyboard makes these with AltGr, which is Ctrl and Alt on Windows, a key of its own on Linux, and Option
#: on a Mac; an American one has some without. (layout, what is typed, where the key lies, has it Shift only)
LAYOUTS = [
    ("US", "@", "Digit2", True), ("US", "{", "BracketLeft", True), ("US", "[", "BracketLeft", None),
    ("DE", "@", "KeyQ", False), ("DE", "€", "KeyE", False), ("DE", "{", "Digit7", False), ("DE", "[", "Digit8", False),
    ("FR", "@", "Digit0", False), ("FR", "€", "KeyE", False), ("FR", "{", "Digit4", False), ("FR", "[", "Digit5", False),
    ("PL", "ł", "KeyL", False), ("PL", "ą", "KeyA", False), ("PL", "ę", "KeyE", False), ("PL", "€", "KeyU", False),
    ("PL", "@", "Digit2", True), ("PL", "{", "BracketLeft", True), ("PL", "[", "BracketLeft", None),
]  # fmt: skip
ALT, CTRL, SHIFT = 1, 2, 8
SYSTEMS = {"Windows": ALT | CTRL, "Linux": 0, "Mac": ALT}
#: What stands there, where one is, what is open and chosen; but not what is typed, its draft's state and what time it is.
STANDS = """() => { const app = document.querySelector('.app').cloneNode(true), all = s => [...document.querySelectorAll(s)]
  for (const n of app.querySelectorAll('.side, textarea, [data-state], .mirror, .pv, time, kbd, .chip, .pillc, .vh, .fresh')) n.remove()
  return [location.href, app.textContent.replace(/\\s+/g, ' '), document.activeElement.id, all(':checked').map(n => n.id + n.value).join(),
    all('dialog[open], details[open], :popover-open').length, all('#side, #cust').map(n => n.checkVisibility())].join('\\n') }"""


async def stroke(client: Any, sign: str, code: str, modifiers: int, **more: Any) -> None:
    """A key as the system reports it, with the text that the layout makes of it."""
    told = {"key": sign, "code": code, "modifiers": modifiers}
    text = {} if modifiers & ~SHIFT else {"text": sign, "unmodifiedText": sign}
    await client.send("Input.dispatchKeyEvent", {"type": "keyDown" if text else "rawKeyDown", **told, **text, **more})
    if not text:
        await client.send("Input.insertText", {"text": sign})
    await client.send("Input.dispatchKeyEvent", {"type": "keyUp", **told})


@pytest.mark.parametrize("system", SYSTEMS)
async def test_what_a_layout_makes_with_altgr_is_text_and_nothing_else(chrome: Any, site: Site, system: str) -> None:  # noqa: F811
    """K4."""
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await until_true(page, "document.documentElement.dataset.js !== undefined")
    client = await page.context.new_cdp_session(page)
    await page.focus("#reply-text")
    await page.keyboard.type("a ")  # the first letter begins a draft
    await page.wait_for_selector(".f-reply [data-state]:has-text('Saved')")
    await page.wait_for_selector("#rows a.un", state="detached")
    typed, before = "a ", await page.evaluate(STANDS)

    for layout, sign, code, shift in LAYOUTS:
        modifiers = SYSTEMS[system] if shift is False else SHIFT if shift else 0
        await stroke(client, sign, code, modifiers)
        typed += sign
        assert await page.input_value("#reply-text") == typed, (layout, sign)
        assert await page.evaluate(STANDS) == before, (layout, sign)
    await page.focus("#timeline")
    before = await page.evaluate(STANDS)
    for layout, sign, code, shift in LAYOUTS:
        if shift is False:
            told = {"key": sign, "code": code, "modifiers": SYSTEMS[system]}
            await client.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **told})
            await client.send("Input.dispatchKeyEvent", {"type": "keyUp", **told})
            assert await page.evaluate(STANDS) == before, (layout, sign)

    assert page.complaints == []


def event_of(key: str) -> dict[str, Any]:
    """What a key of the table is in the browser's own words."""
    *held, name = key.split("+") if key != "+" else ["+"]
    modifiers = (CTRL if "mod" in held else 0) | (SHIFT if "Shift" in held else 0)
    return {"key": name.upper() if "Shift" in held and len(name) == 1 else name, "modifiers": modifiers}


async def test_a_key_that_is_held_does_nothing_again(chrome: Any, site: Site) -> None:  # noqa: F811
    """K5: what comes while a key is held down is marked by the browser, and no action of the table takes it."""
    names = await three(site, "h", True)
    page = await worker(chrome, site)
    await begin(page, site, Act(""), names, "h")
    client = await page.context.new_cdp_session(page)
    await page.fill("#reply-text", "typed")
    await page.wait_for_selector(".f-reply [data-state]:has-text('Saved')")
    await page.wait_for_selector("#rows a.un[aria-current]", state="detached")
    await page.wait_for_selector("#c{middle} .dr".format(**names))
    said = []

    for b in (b for b in keys.table() if b.keys):
        await page.focus("#reply-text" if b.scope == "composer" else "#timeline")
        before = await page.evaluate(STANDS)
        for key in " ".join(b.keys).split(" "):
            for _ in range(3):
                await client.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "autoRepeat": True, **event_of(key)})
            await client.send("Input.dispatchKeyEvent", {"type": "keyUp", **event_of(key)})
        now = await page.evaluate(STANDS)
        said += [f"{b.id}: {before} → {now}"] if now != before else []
    for key, times in (("j", 1), ("j", 5)):
        await page.focus("#c{newer} a".format(**names))
        await page.keyboard.press("o")
        await page.wait_for_selector("[data-conversation='{newer}']".format(**names))
        await page.focus("#c{newer} a".format(**names))
        for _ in range(times):
            await page.keyboard.down(key)
        await page.keyboard.up(key)
        await page.wait_for_selector("[data-conversation='{middle}']".format(**names))
        assert await page.evaluate("document.activeElement.closest('li').id") == f"c{names['middle']}"
    await page.focus("[data-act=assign]")
    for _ in range(4):  # Enter on a button or a menu is a key too
        await page.keyboard.down("Enter")
    await page.keyboard.up("Enter")

    assert said == []
    assert await page.evaluate("document.querySelector('[data-act=assign]').parentElement.open")
    assert page.complaints == []


async def test_arrows_scroll_where_one_reads_and_go_through_the_list_elsewhere(chrome: Any, site: Site) -> None:  # noqa: F811
    names = await three(site, "a", False)
    for n in range(30):
        await site.say(f"line {n}\n" * 4, "a1")
    page = await signed_in(chrome, site)
    await page.goto(site.base + START.format(**names))
    await page.focus("#timeline")

    await page.keyboard.press("ArrowUp")
    await until_true(page, "document.querySelector('#timeline').scrollTop < 0")
    assert await true(page, opened("middle").format(**names))
    await page.focus("#head h1")
    await page.keyboard.press("ArrowDown")
    await until_true(page, opened("newer").format(**names))
    await page.set_viewport_size({"width": 1440, "height": 400})
    await page.goto(f"{site.base}/settings/keyboard")
    await page.focus(".pane .scroll")
    await page.keyboard.press("ArrowDown")
    await until_true(page, "document.querySelector('.pane .scroll').scrollTop > 0")
