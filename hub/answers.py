"""What counts as an answer to a customer: what left for them. A forward shows what they said to somebody else; they wait on."""

from __future__ import annotations

import sqlalchemy as sa

from hub.sql import lit
from hub.tables import messages


def is_answer() -> sa.ColumnElement[bool]:
    """Is this message an answer? Reads `messages.details`, so ask it of few rows: those of a conversation, found by an index.

    A key with a quote before its colon stands there only where `hub.messages.Details` names what was forwarded: in texts, quotes
    are escaped.
    """
    m = messages.c
    return sa.and_(m.direction == lit("out"), ~m.details.contains('"forwarded":', autoescape=True))
