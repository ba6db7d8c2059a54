"""How a mail server is reached: encrypted from the start, upgraded, or in the clear on this machine only."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Server(Struct, frozen=True):
    """Where a mail server is and how to log in."""

    host: str
    port: int
    tls: str
    user: str
    password: str


def server(settings: Mapping[str, Any], which: str, ports: Mapping[str, int]) -> Server | None:
    """The settings below ``imap.`` or ``smtp.``; None when there is no host. ``ports``: the usual ones by mode."""
    host = str(settings.get(f"{which}.host") or "").strip()
    if not host:
        return None
    tls = str(settings.get(f"{which}.tls") or "tls")
    port = int(settings.get(f"{which}.port") or ports[tls])
    user = str(settings.get(f"{which}.user") or settings.get("address") or "")
    return Server(host, port, tls, user, str(settings.get(f"{which}.password") or ""))


def check(settings: Mapping[str, Any], which: str) -> None:
    """Raise ValueError in one sentence when the connection would show passwords to the network."""
    host = str(settings.get(f"{which}.host") or "").strip()
    tls = str(settings.get(f"{which}.tls") or "tls")
    if not host:
        return
    if tls not in ("tls", "starttls", "none"):
        raise ValueError(f"{which}.tls is “{tls}”; it can be tls, starttls or none.")
    if tls == "none" and not _is_loopback(host) and not settings.get("allow_plain"):
        raise ValueError(
            f"{which}.tls is none, so passwords and mail would cross the network readable to all. "
            "Use tls or starttls, or set allow_plain when the network is your own."
        )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


_context: ssl.SSLContext | None = None


async def context() -> ssl.SSLContext:
    """The TLS context for all mail servers: certificates and names are checked. Slow to load, so it is kept."""
    global _context
    if _context is None:
        _context = await asyncio.to_thread(ssl.create_default_context)
    return _context
