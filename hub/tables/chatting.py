"""What the web chat remembers besides messages: ratings, answers nobody has read yet, codes to go on elsewhere, where it was seen."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from hub.tables.columns import metadata, ms, number, ref, words

ratings = Table(
    "ratings",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    number("score"),
    ref("channel_id", "channels"),
    ref("employee_id", "employees", null=True),
    ms("at"),
    Index(None, "at"),
)

unread_chats = Table(
    "unread_chats",
    metadata,
    Column("message_id", BigInteger, ForeignKey("messages.id"), primary_key=True),
    ref("conversation_id", "conversations"),
    ms("due_at"),
    Index(None, "due_at"),
    Index(None, "conversation_id"),
)

handovers = Table(
    "handovers",
    metadata,
    Column("code_hash", Text, primary_key=True),
    ref("conversation_id", "conversations"),
    ms("expires_at"),
    Index(None, "conversation_id"),
    Index(None, "expires_at"),
)

chat_sites = Table(
    "chat_sites",
    metadata,
    Column("channel_id", BigInteger, ForeignKey("channels.id"), primary_key=True),
    words("origin"),
    ms("seen_at"),
)
