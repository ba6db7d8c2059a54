"""Hostile markup in everything a stranger may write, shown on every screen in a real browser: nothing of it may run.

    python -m pytest tests/sec -k hostile --all          # every vector; a small choice without --all

The vectors are read from the corpora. Where one is put: the body of a mail (through the reading of mails), its text, its subject, the
sender's name, a file's name, a note. Where one looks: the list, the conversation with every frame loaded and every menu unfolded,
the search, the customer's page and the list of customers, the whole history, what is split off, the live board, the palette, the bar
that says what was done, and what an agent sees of a web chat. What would show that something ran: a call of alert, confirm, prompt
or print, a changed title, a request to elsewhere, a page that goes away.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from adapters import _html
from hub.messages import Details
from tests.fakes import corpora_folder
from tests.web.conftest import Site
from tests.web.history import channel, many

#: Vectors in one conversation.
TOGETHER = 20
#: Stands in every page before its own scripts; whatever hostile markup does first is told to us.
TRAP = """(() => {
  const tell = what => { try { (top.caught || window.caught)(what) } catch { window.caught?.(what) } }
  for (const name of ['alert', 'confirm', 'prompt', 'print'])
    Object.defineProperty(window, name, { value: text => { tell(name + ' ' + text) }, configurable: false })
})()"""
#: What makes lazy vectors go: pointing at things, focus, pictures that fail, details that open.
POKE = """async () => {
  const documents = [document, ...[...document.querySelectorAll('iframe')].map(f => f.contentDocument).filter(Boolean)]
  for (const d of documents) for (const n of d.querySelectorAll('.li *, body *')) {
    if (d === document && !n.closest('.li, #rows')) continue
    for (const kind of ['mouseover', 'mouseenter', 'focus', 'load', 'error', 'toggle', 'animationstart', 'pointerdown'])
      n.dispatchEvent(new Event(kind, { bubbles: false }))
  }
  return documents.length
}"""


#: Every frame has loaded, or will not.
LOADED = """() => Promise.all([...document.querySelectorAll('iframe')].map(f => new Promise(r => {
  const d = f.contentDocument
  if (d?.URL !== 'about:blank' && d?.readyState === 'complete') r()
  else { f.onload = r; setTimeout(r, 3000) }
})))"""


class Vector(Struct, frozen=True):
    """One hostile piece of markup."""

    id: str
    markup: str


def vectors() -> list[Vector]:
    """All of the corpora, in an order that is always the same: hostile markup, what sanitisers made of it (which must not come alive
    when it is read a second time), and strings that broke programs.
    """
    found = []
    for path in sorted((corpora_folder() / "html" / "xss").glob("*.json")):
        entries = json.loads(path.read_text("utf-8"))["entries"]
        found += [Vector(e["id"], e["payload"]) for e in entries if isinstance(e.get("payload"), str)]
        for e in entries:
            made = e.get("expected") or []
            found += [
                Vector(f"{e['id']}+", m) for m in ([made] if isinstance(made, str) else made) if isinstance(m, str)
            ]
    for path in sorted((corpora_folder() / "strings").glob("*.json")):
        entries = json.loads(path.read_text("utf-8"))["entries"]
        found += [
            Vector(e["id"], e["value"]) for e in entries if isinstance(e.get("value"), str) and e["value"].strip()
        ]
    known: dict[str, Vector] = {}
    return [known.setdefault(v.markup, v) for v in found if v.markup not in known]


def batches(all_of_them: Sequence[Vector]) -> Iterator[Sequence[Vector]]:
    """The vectors in portions of one conversation."""
    for start in range(0, len(all_of_them), TOGETHER):
        yield all_of_them[start : start + TOGETHER]


def clean(text: str) -> str:
    """What every door does before anything is kept: no NUL, no half characters."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def put(conn: Any, number: int, portion: Sequence[Vector], digest: str, sanitised: bool = True) -> None:
    """The vectors as mails, chat messages and notes of a conversation. ``sanitised``: the mails were read as mails are."""
    mail, chat = channel(conn, "email", "Mail"), channel(conn, "webchat", "Chat")
    given: list[dict[str, Any]] = []
    for v in portion:
        bad = clean(v.markup)
        html = clean(_html.sanitise(bad)) if sanitised else bad
        name = {"name": bad[:500], "files": [(bad[:200], "image/png", 5, digest)]}
        given.append(
            {"kind": "email", "channel": mail, "html": html, "text": bad, "subject": bad[:500], "visible": "", **name}
        )
        given.append({"channel": chat, "text": bad, "details": Details(fields={"page": bad[:300]}), **name})
        given.append({"kind": "note", "direction": "internal", "text": bad})
    many(conn, number, given)
    worst = clean(portion[0].markup)
    conn.execute(
        sa.text("UPDATE conversations SET subject = :bad, preview = :bad WHERE id = :id"), {"bad": worst, "id": number}
    )
    conn.execute(sa.text("UPDATE customers SET name = :bad WHERE id = (SELECT customer_id FROM conversations WHERE id = :id)"),
                 {"bad": worst, "id": number})  # fmt: skip


async def trapped(page: Any) -> list[str]:
    """The page tells from now on what ran in it; the list grows."""
    caught: list[str] = []
    await page.expose_function("caught", lambda what: caught.append(str(what)))
    await page.add_init_script(TRAP)
    return caught


async def look(page: Any, site: Site, number: int, customer: int) -> list[str]:
    """Every screen that shows a conversation; what is wrong with what one sees, beside what the trap catches."""
    wrong = []
    paths = (
        *(f"/c/{number}", "/inbox/all", "/search?q=alert", f"/customers/{customer}", f"/c/{number}?history=all"),
        *(f"/c/{number}/split?in=all", "/customers", f"/customers/{customer}/edit", "/live"),
    )
    for path in paths:
        await page.goto(site.base + path, wait_until="load")
        title = await page.title()
        await page.eval_on_selector_all("iframe", "all => all.forEach(f => f.loading = 'eager')")
        await page.evaluate(LOADED)
        await page.evaluate(POKE)
        if not page.url.startswith(site.base + path.partition("?")[0]):
            wrong.append(f"{path}: the page went to {page.url[:100]}")
        if await page.title() != title:
            wrong.append(f"{path}: the title is {(await page.title())[:80]}")
    return wrong + await handle(page, site, number)


async def handle(page: Any, site: Site, number: int) -> list[str]:
    """What comes by script alone: the palette with what the server finds, menus, and the bar that says what was done."""
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    await page.evaluate(POKE)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.keyboard.press("Control+k")
    async with page.expect_response(lambda r: "/palette?" in r.url):
        await page.keyboard.type("alert")
    await page.keyboard.press("Escape")
    await page.focus("#timeline")
    await page.keyboard.press("e")
    await page.wait_for_selector("#toast form")
    await page.evaluate(POKE)
    return [] if page.url.startswith(site.base) else [f"the page went to {page.url[:100]}"]
