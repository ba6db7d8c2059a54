"""Mentions: “@Name” in a note asks a colleague, or everybody of a team, to look; and lets them see the conversation.

Names are found without regard to case, accents and the German spelling of umlauts ("@mueller" is Müller); the longest name that
fits counts. Where each one stands is kept with the note, so that it still shows when somebody is called otherwise later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.directory import Directory
from hub.messages import Details
from hub.sql import among, insert_rows, run
from hub.tables import mentions
from hub.text import fold

#: So many are looked at in one note.
MOST = 50
#: Letters of the longest name that is found.
LONGEST = 100

_AT = re.compile(r"(?<![\w.+-])@(?=\w)")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})

#: (begin, end, "e7" or "t3") in a text, the sign @ included.
Spans = tuple[tuple[int, int, str], ...]


class Named(Struct, frozen=True):
    """Whoever can be mentioned: names, folded, and whom each stands for ("e7", "t3"); several may have the same one."""

    names: Mapping[str, tuple[str, ...]]
    longest: int = 0


def named(d: Directory) -> Named:
    """Everybody who works here, and every team."""
    found: dict[str, tuple[str, ...]] = {}
    whoever = [(e.name, f"e{e.id}") for e in d.employees.values() if not e.disabled]
    for name, mark in (*whoever, *((t.name, f"t{t.id}") for t in d.teams.values())):
        for spelled in {_folded(name), _folded(name.translate(_GERMAN))} - {""}:
            found[spelled] = (*found.get(spelled, ()), mark)
    return Named(found, max(map(len, found), default=0))


def _folded(name: str) -> str:
    return " ".join(fold(name[:LONGEST]).split())


def find(text: str, known: Named) -> Spans:
    """Where somebody is mentioned. Whoever shares their whole name with another is mentioned together with them."""
    found: list[tuple[int, int, str]] = []
    for sign in _AT.finditer(text):
        if len(found) >= MOST or not known.longest:
            break
        end, marks = _longest(text, sign.end(), known)
        found += [(sign.start(), end, mark) for mark in marks]
    return tuple(found[:MOST])


def _longest(text: str, begin: int, known: Named) -> tuple[int, tuple[str, ...]]:
    """The end of the longest name that begins there, and whom it stands for."""
    folded = ""
    best: tuple[int, tuple[str, ...]] = (begin, ())
    for place in range(begin, min(len(text), begin + 2 * LONGEST)):
        letter = text[place]
        if letter.isspace():
            if not folded.endswith(" "):
                folded += " "
        else:
            folded += fold(letter)
        if len(folded) > known.longest:
            break
        if folded in known.names and not _goes_on(text, place + 1):
            best = (place + 1, known.names[folded])
    return best


def _goes_on(text: str, place: int) -> bool:
    """Is what stands there still a part of the word before it?"""
    return place < len(text) and (text[place].isalnum() or text[place] == "_" or not fold(text[place]))


def people(spans: Spans, d: Directory) -> list[int]:
    """The employees that are meant; of a team everybody who works here still."""
    found: set[int] = set()
    for _, _, mark in spans:
        number = int(mark[1:])
        if mark[0] == "e":
            found.add(number)
        elif team := d.teams.get(number):
            found |= set(team.members)
    return sorted(n for n in found if n in d.employees and not d.employees[n].disabled)


def asked_by(d: Directory, author_id: int, text: str) -> tuple[str, list[int]]:
    """What a note keeps of its mentions (as `messages.details`), and who is asked to look; nobody asks themselves."""
    spans = find(text, named(d))
    kept = msgspec.json.encode(Details(mentions=spans)).decode() if spans else ""
    return kept, [number for number in people(spans, d) if number != author_id]


def add(conn: Connection, conversation_id: int, message_id: int, asked: Sequence[int]) -> None:
    """Ask these people to look."""
    row = {"message_id": message_id, "conversation_id": conversation_id}
    insert_rows(conn, mentions, [{"employee_id": number, **row} for number in asked])


def seen(conn: Connection, employee_id: int, conversation_id: int) -> bool:
    """They have looked at the conversation. True when something was unread."""
    m = mentions.c
    mine = sa.update(mentions).where(
        m.employee_id == employee_id, m.conversation_id == conversation_id, m.read_at.is_(None)
    )
    return bool(conn.execute(mine.values(read_at=now())).rowcount)


_unread = sa.select(mentions.c.conversation_id).where(
    mentions.c.employee_id == sa.bindparam("employee"),
    among(mentions.c.conversation_id, "ids"),
    mentions.c.read_at.is_(None),
)


def unread(conn: Connection, employee_id: int, conversations: Sequence[int]) -> frozenset[int]:
    """Those of the conversations where somebody waits for a look of theirs."""
    if not conversations:
        return frozenset()
    return frozenset(run(conn, _unread, employee=employee_id, ids=list(conversations)).scalars())


def asked_in(conn: Connection, conversations: Sequence[int]) -> dict[int, frozenset[int]]:
    """Who was ever mentioned in these conversations."""
    m = mentions.c
    found: dict[int, frozenset[int]] = {}
    statement = sa.select(m.conversation_id, m.employee_id).where(among(m.conversation_id, conversations)).distinct()
    for conversation, employee in conn.execute(statement) if conversations else ():
        found[conversation] = found.get(conversation, frozenset()) | {employee}
    return found


_waiting = (
    sa.select(mentions.c.employee_id, sa.func.count(mentions.c.conversation_id.distinct()))
    .where(among(mentions.c.employee_id, "ids"), mentions.c.read_at.is_(None))
    .group_by(mentions.c.employee_id)
)


def waiting(conn: Connection, people: Sequence[int]) -> dict[int, int]:
    """In how many conversations somebody waits for a look of each of these employees."""
    return {row[0]: row[1] for row in run(conn, _waiting, ids=list(people)).all()} if people else {}


def of_messages(conn: Connection, messages: Sequence[int]) -> dict[int, frozenset[int]]:
    """Who is asked to look by each of these notes."""
    m = mentions.c
    found: dict[int, frozenset[int]] = {}
    statement = sa.select(m.message_id, m.employee_id).where(among(m.message_id, list(messages)))
    for message, employee in conn.execute(statement) if messages else ():
        found[message] = found.get(message, frozenset()) | {employee}
    return found
