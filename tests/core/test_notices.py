"""Who is told of what, and how loudly: the whole table; and Web Push as its RFCs say."""

import base64
import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hub import pushing, webpush
from hub.notices import Case, Mood, Notice, Wishes, decide, is_quiet, minute_of
from hub.secretbox import SecretBox

ALL = Notice(desktop=True, sound="message", push=True)

#: What happened, how the person is, and how they are told.
ROWS = [
    ("a customer wrote to me", Case("message"), Mood(), ALL),
    ("I look at that very conversation", Case("message"), Mood(front="this"), Notice()),
    ("I have another one in front", Case("message"), Mood(front="other"), Notice(sound="message")),
    ("what I wrote did not arrive", Case("failed"), Mood(), ALL),
    ("new in my team's queue", Case("queue", "team"), Mood(), Notice(sound="queue")),
    ("the same while I am away", Case("queue", "team"), Mood(available=False), Notice()),
    ("a call for me", Case("call"), Mood(), Notice(True, "call", True)),
    ("a call while I work", Case("call"), Mood(front="other"), Notice(True, "call")),
    ("I was mentioned", Case("mention"), Mood(), Notice(True, "", True)),
    ("it was given to me", Case("assigned"), Mood(), Notice(True, "", True)),
    ("I took it myself", Case("assigned", own=True), Mood(), Notice()),
    ("my reply is due soon", Case("due"), Mood(), Notice(True)),
    ("my reply is overdue", Case("overdue"), Mood(), Notice(True, "", True)),
    ("a reply of my team is overdue", Case("overdue", "lead"), Mood(), Notice(True)),
    ("my visitor has arrived", Case("visitor"), Mood(), Notice(True, "", True)),
    ("a channel of my hub is down", Case("channel", "admin"), Mood(), Notice(True)),
    ("these are my quiet hours", Case("message"), Mood(quiet=True), Notice()),
    ("somebody who has nothing to do with it", Case("message", "team"), Mood(), Notice()),
]


@pytest.mark.parametrize(("case", "mood", "told"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_table_says_how_somebody_is_told(case: Case, mood: Mood, told: Notice) -> None:
    assert decide(case, mood, Wishes()) == told


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(desktop=False), Notice(False, "message", True)),
        (Wishes(sound=False), Notice(True, "", True)),
        (Wishes(volume=0), Notice(True, "", True)),
        (Wishes(push=False), Notice(True, "message", False)),
        (Wishes(alone=True), Notice()),
    ],
)
def test_what_somebody_has_switched_off_stays_off(wishes: Wishes, told: Notice) -> None:
    assert decide(Case("message"), Mood(), wishes) == told


@pytest.mark.parametrize(
    ("begins", "ends", "quiet"),
    [
        ("18:00", "08:00", [0, 479, 1080, 1439]),
        ("12:00", "13:30", [720, 809]),
        ("12:00", "12:00", []),
        ("", "08:00", []),
        ("25:00", "08:00", []),
    ],
)
def test_quiet_hours_may_go_past_midnight(begins: str, ends: str, quiet: list[int]) -> None:
    wishes = Wishes(quiet_from=begins, quiet_to=ends)
    asked = (0, 479, 480, 720, 809, 810, 1079, 1080, 1439)

    assert [m for m in asked if is_quiet(wishes, m)] == [m for m in asked if m in quiet]


@pytest.mark.parametrize("text", ["", "8:00", "08:60", "24:00", "ab:cd", "08:00:00", "٠٨:00"])
def test_what_is_no_time_of_the_day_is_none(text: str) -> None:
    assert minute_of(text) is None


# ── Web Push ──────────────────────────────────────────────────────────────────────────────────────────────────────────
#: RFC 8291, appendix A.
THEIRS = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
OURS = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_a_payload_is_sealed_as_the_rfc_shows() -> None:
    to = webpush.Subscription("https://push.example", webpush.unb64(THEIRS), webpush.unb64("BTBZMqHH6r4Tts7J_aSIgg"))
    key = ec.derive_private_key(int.from_bytes(webpush.unb64(OURS), "big"), ec.SECP256R1())
    said = b"When I grow up, I want to be a watermelon"

    assert webpush.b64(webpush.sealed(said, to, salt=webpush.unb64("DGv6ra1nlYgDCS1FRnbzlw"), key=key)) == SEALED


def test_the_sender_signs_for_one_service_and_half_a_day() -> None:
    key = webpush.new_key()
    said = webpush.statement(key, "https://push.example/abc?d=1", "mailto:a@firm.example", 1_000_000)

    token, public = said.removeprefix("vapid t=").split(", k=")
    head, claims, signature = token.split(".")
    raw = webpush.unb64(signature)
    checked = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), webpush.unb64(public))
    point.verify(checked, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    assert json.loads(webpush.unb64(claims)) == {
        "aud": "https://push.example",
        "exp": 1_000_000 + 12 * 3600,
        "sub": "mailto:a@firm.example",
    }
    assert public == webpush.public_part(key)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "ftp://push.example/x",
        "http://push.example/x",
        "https://u:p@push.example/x",
        "https://push.example:22/",
        "https://",
    ],
)
def test_only_addresses_of_push_services_are_taken(endpoint: str) -> None:
    with pytest.raises(webpush.Invalid):
        webpush.subscription(endpoint, THEIRS, "BTBZMqHH6r4Tts7J_aSIgg")


@pytest.mark.parametrize(
    ("key", "secret"), [("AAAA", "BTBZMqHH6r4Tts7J_aSIgg"), (THEIRS, "AAAA"), ("!", "!"), ("", "")]
)
def test_keys_that_are_none_are_refused(key: str, secret: str) -> None:
    with pytest.raises(webpush.Invalid):
        webpush.subscription("https://push.example/x", key, secret)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "fec0::1", "224.0.0.1", "192.0.0.192", "fe80::1%eth0", "fd00::1", "100.64.0.1", "push.example",
    ],
)  # fmt: skip
def test_nothing_near_is_a_public_address(address: str) -> None:
    assert not webpush.is_public(address)


def test_what_is_on_the_internet_is_public() -> None:
    assert webpush.is_public("93.184.215.14")
    assert webpush.is_public("2606:4700::6810:84e5")


async def test_a_new_key_of_the_house_leaves_the_key_for_push_as_it_is(db: Any) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    made = await db.write(pushing.key, SecretBox([old]))

    await db.write(pushing.rotate, SecretBox([new, old]))

    assert await db.read(pushing.key, SecretBox([new])) == made
    assert await db.read(pushing.public_key, SecretBox([new])) == webpush.public_part(made)


def test_base64_goes_both_ways() -> None:
    assert webpush.unb64(webpush.b64(b"\xff\xfe\x00")) == b"\xff\xfe\x00"
    assert base64.urlsafe_b64encode(b"\xff\xfe\x00").decode() == webpush.b64(b"\xff\xfe\x00")
