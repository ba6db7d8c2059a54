"""Access tokens for mail servers that want XOAUTH2: a refresh token is exchanged for them (RFC 6749 6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from hub.messages import Refused, TryLater
from hub.text import clean_line

#: Seconds for the whole exchange.
DEADLINE = 15.0


class Tokens:
    """The access token of one channel, renewed a minute before it runs out."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    @property
    def wanted(self) -> bool:
        """Whether the channel is set up for OAuth."""
        return bool(self._settings.get("oauth.token_url") and self._settings.get("oauth.refresh_token"))

    def forget(self) -> None:
        """The server did not like the token: get another one next time."""
        self._until = 0.0

    async def get(self) -> str:
        """A token that is good for at least a minute. Raises `TryLater`, or `Refused` with the provider's words."""
        async with self._lock:
            if time.monotonic() >= self._until:
                answer = await self._exchange()
                self._token = str(answer["access_token"])
                lifetime = answer.get("expires_in", 3600)
                self._until = time.monotonic() + (float(lifetime) if isinstance(lifetime, int | float) else 3600) - 60
            return self._token

    async def _exchange(self) -> dict[str, Any]:
        import aiohttp  # here, because the worker that reads mail does without

        form = {
            "grant_type": "refresh_token",
            "refresh_token": str(self._settings["oauth.refresh_token"]),
            "client_id": str(self._settings.get("oauth.client_id") or ""),
            "client_secret": str(self._settings.get("oauth.client_secret") or ""),
        }
        url = str(self._settings["oauth.token_url"])
        form = {key: value for key, value in form.items() if value}
        try:
            async with (
                asyncio.timeout(DEADLINE),
                aiohttp.ClientSession() as session,
                session.post(url, data=form, allow_redirects=False) as answer,
            ):
                status = answer.status
                said = await answer.content.read(100_000)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TryLater(f"The token server did not answer ({type(error).__name__}).") from error
        return _understood(status, said)


def _understood(status: int, said: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(said)
    except msgspec.DecodeError:
        answer = None
    if status == 200 and isinstance(answer, dict) and answer.get("access_token"):
        return answer
    words = f"HTTP {status}"
    if isinstance(answer, dict) and answer.get("error"):
        words = clean_line(f"{answer['error']}: {answer.get('error_description', '')}", 300)
    if status >= 500 or status == 429:
        raise TryLater(f"The token server did not answer ({words}).")
    raise Refused(f"The token server refused: {words}")
