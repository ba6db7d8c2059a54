"""Who the host page says its visitor is, when the firm's own server has signed it: an HMAC of the user's id, or a JSON Web Token.

The HMAC is ``hex(HMAC-SHA256(secret, user id))`` and proves the id alone. The token is a JWT (RFC 7519) signed by HS256 with ``sub``
and ``exp``; its ``name`` and ``email`` are proven too. Every chat has its own secret, and a token may name the chat's key in ``aud``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import events, identity
from hub.clock import now
from hub.events import NewEvent
from hub.messages import Party
from hub.tables import identities
from hub.text import clean_line

#: Seconds by which the clocks of two servers may differ.
LEEWAY = 60
#: Characters of a user's id, and of a token.
LONGEST_ID, LONGEST_TOKEN = 200, 4000
_MAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>.]+(\.[^@\s<>.]+)+")


class Forged(ValueError):
    """The claim is not what the firm's server signed; the text says why, in English."""


class User(Struct, frozen=True):
    """Somebody the firm knows. ``name`` and ``email`` are empty unless they were signed too."""

    id: str
    name: str = ""
    email: str = ""


class _Head(Struct):
    alg: str
    crit: Any = None


class _Claims(Struct):
    """Of a token. RFC 7519, 4.1; ``email_verified`` as OpenID Connect has it."""

    sub: str
    exp: float
    nbf: float = 0
    aud: str | list[str] = ""
    name: str = ""
    email: str = ""
    email_verified: bool = True


def checked(secret: str, key: str, claim: tuple[str, str, str]) -> User:
    """The user of a claim (user id, signature, token) to the chat with this key. Raises `Forged`."""
    user, signature, token = claim
    if not secret:
        raise Forged("No secret for signed identities is set for this chat.")
    return _by_token(secret, key, token) if token else _by_signature(secret, user, signature)


def sign(secret: str, user: str) -> str:
    """What the firm's server computes for a user's id."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def _by_signature(secret: str, user: str, signature: str) -> User:
    if not hmac.compare_digest(sign(secret, user).encode(), signature.strip().lower().encode()):
        raise Forged("The signature does not fit the user.")
    return User(_id(user))


def _by_token(secret: str, key: str, token: str) -> User:
    if len(token) > LONGEST_TOKEN or token.count(".") != 2:
        raise Forged("The token is no JSON Web Token.")
    signed, _, mac = token.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        if msgspec.json.decode(_bytes(head), type=_Head) != _Head("HS256"):
            raise Forged("The token is not signed by HS256.")
        good = hmac.compare_digest(hmac.digest(secret.encode(), signed.encode(), "sha256"), _bytes(mac))
        if not good:
            raise Forged("The token is not signed with the secret of this chat.")
        claims = msgspec.json.decode(_bytes(body), type=_Claims)
    except (msgspec.MsgspecError, binascii.Error, UnicodeError, RecursionError) as error:
        raise Forged("The token is no JSON Web Token with “sub” and “exp”.") from error
    moment = now() / 1000
    if claims.exp < moment - LEEWAY:
        raise Forged("The token has expired.")
    if claims.nbf > moment + LEEWAY:
        raise Forged("The token is not valid yet.")
    meant = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if claims.aud and key not in meant:
        raise Forged("The token is for another chat.")
    mail = clean_line(claims.email, 254).lower()
    proven = mail if claims.email_verified and _MAIL.fullmatch(mail) else ""
    return User(_id(claims.sub), clean_line(claims.name, 120), proven)


def _id(text: str) -> str:
    if not text or len(text) > LONGEST_ID or clean_line(text, LONGEST_ID) != text:
        raise Forged("The user's id is empty, too long or no single line.")
    return text


def _bytes(part: str) -> bytes:
    """Base64url without padding, strictly (RFC 7515, 2)."""
    return base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)


# ── as a customer ─────────────────────────────────────────────────────────────────────────────────────────────────────
def visitor_id(key: str, user: str) -> str:
    """The visitor that a user of the chat with this key is, on every device. Random visitors' ids never begin with u."""
    return "u" + hashlib.sha256(f"hub visitor {key} {user}".encode()).hexdigest()[:23]


def seal(visitor: str, secret: str) -> str:
    """What a signed visitor's token depends on besides: with another secret it opens nothing any more."""
    return hashlib.sha256(f"hub seal {secret}".encode()).hexdigest()[:24] if visitor.startswith("u") else ""


def meet(conn: Connection, address: str, user: User) -> None:
    """Let a proven user be a known customer: the one with the proven e-mail address, or a new one. Doing it twice changes nothing."""
    mail = f"email:{user.email}" if user.email else ""
    wanted = [address, mail] if mail else [address]
    identity.lock(conn, wanted)
    found = identity.find(conn, wanted)
    i = identities.c
    if address not in found and mail in found:
        identity.attach(conn, found[mail].id, address, user.id)
    elif address not in found:
        known = identity.resolve(conn, [Party(address, user.name or user.id)])[address]
        conn.execute(sa.update(identities).where(i.address == address).values(verified=True, name=user.id))
        if mail:
            identity.attach(conn, known.id, mail, user.name)
        events.append(conn, [NewEvent("customer.created", customer_id=known.id, data={"name": known.name})])
    elif mail and mail not in found:
        identity.attach(conn, found[address].id, mail, user.name)
    if mail in found and found[mail].id == found.get(address, found[mail]).id:
        conn.execute(sa.update(identities).where(i.address == mail, ~i.verified).values(verified=True))
