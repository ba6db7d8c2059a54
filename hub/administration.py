"""What administrators set up: channels, employees, teams. Every change writes its event in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, channels, directory, events
from hub.accounts import Invalid
from hub.adapter import Adapter, Secret, load
from hub.channels import ChannelRow
from hub.clock import now
from hub.events import NewEvent
from hub.levels import InUse
from hub.messages import Role
from hub.secretbox import SecretBox
from hub.sql import allocate, among, renew
from hub.tables import channels as channel_rows
from hub.tables import conversations, employees, hours, team_members, teams
from hub.text import by_name, clean_line, fold


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def add_channel(
    conn: Connection,
    box: SecretBox,
    kind: str,
    name: str,
    given: Mapping[str, Any],
    team_id: int | None = None,
    actor_id: int | None = None,
) -> ChannelRow:
    """Make a channel and tell every process. Raises `channels.Invalid`."""
    _team_exists(conn, team_id)
    row = channels.add(conn, box, kind, clean_line(name, 120), given, team_id)
    _told(conn, "channel.added", row.config.id, actor_id, kind=kind, name=row.config.name)
    return row


def change_channel(
    conn: Connection,
    box: SecretBox,
    channel_id: int,
    given: Mapping[str, Any],
    *,
    name: str | None = None,
    team_id: int | msgspec.UnsetType | None = msgspec.UNSET,
    hours_id: int | msgspec.UnsetType | None = msgspec.UNSET,
    actor_id: int | None = None,
) -> ChannelRow | None:
    """Set some settings (a value None unsets), the name, the team, the business hours; None when there is no such channel.

    Raises `channels.Invalid`.
    """
    row = channels.one(conn, box, channel_id)
    if row is None:
        return None
    if team_id is not msgspec.UNSET:
        _team_exists(conn, team_id)
    if isinstance(hours_id, int) and not conn.execute(sa.select(hours.c.id).where(hours.c.id == hours_id)).first():
        raise channels.Invalid(f"“hours”: there are no business hours {hours_id}.")
    new_name = clean_line(name, 120) if name is not None else None
    changed = channels.change(conn, box, row, given, name=new_name, team_id=team_id, hours_id=hours_id)
    _told(conn, "channel.changed", channel_id, actor_id, settings=sorted(given), name=changed.config.name)
    return changed


def remove_channel(conn: Connection, channel_id: int, actor_id: int | None = None) -> bool:
    """Take a channel out of use; its messages stay. False when there is none."""
    if not channels.remove(conn, channel_id):
        return False
    _told(conn, "channel.removed", channel_id, actor_id)
    return True


def webhook_url(row: ChannelRow, public_url: str) -> str | None:
    """Where the provider sends to, None for channels without webhooks."""
    provider = adapter_of(row).provider
    return f"{public_url.rstrip('/')}/webhooks/{provider}/{row.config.key}" if provider else None


def widget_url(row: ChannelRow, public_url: str) -> str | None:
    """The page of the hub by which customers reach the channel, None for channels without one."""
    return f"{public_url.rstrip('/')}/w/{row.config.key}" if adapter_of(row).widget else None


def masked(row: ChannelRow) -> dict[str, Any]:
    """The settings for people's eyes: a secret shows only that it is set."""
    return {key: {"set": True} if isinstance(value, Secret) else value for key, value in row.config.settings.items()}


def adapter_of(row: ChannelRow) -> type[Adapter]:
    """The class behind a channel; one that can do nothing when this version does not know its kind."""
    try:
        return load(row.config.kind)
    except ValueError:
        return Adapter  # the kind is gone from this version; the channel can still be shown and removed


def _told(conn: Connection, what: str, channel_id: int, actor_id: int | None, **data: object) -> None:
    events.append(conn, [NewEvent(what, channel_id=channel_id, actor_id=actor_id, data=data)])


def _team_exists(conn: Connection, team_id: int | None) -> None:
    if team_id is not None and conn.execute(sa.select(teams.c.id).where(teams.c.id == team_id)).first() is None:
        raise channels.Invalid(f"There is no team {team_id}.")


# ── employees ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def change_employee(
    conn: Connection,
    employee_id: int,
    *,
    name: str | None = None,
    role: str | None = None,
    disabled: bool | None = None,
    actor_id: int | None = None,
) -> bool:
    """Change what is given; False when there is no such employee. Raises `Invalid` for the last administrator."""
    row = conn.execute(sa.select(employees).where(employees.c.id == employee_id)).first()
    if row is None:
        return False
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = clean_line(name, 120) or row.email
    if role is not None and role != row.role:
        if role not in get_args(Role):
            raise Invalid(f"There is no role “{role}”. Roles: {', '.join(get_args(Role))}.")
        if row.role == "admin":
            _another_administrator(conn, employee_id)
        values["role"] = role
    if disabled is True and row.disabled_at is None:
        accounts.disable(conn, employee_id)
    elif disabled is False and row.disabled_at is not None:
        values["disabled_at"] = None
    if values:
        conn.execute(sa.update(employees).where(employees.c.id == employee_id).values(values))
        renew(conn, "directory")
    data = {"employee": str(employee_id), "changed": sorted({*values, *(["disabled"] if disabled is not None else [])})}
    events.append(conn, [NewEvent("employee.changed", actor_id=actor_id, data=data)])
    return True


