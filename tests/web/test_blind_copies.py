"""Who gets a blind copy is told of by no header and no server: it leaves as a mail of its own."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest
import sqlalchemy as sa

from config.twins.smtp import SmtpTwin
from hub.tables import employees
from tests.web.conftest import running
from tests.web.test_recipients import given, mailbox

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


async def test_a_blind_copy_leaves_by_itself_and_nobody_sees_it(settings: Any, monkeypatch: Any) -> None:
    async with SmtpTwin() as server, running(settings(), monkeypatch) as site:
        await site.write(
            lambda c: c.execute(sa.update(employees).values(undo_seconds=0))
        )  # nobody wants second thoughts
        number = await mailbox(site, port=server.port)
        anna = await site.signed_in()
        sent = given(await anna.get(f"/c/{number}")) | {"text": "Hi"}
        sent |= {"cc": "boss@home.example", "bcc": "chief@firm.example, spy@other.example"}
        await anna.post(f"/c/{number}/reply", sent)
        mails = await server.wait_for(3)

    assert sorted(sorted(m.recipients) for m in mails) == [
        ["boss@home.example", "kim@home.example"],
        ["chief@firm.example"],
        ["spy@other.example"],
    ]
    for mail in mails:
        said = email.message_from_bytes(mail.raw, policy=email.policy.default)
        assert (str(said["To"]), str(said["Cc"]), said["Bcc"]) == ("Kim <kim@home.example>", "boss@home.example", None)
        assert b"chief@" not in mail.raw and b"spy@" not in mail.raw
