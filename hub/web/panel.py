"""What stands beside a conversation about its customer: only what the database knows.

Some attributes have a meaning of their own, under these names: ``role`` (what they are in their company), ``timezone`` (as the IANA
calls it; shown as their local time), ``language`` (like de; goes before the one they write in), ``preferred`` (an address or a kind of
address, like "email"), ``opted_out`` (they want no advertising).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import acquaintances, directory, elsewhere, handing, likeness, speaking, tongue
from hub.access import Actor, access_customer
from hub.acquaintances import Facts
from hub.clock import now
from hub.customers import CustomerRow
from hub.elsewhere import Guest
from hub.handing import Given
from hub.i18n import Catalogue
from hub.inbox import Row
from hub.likeness import Evidence, Likely
from hub.speaking import Spoken
from hub.tables import customers as table
from hub.text import clean_line, fold
from hub.web.cared import Care, care
from hub.web.mates import Mate, mate
from hub.web.when import zone

#: Attributes that are shown in a place of their own.
OWN_PLACE = frozenset({"role", "timezone", "preferred", "opted_out", speaking.ATTRIBUTE})
#: Languages that can be chosen.
LANGUAGES = tongue.LANGUAGES
_YES = frozenset({"true", "yes", "ja", "1"})


class Panel(Struct, frozen=True):
    """What is known besides name and addresses. ``wrote``: when they last wrote, by address (ms). ``through``: the ``owner`` is the
    company's. ``attributes`` are spelled, those with a place of their own left out of ``shown``. ``given``: the conversation was
    somebody else's before. ``elsewhere``: conversations of others they take part in; ``guests``: others who take part in this one.
    """

    facts: Facts = Facts()
    company_id: int | None = None
    company: str = ""
    role: str = ""
    local: str = ""
    wrote: Mapping[str, int] = {}
    preferred: str = ""
    opted_out: bool = False
    owner: Mate | None = None
    through: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    likely: Likely | None = None
    given: Given | None = None
    elsewhere: tuple[Row, ...] = ()
    guests: tuple[Guest, ...] = ()
    speaks: Spoken = Spoken()
    care: Care = Care()

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The attributes that have no place of their own."""
        return tuple(pair for pair in self.attributes if pair[0] not in OWN_PLACE)


def spelled(value: Any) -> str:
    """An attribute's value on one line."""
    return clean_line({True: "true", False: "false"}.get(value, str(value)) if value is not None else "", 5000)


def of(conn: Connection, actor: Actor, row: CustomerRow, conversation_id: int = 0) -> Panel:
    """The panel of a customer the actor may see. A fixed number of statements."""
    customer_id = row.id
    company = _company(conn, actor, row.company_id)
    owner_id = row.owner_id if row.owner_id is not None else company.owner_id if company else None
    d = directory.current(conn) if owner_id is not None else None
    said = {key: spelled(value) for key, value in row.attributes.items()}
    return Panel(
        facts=acquaintances.facts(conn, actor, customer_id),
        company_id=company.id if company else None,
        company=company.name if company else "",
        role=said.get("role", ""),
        local=_local(said.get("timezone", "")),
        wrote=acquaintances.wrote(conn, customer_id),
        preferred=_preferred(said.get("preferred", ""), row),
        opted_out=fold(said.get("opted_out", "")) in _YES,
        owner=mate(d, owner_id, now()) if d and owner_id is not None and owner_id in d.employees else None,
        through=row.owner_id is None,
        attributes=tuple(sorted(said.items())),
        likely=likeness.likely(conn, actor, customer_id),
        given=handing.last(conn, actor, conversation_id, customer_id) if conversation_id else None,
        elsewhere=tuple(elsewhere.takes_part(conn, actor, customer_id)),
        guests=tuple(elsewhere.guests(conn, actor, conversation_id, customer_id)) if conversation_id else (),
        speaks=speaking.of(conn, customer_id, row.attributes),
        care=care(conn, customer_id),
    )


def _company(conn: Connection, actor: Actor, number: int | None) -> Any:
    """The company's row; an agent who may not see it is not told its name."""
    row = access_customer(conn, actor, number) if number is not None else None
    return conn.execute(sa.select(table).where(table.c.id == row.id)).one() if row is not None else None


def _local(name: str) -> str:
    place = zone(name)
    return (
        f"{datetime.fromtimestamp(now() / 1000, place):%H:%M}" if name and (place is not UTC or name == "UTC") else ""
    )


def _preferred(wish: str, row: CustomerRow) -> str:
    """The address that is meant: named whole, without its kind, or by its kind alone."""
    wanted = fold(wish)
    for face in row.identities:
        kind, _, bare = face.address.partition(":")
        if wanted and wanted in (fold(face.address), fold(bare), kind):
            return face.address
    return ""


def reasons(found: tuple[Evidence, ...], words: Catalogue) -> list[str]:
    """What speaks for two customers being one, in words."""
    _ = words.text
    return [
        {
            "name": _("the same name"),
            "words": _("the same words in the name"),
            "phone": _("the same phone number: {what}", what=e.what),
            "mailbox": _("the same name before the @: {what}", what=e.what),
            "domain": _("addresses at {what}", what=e.what),
            "company": _("the same company"),
            "talked": _("both take part in conversation #{what}", what=e.what),
        }[e.kind]
        for e in found
    ]


def language_name(language: str, words: Catalogue) -> str:
    """A language as people call it; its code where nobody gave it a name here."""
    _ = words.text
    return {
        "de": _("German"),
        "en": _("English"),
        "fr": _("French"),
        "es": _("Spanish"),
        "it": _("Italian"),
        "nl": _("Dutch"),
        "pl": _("Polish"),
        "pt": _("Portuguese"),
        "tr": _("Turkish"),
        "ru": _("Russian"),
        "uk": _("Ukrainian"),
    }.get(language, language)
