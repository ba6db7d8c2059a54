"""Are two customers one? What speaks for it, who else might be the same, and which merges are in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import addresses, customers, identity
from hub.access import Actor, access_customer, visible
from hub.customers import CustomerRow
from hub.sql import among
from hub.tables import conversations, employees, merges, participants
from hub.tables import customers as table
from hub.text import fold

Kind = Literal["name", "words", "phone", "mailbox", "domain", "company", "talked"]
#: Customers of the same name that are looked at, conversations that are named, and merges behind each other that are followed.
MOST, NAMED, DEEP = 20, 3, 20
#: Domains that anybody can have an address of: they say nothing.
ANYBODYS = frozenset(
    f"{name}.{end}"
    for name, ends in {
        "gmail": ("com",), "googlemail": ("com",), "outlook": ("com", "de"), "hotmail": ("com", "de"), "live": ("com", "de"),
        "yahoo": ("com", "de"), "ymail": ("com",), "icloud": ("com",), "me": ("com",), "mac": ("com",), "aol": ("com", "de"),
        "gmx": ("de", "net", "at", "ch"), "web": ("de",), "t-online": ("de",), "freenet": ("de",), "posteo": ("de", "net"),
        "mailbox": ("org",), "proton": ("me",), "protonmail": ("com",), "arcor": ("de",), "mail": ("com",),
    }.items()
    for end in ends
)  # fmt: skip


class Evidence(Struct, frozen=True):
    """One thing that speaks for two customers being one; ``what`` they share."""

    kind: Kind
    what: str


class Likely(Struct, frozen=True):
    """Another customer who may be the same."""

    customer: CustomerRow
    evidence: tuple[Evidence, ...]


class MergeRow(Struct, frozen=True):
    """A merge in force: whom it made a part of the customer, why, who did it and when (ms)."""

    id: int
    loser_id: int
    name: str
    evidence: str
    actor: str
    at: int


def evidence(conn: Connection, actor: Actor, one: CustomerRow, other: CustomerRow) -> tuple[Evidence, ...]:
    """What speaks for it, the strongest first: what their names and addresses share, and conversations of the one in which an address
    of the other takes part (as far as the actor may see them). Two statements.
    """
    names, shared = _names(one, other), _addresses(one, other)
    if one.company_id is not None and one.company_id == other.company_id:
        shared.append(Evidence("company", str(one.company_id)))
    met = [*_met(conn, actor, one, other), *_met(conn, actor, other, one)]
    return tuple(dict.fromkeys((*names, *met, *shared)))


def _names(one: CustomerRow, other: CustomerRow) -> list[Evidence]:
    mine, theirs = fold(one.name), fold(other.name)
    if not mine or any(ord(letter) < 58 or letter == "@" for letter in mine.replace(" ", "")[:1]):
        return []  # a number or nothing is no name
    if mine == theirs:
        return [Evidence("name", other.name)]
    words = {word.strip(",.") for word in mine.split()}
    if len(words) > 1 and words == {word.strip(",.") for word in theirs.split()}:
        return [Evidence("words", other.name)]
    return []


def _addresses(one: CustomerRow, other: CustomerRow) -> list[Evidence]:
    """Phone numbers that are the same however they are written, and parts of mail addresses."""
    found: list[Evidence] = []
    mine, theirs = _bare(one), _bare(other)
    there = {number for text in theirs if _is_phone(text) for number in addresses.spellings(text)}
    found += [Evidence("phone", text) for text in mine if _is_phone(text) and addresses.phone(text) in there]
    boxes, domains = _parts(theirs)
    for box in sorted(_parts(mine)[0] & boxes):
        found.append(Evidence("mailbox", box))
    for domain in sorted((_parts(mine)[1] & domains) - ANYBODYS):
        found.append(Evidence("domain", domain))
    return found


def _bare(row: CustomerRow) -> list[str]:
    return [identity.readable(face.address) for face in row.identities]


def _is_phone(text: str) -> bool:
    return len(text) > 6 and text.removeprefix("+").isascii() and text.removeprefix("+").isdecimal()


def _parts(texts: Sequence[str]) -> tuple[set[str], set[str]]:
    """The names of mailboxes (those that could be of anybody are left out) and the domains."""
    pairs = [text.rpartition("@") for text in texts if "@" in text]
    return {box for box, _, _ in pairs if len(box) > 5}, {domain for _, _, domain in pairs}


def _met(conn: Connection, actor: Actor, one: CustomerRow, other: CustomerRow) -> list[Evidence]:
    c, p = conversations.c, participants.c
    statement = (
        sa.select(c.id)
        .join(participants, p.conversation_id == c.id)
        .where(among(p.address, [face.address for face in other.identities]), c.customer_id == one.id, visible(actor))
        .distinct()
        .order_by(c.id.desc())
        .limit(NAMED)
    )
    return [Evidence("talked", str(number)) for number in conn.execute(statement).scalars()]


_own_name = sa.select(table.c.folded).where(table.c.id == sa.bindparam("customer")).scalar_subquery()
_same_name = (
    sa.select(table.c.id)
    .where(table.c.folded == _own_name, table.c.folded != "", table.c.id != sa.bindparam("customer"))
    .where(table.c.merged_into.is_(None))
    .order_by(table.c.id.desc())
    .limit(MOST)
)


def likely(conn: Connection, actor: Actor, customer_id: int) -> Likely | None:
    """A customer of the same name with something of an address in common, whom the actor may see; None when there is none."""
    ids = list(conn.execute(_same_name, {"customer": customer_id}).scalars())
    if not ids:
        return None
    me, *others = customers.rows(conn, [customer_id, *ids])
    for other in others:
        if _addresses(me, other) and access_customer(conn, actor, other.id) is not None:
            return Likely(other, evidence(conn, actor, me, other))
    return None


def merges_in(conn: Connection, customer_id: int) -> list[MergeRow]:
    """The merges in force that made this customer what they are, also those of customers who became a part of them; newest first."""
    m = merges.c
    columns = (m.id, m.loser_id, table.c.name, m.evidence, employees.c.name, m.at)
    base = (
        sa.select(*columns)
        .join(table, table.c.id == m.loser_id)
        .outerjoin(employees, employees.c.id == m.actor_id)
        .where(m.undone_at.is_(None))
        .limit(200)
    )
    found: dict[int, MergeRow] = {}
    near: list[int] = [customer_id]
    for _ in range(DEEP):
        rows = [MergeRow(*row[:4], row[4] or "", row[5]) for row in conn.execute(base.where(among(m.winner_id, near)))]
        near = [row.loser_id for row in rows if row.id not in found]
        found |= {row.id: row for row in rows}
        if not near:
            break
    return sorted(found.values(), key=lambda row: -row.id)
