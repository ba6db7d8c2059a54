"""Screens as some people have them: without motion, in colours of the system, enlarged four times. Acceptance X5, X7."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import Site
from tests.web.test_browser import HEIGHT, chrome, database_kind, one_browser, pytestmark, signed_in, site, until_true  # noqa: F401
from tests.web.test_browser_screens import furnished

#: Counts in every frame what moves.
WATCH = """() => { window.moved = []; const look = () => {
  for (const a of document.getAnimations()) if (a.playState === 'running') moved.push(a.animationName || a.transitionProperty)
  requestAnimationFrame(look) }; look() }"""


async def lively(page: Any, site: Site, number: int) -> list[str]:  # noqa: F811
    """Somebody works for a while; what moved meanwhile."""
    await page.goto(f"{site.base}/c/{number}?in=all")
    await until_true(page, "document.documentElement.dataset.js !== undefined")
    await page.evaluate(WATCH)
    await site.say("Something new")
    await page.wait_for_selector(".bub >> text=Something new")
    await page.hover("#head [data-act=close]")
    await page.click("#head [data-tags] summary")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    typing = "n => document.dispatchEvent(new CustomEvent('hub:typing', { detail: { conversation: n, name: 'K' } }))"
    await page.evaluate(typing, str(number))
    await page.wait_for_selector("#typing")
    await page.evaluate(
        "document.querySelector('.convo').append(document.querySelector('#loading').content.cloneNode(true))"
    )
    await page.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    return list(await page.evaluate("[...new Set(moved)]"))


async def test_without_motion_nothing_moves(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site)

    assert {"in", "bl"} <= set(await lively(page, site, number))
    await page.emulate_media(reduced_motion="reduce")
    assert await lively(page, site, number) == []
    assert page.complaints == []


#: What cannot be told from its ground in the colours of the system: words, and marks that say something by their colour.
UNSEEN = """() => {
  const rgb = c => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number), said = new Set()
  const ground = n => {
    for (; n; n = n.parentElement) { const c = rgb(getComputedStyle(n).backgroundColor); if (c.length < 4 || c[3] > 0) return c }
    return [255, 255, 255]
  }
  const light = ([r, g, b]) => [.2126 * r, .7152 * g, .0722 * b].reduce((a, c) => a + c) / 255
  const near = (a, b) => Math.abs(light(a) - light(b)) < .2
  const text = n => (n.textContent || n.title || '').trim().slice(0, 30)
  const name = n => `${n.tagName.toLowerCase()}.${n.className.baseVal ?? n.className} “${text(n)}”`
  const painted = n => { for (; n; n = n.parentElement) if (getComputedStyle(n).backgroundImage !== 'none') return true }
  for (const n of document.querySelectorAll('body *')) {
    if (!n.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) || painted(n) || n.closest('.vh, iframe')) continue
    const style = getComputedStyle(n), words = [...n.childNodes].some(c => c.nodeType === 3 && c.data.trim())
    if ((words || n.matches('svg.i')) && near(rgb(style.color), ground(n))) said.add(`words: ${name(n)}`)
    const marks = [[n, '.dot, .pillc, .meter', ''], [n, '.it[aria-current]', '::after'], [n, '.it.un', '::before'], [n, '.tl', '::before']]
    for (const [el, which, part] of marks) {
      if (!el.matches(which)) continue
      if (near(rgb(getComputedStyle(el, part).backgroundColor), ground(el.parentElement))) said.add(`mark: ${name(el)}${part}`)
    }
  }
  const pairs = ['.nav a', '.tabs a'].map(a => [`${a}[aria-current]`, `${a}:not([aria-current])`])
  pairs.push(['.modes label:has(:checked)', '.modes label:not(:has(:checked))'])
  pairs.push(['#palette [aria-selected=true]', '#palette [aria-selected=false]'])
  const KINDS = ['backgroundColor', 'outlineStyle', 'borderBlockEndColor', 'borderBlockEndStyle', 'textDecorationLine']
  for (const [which, plain] of pairs) {
    const on = document.querySelector(which), off = document.querySelector(plain)
    const looks = n => KINDS.map(k => getComputedStyle(n)[k]).join()
    if (on && off && looks(on) === looks(off)) said.add(`chosen: ${which}`)
  }
  return [...said]
}"""


async def test_in_the_colours_of_the_system_everything_is_still_there(chrome: Any, site: Site) -> None:  # noqa: F811
    await furnished(site)
    page = await signed_in(chrome, site)
    said = []
    number = await site.say("Hello", "somebody", "Some Body")

    for scheme in ("light", "dark"):
        await page.emulate_media(forced_colors="active", color_scheme=scheme, reduced_motion="reduce")
        for path in ("/inbox/all", f"/c/{number}?in=all", "/live", "/customers", "/settings/people", "/settings/sla"):
            await page.goto(site.base + path)
            await until_true(page, "document.documentElement.dataset.js !== undefined")
            if path.startswith("/c/"):
                await page.keyboard.press("Control+k")
            said += [f"{scheme} {path}: {fault}" for fault in await page.evaluate(UNSEEN)]

    assert not said, "\n".join(sorted(set(said)))
    assert page.complaints == []


#: What can be done on a screen, menus and drawers unfolded: buttons by their names, fields by theirs, links by where they lead.
DONE = """() => {
  for (const d of document.querySelectorAll('details')) d.open = true
  const drawer = document.querySelector('#cust'); if (drawer && !drawer.checkVisibility()) drawer.showPopover()
  const words = n => (n.getAttribute('aria-label') || n.textContent || n.title || n.name || '').replace(/\\s+/g, ' ').trim()
  const seen = n => n.checkVisibility({ checkVisibilityCSS: true }) || n.closest('label')?.checkVisibility()
  const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
  return all.filter(seen).map(n => {
    const kbd = n.cloneNode(true)
    for (const k of kbd.querySelectorAll('kbd, .count, .pillc, time')) k.remove()
    if (n.matches('a')) return 'to ' + new URL(n.href).pathname
    return n.matches('input,select') ? n.tagName + ' ' + n.name : words(kbd)
  })
}"""


#: What is done in another way there, and how.
ELSEWHERE = {
    "Do anything: the palette ( Ctrl K )": "by its key; what it does has buttons",
    "What are you doing?available": "/me has a button for each",
    "Turn on sound": "/settings/notifications",
    "to /tasks": "/me",
    "No": "/settings/notifications",
}


async def test_enlarged_four_times_nothing_is_lost(chrome: Any, site: Site) -> None:  # noqa: F811
    """400 % of 1280 pixels are 320: what one can do on a wide screen one can do there, here or one step away."""
    number = await site.say("Hello", subject="A matter")
    page = await signed_in(chrome, site)
    await page.set_viewport_size({"width": 1440, "height": HEIGHT})
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.wait_for_selector("#rows a")
    wide = set(await page.evaluate(DONE))
    await page.set_viewport_size({"width": 320, "height": 256})
    narrow: set[str] = set()
    for path in (f"/c/{number}?in=all", "/inbox/all", "/me", "/settings/people", "/search", "/settings/notifications"):
        await page.goto(site.base + path)
        await until_true(page, "document.documentElement.dataset.js !== undefined")
        narrow |= set(await page.evaluate(DONE))

    assert len(wide) > 60
    assert wide - narrow - set(ELSEWHERE) == set()
    assert page.complaints == []
