"""What the firm has chosen for its house: name, language, colour; and how far the first steps are."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import events
from hub.accounts import Invalid
from hub.events import NewEvent
from hub.i18n import LANGUAGES
from hub.tables import channels, employees, facts, hours, messages, samples
from hub.text import clean_line

#: The first steps after the first run, in order.
Step = Literal["company", "channel", "message", "people", "hours"]
STEPS: tuple[Step, ...] = get_args(Step)

_keep = sa.text(
    "INSERT INTO facts (name, value) VALUES ('workspace', :value) ON CONFLICT (name) DO UPDATE SET value = :value"
)


class Workspace(Struct, frozen=True, omit_defaults=True):
    """What was chosen; empty and None: as the settings of the server say. ``hue`` in degrees (OKLCH).

    ``begun``: the house was set up by hand, so the first steps are shown until ``dismissed``. ``hours_id``: the hours made then.
    """

    company: str = ""
    language: str = ""
    hue: int | None = None
    hours_id: int | None = None
    begun: bool = False
    dismissed: bool = False


class State(Struct, frozen=True):
    """The workspace as screens need it; ``left`` are the first steps still to be done, none where nobody is to be reminded."""

    chosen: Workspace = Workspace()
    sample: bool = False
    left: tuple[Step, ...] = ()

    @property
    def reminding(self) -> bool:
        """Are the first steps shown?"""
        return bool(self.left) and self.chosen.begun and not self.chosen.dismissed


def chosen(conn: Connection) -> Workspace:
    """What was chosen so far."""
    value = conn.execute(sa.select(facts.c.value).where(facts.c.name == "workspace")).scalar()
    return msgspec.json.decode(value, type=Workspace) if value else Workspace()


def state(conn: Connection) -> State:
    """The workspace with what is left to do. At most six small statements."""
    found = chosen(conn)
    sample = conn.execute(sa.select(samples.c.id).limit(1)).first() is not None
    if not found.begun or found.dismissed:
        return State(found, sample)
    done = {"company": bool(found.company), "channel": _own(conn, channels), "message": _heard(conn)}
    done |= {"people": _own(conn, employees, 2), "hours": _own(conn, hours)}
    return State(found, sample, tuple(step for step in STEPS if not done[step]))


def _own(conn: Connection, table: sa.Table, most: int = 1) -> bool:
    """Are there so many that are no sample?"""
    mine = sa.select(samples.c.id).where(samples.c.kind == table.name)
    return len(conn.execute(sa.select(table.c.id).where(table.c.id.not_in(mine)).limit(most)).all()) == most


def _heard(conn: Connection) -> bool:
    """Has anything come in on a channel that is no sample?"""
    mine = sa.select(samples.c.id).where(samples.c.kind == "channels")
    own = sa.select(channels.c.id).where(channels.c.id.not_in(mine))
    some = sa.select(messages.c.id).where(messages.c.direction == "in", messages.c.channel_id.in_(own)).limit(1)
    return conn.execute(some).first() is not None


def change(conn: Connection, actor_id: int | None, **values: object) -> Workspace:
    """Choose some of it anew. Raises `Invalid`, with the field's name in front."""
    after = structs.replace(chosen(conn), **values)
    if after.language and after.language not in LANGUAGES:
        raise Invalid(f"“language”: there is no language “{after.language}”.")
    if after.hue is not None and not 0 <= after.hue < 360:
        raise Invalid("“hue”: a colour is an angle from 0 to 359 degrees.")
    after = structs.replace(after, company=clean_line(after.company, 80))
    conn.execute(_keep, {"value": msgspec.json.encode(after).decode()})
    events.append(conn, [NewEvent("workspace.changed", actor_id=actor_id)])
    return after
