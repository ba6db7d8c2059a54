"""Employees and how they prove who they are: passwords (argon2id), sessions, API tokens, one-time links.

Tokens are 256 random bits, shown once and kept as SHA-256. Hashing a password takes 19 MiB and about 40 ms: call `hash_password`
and `check_password` in a thread, a few at a time.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Any, get_args

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.engine import Connection

from hub.access import Actor, load_teams
from hub.clock import now
from hub.messages import Role
from hub.sql import allocate, renew
from hub.tables import employees, one_time_links, sessions, tokens
from hub.text import by_name, clean_line

#: OWASP's second recommendation: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


@functools.cache
def _nobody() -> str:
    """A hash nobody knows the password of: unknown people take as long to refuse as known ones."""
    return _hasher.hash(secrets.token_hex(16))


SESSION_IDLE = 8 * 3600_000
SESSION_LONGEST = 7 * 86_400_000
LINK_LIFE = 24 * 3600_000


class Invalid(ValueError):
    """What was given cannot be; one sentence says what is expected."""


def token_hash(token: str) -> str:
    """What is kept of a token: its SHA-256 in hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def hash_password(password: str) -> str:
    """Raises `Invalid` for a password shorter than 8 or longer than 128 characters."""
    if not 8 <= len(password) <= 128:
        raise Invalid("A password has 8 to 128 characters; 12 or more are better.")
    return _hasher.hash(password)


