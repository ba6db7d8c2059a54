"""What the receiving server found out about the sender, and when that is worth a warning."""

import pytest

from adapters import _mime_auth
from tests.adapters.test_email_read import mail, read

OURS = "Authentication-Results: mx.firm.example; "


@pytest.mark.parametrize(
    ("results", "failed"),
    [
        ("spf=pass smtp.mailfrom=a@x.example; dkim=pass header.d=x.example; dmarc=pass header.from=x.example", ()),
        ("dmarc=fail (p=none dis=none) header.from=bank.example; spf=pass; dkim=pass", ("dmarc",)),
        ("spf=fail; dkim=fail; dmarc=pass", ()),
        ("spf=fail smtp.mailfrom=bank.example; dkim=none", ("spf",)),
        ("spf=softfail; dkim=fail (bad signature)", ("spf", "dkim")),
        ("spf=fail; dkim=pass header.d=list.example", ()),
        ("dkim=fail; dkim=pass header.d=x.example", ()),
        ("spf=neutral; dkim=neutral; dmarc=none", ()),
        ("spf=temperror; dkim=permerror", ()),
        ("none", ()),
        ("SPF = Fail (sender (not) allowed; dkim=pass) smtp.mailfrom=x.example", ("spf",)),
        ('spf=fail reason="dmarc=pass"', ("spf",)),
    ],
)
def test_a_warning_needs_a_check_that_failed_and_none_that_makes_up_for_it(
    results: str, failed: tuple[str, ...]
) -> None:
    message = read(mail(f"From: a@x.example\n{OURS}{results}"))

    assert message.failed_checks == failed


def test_what_the_sender_brought_along_below_the_servers_word_counts_for_nothing() -> None:
    forged = "Authentication-Results: mx.firm.example; dmarc=pass"

    assert read(mail(f"{OURS}dmarc=fail\nReceived: from x\n{forged}\nFrom: a@x.example")).failed_checks == ("dmarc",)
    assert read(mail("From: a@x.example")).failed_checks == ()


def test_a_folded_header_and_endless_nonsense_are_read_quickly() -> None:
    folded = b"Authentication-Results: mx;\r\n spf=fail;\r\n\tdkim=none\r\nFrom: a@x.example\r\n\r\nHi"

    assert read(folded).failed_checks == ("spf",)
    assert _mime_auth.failed(["mx; " + "(" * 50_000]) == ()
    assert _mime_auth.failed(["mx; " + "()" * 50_000 + ";spf=fail"]) == ()
