"""Finding every screen, and what is asked of each one in a browser."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tests.web.conftest import Browser, Page, Site

#: No screens: parts, files, things for programs, and the way out.
NO_SCREEN = re.compile(
    r"^/(static|api|w|stream|attachments|messages|metrics|healthz|readyz|logout|webhooks|palette)(/|$)|/rows$|/figures$"
)
#: So many screens at most are looked for; more means that the crawl goes in circles.
MOST = 120


def shape(path: str) -> str:
    """What kind of screen an address is: numbers and names of teams do not count."""
    path = re.sub(r"/\d+(?=/|$)", "/#", path)
    return re.sub(r"^/inbox/team/.*", "/inbox/team/*", path)


def without_parameters(app: web.Application) -> Iterator[str]:
    """Addresses of screens that need no number."""
    for route in app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if route.method == "GET" and "{" not in path and not NO_SCREEN.search(path) and not path.endswith("/"):
            yield path


async def crawl(site: Site, browser: Browser) -> dict[str, Page]:
    """Every screen the links lead to, once for each shape, by address."""
    found: dict[str, Page] = {}
    known: set[str] = set()
    queue = ["/inbox/all", "/inbox/mine", *sorted(set(without_parameters(site.server.app)))]
    while queue:
        path = queue.pop(0)
        bare = urlsplit(path).path
        if shape(bare) in known or NO_SCREEN.search(bare):
            continue
        known.add(shape(bare))
        page = await browser.get(path)
        final = urlsplit(page.url).path
        if final != bare and shape(final) in known:
            continue
        known.add(shape(final))
        if page.status == 200 and page.text.lstrip().lower().startswith("<!doctype"):
            found[path if final == bare else final] = page
            links = (a.attributes.get("href") or "" for a in page.all("a[href]"))
            queue += [link for link in links if link.startswith("/") and not link.startswith("//")]
        assert len(found) < MOST, sorted(found)
    return found


#: What a screen must not have; a sentence for each. ``least`` is how large a target must be (CSS pixels).
FAULTS = """
(least) => {
  const said = []
  const words = el => (el.innerText || el.getAttribute('aria-label') || el.title || el.name || '').trim().slice(0, 40)
  const name = el => `${el.tagName.toLowerCase()}.${el.className} “${words(el)}”`
  const seen = el => el.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !el.closest('.vh')
  const wide = document.documentElement.scrollWidth
  if (wide > innerWidth) said.push(`is ${wide} wide`)
  for (const el of document.querySelectorAll('.btn, .chip, .tabs a, .views a, .tabbar a, .ib, .sel, .pillc')) {
    if (!seen(el)) continue
    const style = getComputedStyle(el)
    if (style.textOverflow === 'ellipsis' || style.overflowX === 'auto') continue
    if (el.scrollWidth > el.clientWidth + 1) said.push(`clipped: ${name(el)}`)
  }
  for (const el of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')) {
    if (!seen(el) || el.disabled || el.classList.contains('vh') || el.classList.contains('skip')) continue
    const box = el.getBoundingClientRect(), label = el.closest('label')?.getBoundingClientRect()
    if (!box.width || !box.height) continue
    const inline = getComputedStyle(el).display === 'inline'
    const high = Math.max(box.height, label?.height || 0), broad = Math.max(box.width, label?.width || 0)
    if (!inline && (high < least - 0.5 || broad < least - 0.5)) said.push(`${Math.round(broad)} × ${Math.round(high)}: ${name(el)}`)
  }
  return [...new Set(said)]
}
"""


async def faults(page: Any, path: str, width: int) -> list[str]:
    """What is wrong with the screen as it stands: sideways scrolling, clipped words, targets too small."""
    found: Sequence[str] = await page.evaluate(FAULTS, 44 if width < 720 else 24)
    return [f"{path}, {width}: {fault}" for fault in found]