def check_password(stored: str | None, password: str) -> bool:
    """Is it this password? Takes as long for unknown people."""
    try:
        return _hasher.verify(stored or _nobody(), password[:128]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def clean_email(text: str) -> str:
    """An e-mail address as employees have it. Raises `Invalid` for what cannot be one."""
    email = clean_line(text, 254).lower()
    if email.count("@") != 1 or email.startswith("@") or email.endswith("@") or " " in email:
        raise Invalid(f"“{email}” is no e-mail address.")
    return email


def add_employee(
    conn: Connection, email: str, name: str, role: str, password_hash: str | None, language: str = "en"
) -> int:
    """Make an employee. Raises `Invalid` for a taken or impossible e-mail address or an unknown role."""
    email = clean_email(email)
    if role not in get_args(Role):
        raise Invalid(f"There is no role “{role}”. Roles: {', '.join(get_args(Role))}.")
    if conn.execute(sa.select(employees.c.id).where(employees.c.email == email)).first():
        raise Invalid(f"There is already an employee {email}.")
    number = allocate(conn, "people", 1)[0]
    conn.execute(
        sa.insert(employees).values(
            id=number,
            email=email,
            name=clean_line(name, 120) or email,
            role=role,
            language=language,
            password_hash=password_hash,
            created_at=now(),
        )
    )
    renew(conn, "directory")
    return number


def by_email(conn: Connection, email: str) -> Any | None:
    """The active employee's row, or None."""
    statement = sa.select(employees).where(
        employees.c.email == clean_line(email, 254).lower(), employees.c.disabled_at.is_(None)
    )
    return conn.execute(statement).first()


def all_employees(conn: Connection) -> list[Any]:
    """Every employee, disabled ones too."""
    return list(conn.execute(sa.select(employees).order_by(employees.c.id)))


def actor(conn: Connection, employee_id: int) -> Actor | None:
    """The employee as somebody who acts, or None when disabled or unknown."""
    row = conn.execute(
        sa.select(employees).where(employees.c.id == employee_id, employees.c.disabled_at.is_(None))
    ).first()
    return _actor(conn, row) if row else None


def _actor(conn: Connection, row: Any) -> Actor:
    return Actor(row.id, row.name, row.email, row.role, load_teams(conn, row.id), row.language or "en")


def set_password(conn: Connection, employee_id: int, password_hash: str) -> None:
    """A new password ends every session."""
    conn.execute(sa.update(employees).where(employees.c.id == employee_id).values(password_hash=password_hash))
    end_sessions(conn, employee_id)


def disable(conn: Connection, employee_id: int) -> None:
    """Nobody of that name any more: sessions and tokens end with it. Raises `Invalid` for the last administrator."""
    others = sa.select(employees.c.id).where(
        employees.c.role == "admin", employees.c.disabled_at.is_(None), employees.c.id != employee_id
    )
    row = conn.execute(sa.select(employees.c.role).where(employees.c.id == employee_id)).first()
    if row and row.role == "admin" and conn.execute(others.limit(1)).first() is None:
        raise Invalid("This is the last administrator. Make another one first.")
    conn.execute(sa.update(employees).where(employees.c.id == employee_id).values(disabled_at=now()))
    renew(conn, "directory")
    conn.execute(
        sa.update(tokens)
        .where(tokens.c.employee_id == employee_id, tokens.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    end_sessions(conn, employee_id)


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def open_session(conn: Connection, employee_id: int, user_agent: str) -> str:
    """A new session's token, for the cookie."""
    token = secrets.token_urlsafe(32)
    conn.execute(
        sa.insert(sessions).values(
            token_hash=token_hash(token),
            employee_id=employee_id,
            created_at=now(),
            seen_at=now(),
            user_agent=clean_line(user_agent, 200),
        )
    )
    return token


def session_actor(conn: Connection, token: str) -> tuple[Actor, bool] | None:
    """Whose session it is, and whether its last-seen time should be renewed; None when it is none or too old."""
    moment, s = now(), sessions.c
    statement = (
        sa.select(employees, s.seen_at)
        .join(sessions, s.employee_id == employees.c.id)
        .where(
            s.token_hash == token_hash(token),
            s.seen_at > moment - SESSION_IDLE,
            s.created_at > moment - SESSION_LONGEST,
            employees.c.disabled_at.is_(None),
        )
    )
    row = conn.execute(statement).first()
    return (_actor(conn, row), row.seen_at < moment - 60_000) if row else None


def touch_session(conn: Connection, token: str) -> None:
    """The session was used just now."""
    conn.execute(sa.update(sessions).where(sessions.c.token_hash == token_hash(token)).values(seen_at=now()))


def close_session(conn: Connection, token: str) -> None:
    """Sign out."""
    conn.execute(sa.delete(sessions).where(sessions.c.token_hash == token_hash(token)))


def end_sessions(conn: Connection, employee_id: int) -> None:
    """Sign an employee out everywhere."""
    conn.execute(sa.delete(sessions).where(sessions.c.employee_id == employee_id))


def prune(conn: Connection) -> None:
    """Forget sessions and links that have run out."""
    moment = now()
    old = sa.or_(sessions.c.seen_at < moment - SESSION_IDLE, sessions.c.created_at < moment - SESSION_LONGEST)
    conn.execute(sa.delete(sessions).where(old))
    conn.execute(sa.delete(one_time_links).where(one_time_links.c.expires_at < moment))


# ── API tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────
def add_token(conn: Connection, employee_id: int, name: str) -> tuple[int, str]:
    """A new API token: (id, the token, shown this once)."""
    token, number = "hub_" + secrets.token_urlsafe(32), allocate(conn, "people", 1)[0]
    conn.execute(
        sa.insert(tokens).values(
            id=number,
            employee_id=employee_id,
            name=clean_line(name, 120),
            token_hash=token_hash(token),
            created_at=now(),
        )
    )
    return number, token


def token_actor(conn: Connection, token: str) -> Actor | None:
    """Whose API token it is, or None."""
    statement = (
        sa.select(employees)
        .join(tokens, tokens.c.employee_id == employees.c.id)
        .where(
            tokens.c.token_hash == token_hash(token), tokens.c.revoked_at.is_(None), employees.c.disabled_at.is_(None)
        )
    )
    row = conn.execute(statement).first()
    return _actor(conn, row) if row else None


def all_tokens(conn: Connection) -> list[Any]:
    """Every API token without its secret, revoked ones too."""
    columns = (tokens.c.id, tokens.c.name, employees.c.email, tokens.c.created_at, tokens.c.revoked_at)
    return list(
        conn.execute(sa.select(*columns).join(employees, employees.c.id == tokens.c.employee_id).order_by(tokens.c.id))
    )


def revoke_token(conn: Connection, token_id: int) -> bool:
    """The token works no more; False when it did not before."""
    statement = sa.update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    return conn.execute(statement.values(revoked_at=now())).rowcount == 1


# ── the first administrator ───────────────────────────────────────────────────────────────────────────────────────────
def setup_needed(conn: Connection) -> bool:
    """Is there nobody yet?"""
    return conn.execute(sa.select(employees.c.id).limit(1)).first() is None


def make_setup_link(conn: Connection) -> str:
    """A fresh one-time token that leads to the first administrator; older ones end."""
    conn.execute(sa.delete(one_time_links).where(one_time_links.c.purpose == "setup"))
    token = secrets.token_urlsafe(24)
    conn.execute(
        sa.insert(one_time_links).values(token_hash=token_hash(token), purpose="setup", expires_at=now() + LINK_LIFE)
    )
    return token


def setup_link_works(conn: Connection, token: str) -> bool:
    """Would `first_administrator` take this token now?"""
    l = one_time_links.c  # noqa: E741
    statement = sa.select(l.token_hash).where(
        l.token_hash == token_hash(token), l.purpose == "setup", l.used_at.is_(None), l.expires_at > now()
    )
    return bool(token) and conn.execute(statement).first() is not None


def first_administrator(
    conn: Connection, token: str, email: str, name: str, password_hash: str, language: str = "en"
) -> int:
    """Make the first administrator; exactly one of many at once succeeds. Raises `Invalid`."""
    l = one_time_links.c  # noqa: E741
    used = sa.update(one_time_links).where(
        l.token_hash == token_hash(token), l.purpose == "setup", l.used_at.is_(None), l.expires_at > now()
    )
    if not token or conn.execute(used.values(used_at=now())).rowcount != 1 or not setup_needed(conn):
        raise Invalid("This link has been used or has run out. Restart the hub for a new one, or use “hub user add”.")
    return add_employee(conn, email, name, "admin", password_hash, language)


def administrators(conn: Connection, most: int) -> list[tuple[str, str]]:
    """Names and addresses of those who can change things, the longest here first; by name."""
    e = employees.c
    asked = sa.select(e.name, e.email).where(e.role == "admin", e.disabled_at.is_(None)).order_by(e.id).limit(most)
    return sorted(((row.name, row.email) for row in conn.execute(asked)), key=lambda row: by_name(row[0]))
