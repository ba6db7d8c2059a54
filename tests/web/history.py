"""A customer's past, written straight into the database: entries of every kind, on four channels, and as many as one likes."""

import itertools
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import events, search
from hub.clock import now
from hub.messages import Call, Details, Reaction, Spot, Task, Visit
from hub.sql import allocate, insert_rows, renew
from hub.tables import attachments, channels, conversations, messages

_marks = itertools.count(1)
DAY = 86_400_000


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, colour: bytes) -> bytes:
    """A picture of one colour (three bytes)."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    lines = zlib.compress((b"\x00" + colour * width) * height)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", lines) + _chunk(b"IEND", b"")


PNG = png(320, 240, b"\x4a\x74\xf2")
TEL, MAIL = "tel:+4915122648810", "email:k@kunde.example"
#: Half a second of silence.
WAV = (
    b"RIFF" + (36 + 4000).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + (1).to_bytes(2, "little")
    + (1).to_bytes(2, "little") + (8000).to_bytes(4, "little") + (8000).to_bytes(4, "little") + (1).to_bytes(2, "little")
    + (8).to_bytes(2, "little") + b"data" + (4000).to_bytes(4, "little") + b"\x80" * 4000
)  # fmt: skip


def channel(conn: Connection, kind: str, name: str) -> int:
    """A channel of a kind that may not exist yet; nothing is sent on it."""
    number = allocate(conn, "people", 1)[0]
    row = {"id": number, "kind": kind, "name": name, "key": f"k{number}", "team_id": None, "settings": "{}"}
    conn.execute(sa.insert(channels).values(**row, secrets=b"", created_at=0, removed_at=1))
    renew(conn, "directory")
    return number


def conversation(conn: Connection, like: int, subject: str, **changed: Any) -> int:
    """Another conversation of the same customer."""
    row = dict(conn.execute(sa.select(conversations).where(conversations.c.id == like)).mappings().one())
    number = allocate(conn, "conversations", 1)[0]
    row |= {"id": number, "subject": subject, "unread": 0, "last_message_id": 0} | changed
    conn.execute(sa.insert(conversations).values(**row))
    return number


def said(conn: Connection, home: int, text: str = "", **more: Any) -> tuple[int, int]:
    """One message and the event that tells of it: their ids. ``files`` are (name, type, size, sha256)."""
    return many(conn, home, [{"text": text, **more}])[0]


def many(conn: Connection, home: int, given: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    """The same for many messages at once."""
    place = conn.execute(sa.select(conversations).where(conversations.c.id == home)).one()
    ids = iter(allocate(conn, "ids", sum(2 + len(g.get("files", ())) for g in given)))
    rows, told, kept, made = [], [], [], []
    for g in given:
        number, direction = next(ids), g.get("direction", "in")
        at = g.get("at", now())
        for name, kind, size, digest in g.get("files", ()):
            kept.append({"id": next(ids), "message_id": number, "name": name, "type": kind, "size": size, "sha256": digest,
                         "inline_id": "", "created_at": at})  # fmt: skip
        rows.append(_row(number, place, g, at, direction))
        event = next(ids)
        happened = (
            "note.added" if direction == "internal" else "message.sent" if direction == "out" else "message.received"
        )
        told.append(events.NewEvent(happened, home, place.customer_id, number, place.channel_id, at=at, id=event))
        made.append((number, event))
    insert_rows(conn, messages, rows)
    insert_rows(conn, attachments, kept)
    events.append(conn, told)
    search.add(conn, [(r["id"], search.indexed(r["subject"], r["sender_name"], r["text"])) for r in rows])
    last = {"last_message_id": rows[-1]["id"], "last_message_at": rows[-1]["received_at"]}
    conn.execute(sa.update(conversations).where(conversations.c.id == home).values(**last))
    return made


def _row(number: int, place: Any, g: dict[str, Any], at: int, direction: str) -> dict[str, Any]:
    details = g.get("details")
    mark = f"history-{next(_marks)}-{number}"
    return {
        "id": number, "conversation_id": place.id, "customer_id": place.customer_id,
        "channel_id": g.get("channel", place.channel_id), "journal_id": None, "author_id": g.get("author"),
        "kind": g.get("kind", "text"), "direction": direction, "sender": g.get("sender", "api:kunde"),
        "sender_name": g.get("name", "Katrin Vogel"), "subject": g.get("subject", ""), "text": g.get("text", ""),
        "visible_text": g.get("visible", ""), "html": g.get("html", ""),
        "details": msgspec.json.encode(details).decode() if details else "", "at": g.get("written", at), "received_at": at,
        "dedupe": mark, "provider_id": mark, "external_id": "", "client_key": None, "reply_to_id": g.get("reply_to"),
    }  # fmt: skip


def changed(conn: Connection, home: int, kind: str, at: int, actor: int | None = None, **data: Any) -> int:
    """Something that happened in a conversation."""
    place = conn.execute(sa.select(conversations.c.customer_id).where(conversations.c.id == home)).scalar_one()
    return events.append(conn, [events.NewEvent(kind, home, place, actor_id=actor, data=data, at=at)])


def every_kind(conn: Connection, home: int, agent: int, png: str, wav: str) -> dict[str, int]:
    """One entry of each kind in a conversation; the number of each, by its name."""
    kinds = ("email", "voice", "visit", "whatsapp", "webchat")
    by = {kind: channel(conn, kind, "Chat" if kind == "webchat" else kind.title()) for kind in kinds}
    began = now() // DAY * DAY - 3 * DAY + 8 * 3_600_000  # in the morning: all of it is one day, whenever the test runs
    clock = itertools.count(began, 600_000)
    made, sound = {}, [("call.wav", "audio/wav", len(WAV), wav)]

    def add(name: str, kind: str, text: str = "", **more: Any) -> int:
        told = {"channel": by[kind], "at": next(clock), "kind": {"voice": "call"}.get(kind, kind)} | more
        if kind in ("whatsapp", "webchat"):
            told["kind"] = "text"
        sender = {"email": MAIL, "webchat": "webchat:v"}.get(kind, TEL)
        message, made[name] = said(conn, home, text, **{"sender": sender, **told})
        return message

    files = [("IMG_2207.png", "image/png", len(PNG), png), ("plan.pdf", "application/pdf", 9, png)]
    to = Details(to=(("email:service@firm.example", ""),), cc=(("email:x@kunde.example", "X"),))
    add(
        "mail",
        "email",
        "Good morning.\n\n> quoted",
        visible="Good morning.",
        details=to,
        subject="Error 302",
        files=files,
    )
    add("long", "email", "\n".join(f"Line {n}" for n in range(60)))
    for status in ("waiting", "open", "waiting", "open"):
        made["run"] = changed(conn, home, "conversation.status", next(clock), agent, status=status)
    wave = tuple(n * 37 % 100 for n in range(60))
    call = Call("answered", 42, 271, agent, "Service", "Sends a technician", wave=wave)
    add("call", "voice", details=Details(call=call), files=sound)
    add("missed", "voice", details=Details(call=Call("missed", 38)))
    task = Task("Order a new connector", began, agent)
    visit = Visit("Technician visit", next(clock), next(clock), agent, "", "Am Hafen 12, Stade", "qr", task)
    add("visit", "visit", "String connector replaced.", details=Details(visit=visit))
    note = {"kind": "note", "direction": "internal", "author": agent, "channel": None}
    made["note"] = said(conn, home, "The connector was scorched.", at=next(clock), **note)[1]
    first = add("bubble", "whatsapp", "Is it working again? https://firm.example/help")
    add("answer", "whatsapp", "Yes!", reply_to=first, details=Details(reactions=(Reaction("👍", "Anna"),), edited_at=1))
    add("place", "whatsapp", details=Details(spot=Spot(53.6, 9.47, "Stade")))
    add("voice", "whatsapp", files=sound)
    page = {"page": "https://firm.example/prices?x=1"}
    add("chat", "webchat", "I am on your page", details=Details(fields=page))
    add("gone", "webchat", details=Details(deleted_at=1))
    add("out", "whatsapp", "Goodbye!", direction="out", author=agent)
    return made
