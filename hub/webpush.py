"""Web Push: a message only one browser can read (RFC 8291), from a sender its push service can tell from others (RFC 8292).

Nothing here touches the network or the database.
"""

from __future__ import annotations

import base64
import json
import os
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

#: Bytes of a payload that every push service takes (RFC 8030, 7.2 asks for 4096 with the frame around it).
LONGEST = 3000
#: Seconds a sender's statement is good for; services refuse more than a day.
GOOD_FOR = 12 * 3600


class Subscription(Struct, frozen=True):
    """Where a browser can be reached: its service's address, its public key (65 bytes), and its secret (16 bytes)."""

    endpoint: str
    public_key: bytes
    secret: bytes


class Invalid(ValueError):
    """This is no subscription that can be used; the text says why."""


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The way back. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


# ── the message ───────────────────────────────────────────────────────────────────────────────────────────────────────
def sealed(
    payload: bytes, to: Subscription, *, salt: bytes = b"", key: ec.EllipticCurvePrivateKey | None = None
) -> bytes:
    """The body of the request: ``payload`` in one aes128gcm record. ``salt`` and ``key`` are fresh unless a test gives them."""
    if len(payload) > LONGEST:
        raise ValueError(f"a payload has at most {LONGEST} bytes")
    salt, key = salt or os.urandom(16), key or ec.generate_private_key(ec.SECP256R1())
    ours = _point(key.public_key())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.public_key)
    shared = key.exchange(ec.ECDH(), theirs)
    mixed = _derived(to.secret, shared, b"WebPush: info\0" + to.public_key + ours, 32)
    content = _derived(salt, mixed, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, mixed, b"Content-Encoding: nonce\0", 12)
    head = salt + (4096).to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + AESGCM(content).encrypt(nonce, payload + b"\x02", None)


def _derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


# ── the sender ────────────────────────────────────────────────────────────────────────────────────────────────────────
def new_key() -> str:
    """A key for this hub, as text to keep secret."""
    return b64(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big"))


def _private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unb64(text), "big"), ec.SECP256R1())


def public_part(text: str) -> str:
    """What browsers are told of the key when they subscribe."""
    return b64(_point(_private(text).public_key()))


def statement(key: str, endpoint: str, contact: str, moment: int) -> str:
    """The Authorization header: who sends this, signed for this push service. ``moment`` in seconds."""
    place = urlsplit(endpoint)
    claims = {"aud": f"{place.scheme}://{place.netloc}", "exp": moment + GOOD_FOR, "sub": contact}
    parts = [b64(json.dumps(part, separators=(",", ":")).encode()) for part in ({"typ": "JWT", "alg": "ES256"}, claims)]
    signed = ".".join(parts)
    r, s = decode_dss_signature(_private(key).sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"vapid t={signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}, k={public_part(key)}"


# ── what browsers tell ────────────────────────────────────────────────────────────────────────────────────────────────
def subscription(endpoint: str, public_key: str, secret: str, *, anywhere: bool = False) -> Subscription:
    """What a browser says of itself, checked. ``anywhere``: also services without TLS (see `is_public`). Raises `Invalid`."""
    place = urlsplit(endpoint) if endpoint.isascii() and endpoint.isprintable() and len(endpoint) <= 2000 else None
    if place is None or not place.hostname or place.username or place.scheme not in ("https", "http"):
        raise Invalid("This is no address of a push service.")
    try:
        port = place.port
    except ValueError as error:
        raise Invalid("This is no address of a push service.") from error
    if not anywhere and (place.scheme != "https" or port not in (None, 443)):
        raise Invalid("This is no address of a push service.")
    try:
        key, shared = unb64(public_key), unb64(secret)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError as error:
        raise Invalid("The keys of this browser cannot be read.") from error
    if len(key) != 65 or len(shared) != 16:
        raise Invalid("The keys of this browser cannot be read.")
    return Subscription(endpoint, key, shared)


#: Networks that lead elsewhere than their addresses say, or that Python counts as public though nobody is there.
_NOT_PUBLIC = tuple(
    ip_network(n)
    for n in (
        "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10", "192.88.99.0/24", "192.0.0.0/24",
    )
)  # fmt: skip


def is_public(address: str) -> bool:
    """Is this the address of a machine on the internet, and of nothing nearer?"""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_global and not found.is_multicast and not any(found in network for network in _NOT_PUBLIC)
