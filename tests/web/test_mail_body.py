"""How mails are shown: cut before the quotation, links that say where they lead, remote pictures by the proxy only."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from aiohttp import web
from selectolax.lexbor import LexborHTMLParser

from hub.fetching import Fetcher
from hub.web import mail_body
from hub.web.linked import linked
from hub.web.looks import FETCHER
from tests.core.test_fetching import Canary, canary  # noqa: F401
from tests.web.conftest import Site
from tests.web.history import MAIL, PNG, said

CUTS = [
    ("<p>Hello Anna</p><blockquote>old</blockquote>", "Hello Anna", "<p>Hello Anna</p>"),
    ("<div>Hello <b>An</b>na</div><hr><b>From:</b> x<br>old", "Hello Anna", "<div>Hello <b>An</b>na</div>"),
    ("<p>Sch&ouml;n &amp; gut</p><p>Am Montag schrieb K.:</p><p>alt</p>", "Schön & gut", "<p>Schön & gut</p>"),
    (
        "<p>Other words than the text</p><blockquote>old</blockquote>",
        "Written by hand",
        "<p>Other words than the text</p>",
    ),
    ("<p>above</p><blockquote>old</blockquote><p>below</p>", "nothing alike", ""),
    ("<blockquote>old</blockquote>", "nothing", ""),
    ("<p>All of it</p>", "All of it", ""),
    ("<p>a</p>", "", ""),
]


@pytest.mark.parametrize(("html", "visible", "kept"), CUTS)
def test_the_newly_written_part_ends_where_the_text_says(html: str, visible: str, kept: str) -> None:
    end = mail_body.cut(html, visible)

    assert unescape(html[:end]).startswith(kept) if kept else end == 0
    assert LexborHTMLParser(html[:end]).text().strip() == LexborHTMLParser(kept).text().strip()


LINKS = [
    ("https://bank.example/x", "https://bank.example/login", ""),
    ("https://evil.example/", "https://bank.example", "evil.example"),
    ("https://evil.example/", "www.bank.example", "evil.example"),
    ("https://evil.example/", "bank.example/login", "evil.example"),
    ("https://bank.example.evil.example/", "bank.example", "bank.example.evil.example"),
    ("https://bank.example@evil.example/", "bank.example", "evil.example"),
    ("https://login.bank.example/", "bank.example", ""),
    ("https://bаnk.example/", "bank.example", "xn--bnk-6cd.example"),
    ("https://evil.example/", "click here", ""),
    ("mailto:a@bank.example", "a@bank.example", ""),
    ("http://[", "bank.example", ""),
]


@pytest.mark.parametrize(("href", "text", "warned"), LINKS)
def test_a_link_says_its_host_and_warns_when_its_text_names_another(href: str, text: str, warned: str) -> None:
    made = mail_body.with_hosts(f'<p><a href="{href}" rel="noopener">{text}</a></p>', lambda host: f"leads to {host}")

    found = re.findall(r'<span class="elsewhere">leads to ([^<]*)</span>', made)
    assert found == ([warned] if warned else [])


def test_addresses_in_texts_become_links_and_nothing_else_becomes_markup() -> None:
    made = str(linked('See https://firm.example/a?b=1&c=2. <b onclick=x> "https://x.example/(y)" javascript:alert(1)'))

    assert '<a class="lnk" href="https://firm.example/a?b=1&amp;c=2" target="_blank"' in made
    assert '">https://firm.example/a?b=1&amp;c=2</a>. &lt;b onclick=x&gt;' in made
    assert 'href="https://x.example/(y)"' in made
    assert made.count("<a ") == 2


async def mail(site: Site, html: str, sender: str = MAIL) -> tuple[int, int, int]:
    number = await site.say("Hello")
    return number, *await site.write(lambda c: said(c, number, "text", kind="email", html=html, sender=sender))


@pytest.fixture
async def outside(site: Site, canary: Canary) -> AsyncIterator[Canary]:  # noqa: F811
    """A server that counts as one of the internet."""
    fetch = site.server.app[FETCHER]
    assert isinstance(fetch, Fetcher)
    fetch.allowed, fetch.ports = (lambda address: address == "127.0.0.1"), frozenset({canary.port})
    yield canary


async def test_remote_pictures_come_by_the_proxy_when_asked_for_and_never_otherwise(
    site: Site, outside: Canary
) -> None:
    async def picture(request: web.Request) -> web.StreamResponse:
        assert "Cookie" not in request.headers and "Referer" not in request.headers
        return web.Response(body=PNG, headers={"Content-Type": "text/html", "Set-Cookie": "a=b"})

    outside.answer = picture
    url = f"http://127.0.0.1:{outside.port}/t.gif?a=1&amp;b=2"
    number, message, event = await mail(site, f'<p>x</p><img data-remote-src="{url}">')
    anna = await site.signed_in()

    page = await anna.get(f"/c/{number}")
    plain = await anna.get(f"/messages/{message}/html")
    shown = await anna.get(f"/messages/{message}/html?images=1")
    source = shown.one("img").attributes["src"] or ""
    answer = await anna.http.get(site.base + source)

    assert "images=1" not in (page.one(f"#i{event} iframe").attributes["src"] or "")
    assert "src" not in plain.one("img").attributes
    assert (await answer.read(), answer.headers["Content-Type"]) == (PNG, "image/png")
    assert "Set-Cookie" not in answer.headers and "sandbox" in answer.headers["Content-Security-Policy"]
    assert "max-age=604800" in answer.headers["Cache-Control"]
    assert outside.asked == ["/t.gif"]
    assert (await anna.get(source.replace("b%3D2", "b%3D3"))).status == 404, "a signature for another address"
    assert (await anna.get(source.replace(f"m={message}", "m=1"))).status == 404, "a signature for another message"
    assert (await site.browser().get(source, follow=False)).status == 303


async def test_what_is_no_picture_is_not_handed_on(site: Site, outside: Canary) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<script>alert(1)</script>", content_type="image/png")

    outside.answer = page
    _, message, _ = await mail(site, f'<img data-remote-src="http://127.0.0.1:{outside.port}/x.png">')
    anna = await site.signed_in()

    shown = await anna.get(f"/messages/{message}/html?images=1")
    answer = await anna.get(shown.one("img").attributes["src"] or "")

    assert answer.status == 404 and "alert" not in answer.text
    assert outside.asked == ["/x.png"]


async def test_whoever_wants_always_to_see_a_senders_pictures_sees_them_and_nobody_else_does(site: Site) -> None:
    html = '<img data-remote-src="https://t.example/x.gif">'
    number, message, event = await mail(site, html)
    _, other, second = await mail(site, html, "email:other@kunde.example")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    page = await anna.get(f"/c/{number}")
    back = await anna.send(page, f"#i{event} form[method=post]", follow=False)
    after, theirs = await anna.get(f"/c/{number}"), await jonas.get(f"/c/{number}")

    def shows(page: Any, entry: int) -> bool:
        return "images=1" in (page.one(f"#i{entry} iframe").attributes["src"] or "")

    assert back.status == 303 and back.headers["Location"].startswith(f"/c/{number}")
    assert (shows(page, event), shows(after, event), shows(after, second), shows(theirs, event)) == (
        False,
        True,
        False,
        False,
    )
    assert message != other
