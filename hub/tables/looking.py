"""What the hub remembers about looking at things: how high a mail is on the screen, whose remote pictures somebody wants to see."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from hub.tables.columns import metadata, number

heights = Table(
    "heights",
    metadata,
    Column("message_id", BigInteger, ForeignKey("messages.id"), primary_key=True),
    number("height"),
)

picture_senders = Table(
    "picture_senders",
    metadata,
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    Column("address", Text, primary_key=True),
)
