"""Is it really you? For the `api` channel: HMAC-SHA256 over the body with the channel's secret."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from hub.adapter import ChannelConfig

#: What cannot be read is refused with 400 instead of being kept: the sender is a program that wants to know.
REFUSES_UNREADABLE = True


def genuine(channel: ChannelConfig, headers: Mapping[str, str], body: bytes, url: str) -> bool:
    """Header ``X-Hub-Signature-256: sha256=<hex>``. A channel without secret believes nobody."""
    secret = channel.text("secret")
    given = headers.get("X-Hub-Signature-256", "")
    wanted = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    return bool(secret) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