def _another_administrator(conn: Connection, employee_id: int) -> None:
    e = employees.c
    others = sa.select(e.id).where(e.role == "admin", e.disabled_at.is_(None), e.id != employee_id).limit(1)
    if conn.execute(others).first() is None:
        raise Invalid("This is the last administrator. Make another one first.")


# ── teams ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def add_team(conn: Connection, name: str, slug: str = "", actor_id: int | None = None) -> int:
    """Make a team; its id. Raises `Invalid` for an empty or taken name."""
    name = clean_line(name, 120)
    slug = re.sub(r"[^a-z0-9]+", "-", fold(slug or name)).strip("-")[:60]
    if not slug:
        raise Invalid("A team needs a name with letters or digits.")
    if conn.execute(sa.select(teams.c.id).where(teams.c.slug == slug)).first():
        raise Invalid(f"There is already a team “{slug}”.")
    number = allocate(conn, "people", 1)[0]
    conn.execute(sa.insert(teams).values(id=number, slug=slug, name=name, created_at=now()))
    renew(conn, "directory")
    events.append(conn, [NewEvent("team.added", actor_id=actor_id, data={"team": str(number), "name": name})])
    return number


def set_members(conn: Connection, team_id: int, members: Sequence[int], actor_id: int | None = None) -> bool:
    """Replace who is in the team; False when there is no such team. Raises `Invalid` for unknown employees."""
    if conn.execute(sa.select(teams.c.id).where(teams.c.id == team_id)).first() is None:
        return False
    wanted = sorted(set(members))
    known = set(conn.execute(sa.select(employees.c.id).where(among(employees.c.id, wanted))).scalars())
    if missing := [str(n) for n in wanted if n not in known]:
        raise Invalid(f"There is no employee {', '.join(missing)}.")
    conn.execute(sa.delete(team_members).where(team_members.c.team_id == team_id))
    if wanted:
        conn.execute(sa.insert(team_members), [{"team_id": team_id, "employee_id": n} for n in wanted])
    renew(conn, "directory")
    data = {"team": str(team_id), "members": [str(n) for n in wanted]}
    events.append(conn, [NewEvent("team.changed", actor_id=actor_id, data=data)])
    return True


def remove_team(conn: Connection, team_id: int, actor_id: int | None = None) -> bool:
    """Remove a team that nothing belongs to; False when there is none. Raises `levels.InUse`."""
    row = conn.execute(sa.select(teams.c.name).where(teams.c.id == team_id)).first()
    if row is None:
        return False
    renew(conn, "directory")
    if users := _team_users(conn, team_id):
        raise InUse(f"The team “{row.name}” is in use: {', '.join(users)}. Change that first, or take its members out.")
    ch = channel_rows.c
    gone = sa.update(channel_rows).where(ch.team_id == team_id, ch.removed_at.is_not(None))
    conn.execute(gone.values(team_id=None))
    conn.execute(sa.delete(team_members).where(team_members.c.team_id == team_id))
    conn.execute(sa.delete(teams).where(teams.c.id == team_id))
    events.append(conn, [NewEvent("team.removed", actor_id=actor_id, data={"team": str(team_id), "name": row.name})])
    return True


def _team_users(conn: Connection, team_id: int) -> list[str]:
    """What needs the team, in words. Closed conversations count: what was said stays where it was said."""
    ch, name = channel_rows.c, str(team_id)
    named = sa.select(ch.name).where(ch.team_id == team_id, ch.removed_at.is_(None)).order_by(ch.name).limit(5)
    found = [f"channel “{n}”" for n in conn.execute(named).scalars()]
    asking = [rule for rule in directory.rules(conn) if rule.target.team == name or name in rule.conditions.teams]
    found += [f"rule “{rule.name or rule.kind}”" for rule in asking[:5]]
    d = directory.current(conn)
    found += [f"service level “{p.name}”" for p in d.policies if name in p.conditions.teams]
    if conn.execute(sa.select(conversations.c.id).where(conversations.c.team_id == team_id).limit(1)).first():
        found.append("conversations")
    return found


def all_teams(conn: Connection) -> list[tuple[Any, list[int]]]:
    """Every team with its members."""
    inside: dict[int, list[int]] = {}
    for team, employee in conn.execute(
        sa.select(team_members.c.team_id, team_members.c.employee_id).order_by(team_members.c.employee_id)
    ):
        inside.setdefault(team, []).append(employee)
    rows = sorted(conn.execute(sa.select(teams)), key=lambda row: (by_name(row.name), row.id))
    return [(row, inside.get(row.id, [])) for row in rows]
