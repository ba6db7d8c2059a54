"""/settings/replies: texts that are written once, who may use them, and what happens when one is sent."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import replies
from hub.access import RIGHTS, Actor, require
from hub.accounts import Invalid
from hub.http import HOUSE, Form, read_form
from hub.replies import Reply
from hub.web import forms, reads, settings
from hub.web.forms import Trouble
from hub.web.places import Team
from hub.web.rendering import when_for, words_for
from hub.web.screens import number_in
from hub.web.views import Names, acted

PATH = "/settings/replies"
FIELDS = ("name", "text", "language", "shortcut", "visibility", "team", "tags", "status", "assign", "snooze")


class Line(Struct, frozen=True):
    """A saved reply in the list."""

    reply: Reply
    owner: str
    team: str
    acts: tuple[str, ...]
    may_change: bool


def _everything(conn: Connection, actor: Actor) -> tuple[list[Reply], Names]:
    return replies.listing(conn, actor), reads.names(conn)[0]


async def replies_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/replies"""
    found, names = await request.app[HOUSE].hub.db.read(_everything, actor)
    words = words_for(request, actor)
    when = when_for(request, words)
    lines = [
        Line(
            reply,
            names.employees.get(reply.owner_id or 0, ""),
            names.teams.get(reply.team_id or 0, ""),
            tuple(label for _, label in acted(reply.actions, names, when)),
            replies.may_change(actor, reply),
        )
        for reply in found
    ]
    return await settings.page(
        request, actor, "replies.j2", "replies", words.text("Saved replies"), lines=lines,
        may_add=actor.role in RIGHTS["reply"],
    )  # fmt: skip


async def reply_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/replies/<id> and /settings/replies/new"""
    require(actor, "reply")
    return await _form(request, actor)


async def _form(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    fresh = "number" not in request.match_info

    def look(conn: Connection) -> tuple[Reply, Names, tuple[Team, ...]]:
        reply = Reply(0, "", "") if fresh else replies.one(conn, actor, number_in(request))
        return reply, *reads.names(conn)

    reply, names, teams = await request.app[HOUSE].hub.db.read(look)
    words = words_for(request, actor)
    others = [a for a in reply.actions if a.startswith("assign:") and a != "assign:me"]
    assign = [("", words.text("Nobody else")), ("me", words.text("Whoever sends it"))]
    assign += [(f"t{team.id}", words.text("Team: {name}", name=team.name)) for team in teams]
    said = acted(others, names, when_for(request, words))
    assign += [(value[7:], label) for value, label in said if value.startswith("assign:e")]
    return await settings.page(
        request, actor, "reply.j2", "replies", reply.name or words.text("New saved reply"),
        status=422 if troubles else 200, troubles=troubles, reply=reply, places=" ".join("{{" + place + "}}" for place in replies.PLACES),
        v=settings.given(form, _plain(reply), forms.kept(form) if form else {}), assign=assign,
        teams=[(t.id, t.name) for t in teams if actor.sees_all or t.id in actor.teams],
    )  # fmt: skip


def _plain(reply: Reply) -> dict[str, Any]:
    said: dict[str, list[str]] = {"tag": [], "status": [], "assign": [], "snooze": []}
    for action in reply.actions:
        kind, _, value = action.partition(":")
        said[kind].append(value)
    return {
        "name": reply.name,
        "text": reply.text,
        "language": reply.language,
        "shortcut": reply.shortcut,
        "visibility": reply.visibility,
        "team": reply.team_id or "",
        "tags": ", ".join(said["tag"]),
        "status": "".join(said["status"][-1:]),
        "assign": "".join(said["assign"][-1:]),
        "snooze": "".join(said["snooze"][-1:]),
    }


def _given(form: Form) -> dict[str, Any]:
    actions = [f"tag:{tag}" for tag in forms.parts(forms.word(form, "tags", 1000))]
    # closed last: nobody is given what is closed
    actions += [f"{kind}:{value}" for kind in ("assign", "status", "snooze") if (value := forms.word(form, kind, 60))]
    return {
        "name": forms.word(form, "name", 200),
        "text": forms.text(form, "text"),
        "language": forms.word(form, "language", 20),
        "shortcut": forms.word(form, "shortcut", 60),
        "visibility": forms.word(form, "visibility", 20) or "mine",
        "team_id": forms.chosen(form, "team"),
        "actions": actions,
    }


async def save_reply(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/replies/<id> and /settings/replies/new"""
    require(actor, "reply")
    fresh, form = "number" not in request.match_info, await read_form(request)
    db = request.app[HOUSE].hub.db
    try:
        if fresh:
            await db.write(replies.add, actor, _given(form))
        else:
            await db.write(replies.change, actor, number_in(request), _given(form))
    except Invalid as error:
        wrong = forms.trouble(words_for(request, actor), error, FIELDS, {"team_id": "team", "actions": "tags"})
        return await _form(request, actor, form, (wrong,))
    return await settings.changed(request, PATH, "added" if fresh else "saved")


async def remove_reply(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/replies/<id>/remove"""
    await request.app[HOUSE].hub.db.write(replies.remove, actor, number_in(request))
    return await settings.changed(request, PATH, "removed")
