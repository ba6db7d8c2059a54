"""/w/<key>/form: a contact form for firms without a web site of their own. Plain HTML: it needs no JavaScript and keeps nothing.

The form carries a visitor's token, so that sending it twice is one message. Robots fill in a field that people do not see; they are
thanked like everybody, and nothing is kept.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from hub import visitors
from hub.channels import Ready
from hub.http import HOUSE, NONCE, Problem, client_address, read_form
from hub.i18n import Catalogue
from hub.text import clean, clean_line
from hub.web import forms
from hub.web.forms import Trouble
from hub.web.rendering import show, words_for
from hub.web.widget_doors import MAIL, SMALL, keep, limited
from hub.web.widget_settings import is_blocked, look

#: Forms sent from one address within the doors' window.
SENDS = 10


async def form_page(request: web.Request, ready: Ready) -> web.StreamResponse:
    """GET /w/<key>/form"""
    return _page(
        request,
        ready,
        dict.fromkeys(("name", "email", "text", "consent", "token"), ""),
        (),
        done="done" in request.query,
    )


def _page(
    request: web.Request, ready: Ready, v: dict[str, Any], troubles: tuple[Trouble, ...], done: bool = False
) -> web.Response:
    words, house = words_for(request, None), request.app[HOUSE]
    seen = look(ready, words, house.company)
    token = v.get("token") or visitors.new_token(house.hub.box, ready.config.key)
    answer = show(
        request, "widget_form.j2", status=422 if troubles else 200, look=seen, key=ready.config.key, v=v, token=token,
        troubles=troubles, done=done, longest=ready.adapter.traits.max_length, colours=f":root{{--brand:{seen.colour}}}",
    )  # fmt: skip
    nonce = request[NONCE]
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def send(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/form"""
    if (request.content_length or 0) > SMALL:
        raise Problem(413, "This is too large to send at once.")
    form, words = await read_form(request), words_for(request, None)
    address = client_address(request)
    if is_blocked(ready, "", address):
        raise Problem(403, "This chat is closed for you. Please reach us another way.")
    thanks = web.HTTPSeeOther(f"/w/{ready.config.key}/form?done=1&lang={words.language}")
    if forms.word(form, "website"):
        raise thanks
    v = {name: forms.word(form, name, 254) for name in ("name", "email", "consent", "token")}
    v["text"] = forms.text(form, "text", ready.adapter.traits.max_length + 1).strip()
    visitor = visitors.read_token(request.app[HOUSE].hub.box, ready.config.key, v["token"])
    if visitor is None:
        v["token"] = ""
    troubles = tuple(_troubles(ready, v, words, visitor))
    if troubles:
        return _page(request, ready, v, troubles)
    limited(request, {f"form {address}": SENDS})
    line = {"id": "form", "text": clean(v["text"])}
    claim = {"name": clean_line(v["name"], 120), "email": v["email"].lower(), "consent": "form" if v["consent"] else ""}
    await keep(request, ready, str(visitor), {"messages": [line], "from": claim, "language": words.language})
    raise thanks


def _troubles(ready: Ready, v: dict[str, Any], words: Catalogue, visitor: str | None) -> list[Trouble]:
    found, longest = [], ready.adapter.traits.max_length
    if visitor is None:
        found.append(Trouble("", words.text("The form was open for too long. Please send it again.")))
    if look(ready, words, "").form.name == "required" and not v["name"]:
        found.append(Trouble("name", words.text("Please tell us your name.")))
    if not MAIL.fullmatch(v["email"]):
        found.append(Trouble("email", words.text("Please check the e-mail address; it looks like name@example.com.")))
    if not v["text"]:
        found.append(Trouble("text", words.text("Please write what it is about.")))
    if len(v["text"]) > longest:
        found.append(Trouble("text", words.text("The message is too long: at most {limit} characters.", limit=longest)))
    if look(ready, words, "").form.consent and not v["consent"]:
        found.append(Trouble("consent", words.text("Please agree, or reach us another way.")))
    return found
