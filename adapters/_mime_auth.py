"""What the receiving mail server found out about a mail's sender: SPF, DKIM and DMARC, as Authentication-Results says it (RFC 8601).

Only the topmost such header counts: whoever received the mail last wrote it above what the sender may have brought along. It is only used
to warn. So where no server of ours writes one, a sender who forges it wins nothing that they do not have without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from hub.messages import Check

_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"\s*(spf|dkim|dmarc)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_FAILED = frozenset({"fail", "softfail", "hardfail", "policy"})


def failed(headers: Sequence[str]) -> tuple[Check, ...]:
    """The checks that failed and that nothing makes up for: DMARC when it was asked, else SPF and DKIM when neither passed."""
    if not headers:
        return ()
    found: dict[str, set[str]] = {}
    for part in _plain(headers[0][:10_000]).split(";")[1:]:
        if result := _RESULT.match(part):
            found.setdefault(result[1].lower(), set()).add(result[2].lower())
    dmarc = found.get("dmarc", set())
    if dmarc & {"pass", "bestguesspass"}:
        return ()
    if dmarc & _FAILED:
        return ("dmarc",)
    one, other = found.get("spf", set()), found.get("dkim", set())
    if "pass" in one | other:
        return ()
    return tuple(check for check in get_args(Check) if check != "dmarc" and found.get(check, set()) & _FAILED)


def _plain(value: str) -> str:
    """Without comments, which may stand in one another (nobody honest goes deeper than this)."""
    for _ in range(10):
        value = _COMMENT.sub(" ", value)
    return value
