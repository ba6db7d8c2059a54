"""The focus on its way through the screens: where one sees it, it comes in the order of reading, it is never covered and never caught.

Acceptance K6 and X2; WCAG 2.4.3, 2.4.7, 2.4.11, 2.1.2.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.web.conftest import Site
from tests.web.test_browser import HEIGHT, chrome, database_kind, one_browser, pytestmark, signed_in, site, until_true  # noqa: F401

#: More stops than that on one screen, and the focus goes in circles.
MOST = 160
#: The stop one is at: who it is, where it stands, and which of its points something else covers. What hides behind its label is the label.
STOP = """() => {
  const at = document.activeElement
  if (!at || at === document.body) return null
  const label = at.closest('label') || (at.id && document.querySelector(`label[for="${at.id}"]`))
  const small = n => { const b = n.getBoundingClientRect(); return b.width < 3 || b.height < 3 || getComputedStyle(n).opacity === '0' }
  const el = small(at) && label ? label : at, box = el.getBoundingClientRect()
  const words = (at.getAttribute('aria-label') || at.innerText || at.title || at.name || at.id || '').trim().slice(0, 40)
  // what parts two panes stands beside both
  const region = at.matches('[role=separator]') ? at
    : at.closest('#toast, .side, .list, #head, #timeline, #beside, #composer, #cust, .tabbar, main, body')
  const within = (from, length, part, most) => Math.min(Math.max(from + 1 + (length - 2) * part, 1), most - 2)
  const covered = [[.5, .5], [.5, 0], [.5, 1], [0, .5], [1, .5]].filter(([x, y]) => {
    const top = document.elementFromPoint(within(box.left, box.width, x, innerWidth), within(box.top, box.height, y, innerHeight))
    return !top || !(el.contains(top) || top.contains(el) || label?.contains(top))
  })
  const out = box.bottom < 1 || box.top > innerHeight - 1 || box.right < 1 || box.left > innerWidth - 1
  let scroll = 0
  for (let n = at; n; n = n.parentElement) scroll += Math.abs(n.scrollTop) + Math.abs(n.scrollLeft)
  return { scroll, name: `${at.tagName.toLowerCase()}.${at.className} “${words}”`, kind: at.tagName + at.className.replace(/h\\d+/, ''),
    region: region.id || region.className || region.tagName,
    top: box.top, bottom: box.bottom, left: box.left, right: box.right,
    covered: covered.length, out, inside: !!at.closest('iframe') || at.matches('iframe') }
}"""
CLIP = 8


async def stops(page: Any, seen: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Every stop from the beginning of the page to its end, and what is wrong with it."""
    found: list[dict[str, Any]] = []
    said: list[str] = []
    await page.evaluate("document.activeElement.blur(), getSelection().setPosition(document.body, 0)")
    for _ in range(MOST):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(STOP)
        if stop is None:
            return found, said
        if stop["inside"]:
            continue
        found.append(stop)
        said += [f"{stop['name']} is out of sight"] if stop["out"] else []
        said += [f"{stop['name']} is covered"] if stop["covered"] and not stop["out"] else []
        if stop["kind"] not in seen and not stop["out"]:
            seen.add(stop["kind"])
            said += await unseen(page, stop)
    return found, [*said, "the focus goes in circles"]


async def unseen(page: Any, stop: dict[str, Any]) -> list[str]:
    """Does the screen look the same with and without the focus?"""
    view = page.viewport_size
    left, top = max(0, stop["left"] - CLIP), max(0, stop["top"] - CLIP)
    right, bottom = min(view["width"], stop["right"] + CLIP), min(view["height"], stop["bottom"] + CLIP)
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    held = await page.evaluate_handle("document.activeElement")
    with_it = await page.screenshot(clip=clip, animations="disabled", caret="hide")
    await held.evaluate("n => n.blur()")
    without = await page.screenshot(clip=clip, animations="disabled", caret="hide")
    await held.evaluate("n => n.focus({ preventScroll: true, focusVisible: true })")
    return [f"{stop['name']}: one does not see that it has the focus"] if with_it == without else []


def disorder(found: list[dict[str, Any]]) -> list[str]:
    """Where the focus jumps back within a part of the screen: up, or to the left in the same line."""
    said = []
    for one, next_ in itertools.pairwise(found):
        if one["region"] != next_["region"] or one["scroll"] != next_["scroll"]:
            continue
        above = next_["bottom"] <= one["top"] + 1
        before = (
            next_["right"] <= one["left"] + 1 and next_["top"] < one["bottom"] - 1 and one["top"] < next_["bottom"] - 1
        )
        said += [f"{one['name']} → {next_['name']} goes back"] if above or before else []
    return said


async def screens(site: Site) -> list[str]:  # noqa: F811
    number = await site.say("Hello", subject="A matter", attachments=[{"name": "a.txt", "content_base64": "YQ=="}])
    await site.say("Me too", "other", "Other One")
    customer = await site.server.hub.db.read(_customer, number)
    return [
        f"/c/{number}?in=all",
        "/inbox/all",
        f"/customers/{customer}",
        "/settings/notifications",
        "/settings/people",
    ]


def _customer(conn: Any, number: int) -> int:
    import sqlalchemy as sa

    return int(conn.execute(sa.text("SELECT customer_id FROM conversations WHERE id = :n"), {"n": number}).scalar())


@pytest.mark.parametrize("width", [1440, 390])
async def test_the_focus_goes_as_one_reads_is_seen_everywhere_and_comes_out_again(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
    width: int,
) -> None:
    paths = await screens(site)
    page = await signed_in(chrome, site)
    await page.set_viewport_size({"width": width, "height": HEIGHT})
    await page.emulate_media(reduced_motion="reduce")
    said: list[str] = []
    seen: set[str] = set()

    for path in paths:
        await page.goto(site.base + path)
        await until_true(page, "document.documentElement.dataset.js !== undefined")
        found, wrong = await stops(page, seen)
        assert len(found) > 5, path
        said += [f"{path}, {width}: {w}" for w in [*wrong, *disorder(found)]]

    assert not said, "\n".join(said)
    assert page.complaints == []
