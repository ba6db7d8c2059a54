"""Logs: one line an entry, on standard error; JSON when asked. Secrets never get here: they are a type that prints as ***."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """One JSON object a line, newline-safe."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class TextLines(logging.Formatter):
    """For people; line breaks inside a message are shown as ⏎ so that nobody can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{at} {record.levelname.lower():7} {record.name}: {record.getMessage()}".replace("\n", "⏎").replace(
            "\r", ""
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(style: str, level: str) -> None:
    """Send all logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("aiohttp.access", "asyncio", "alembic", "mail.log", "aioimaplib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
