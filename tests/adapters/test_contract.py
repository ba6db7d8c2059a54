"""The promises every adapter makes, held against every file in adapters/. Adding an adapter or a sample adds no code here."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.adapter import Adapter, ChannelConfig, Secret, kinds, load
from hub.messages import Envelope, Reading, Unreadable

SAMPLES = Path(__file__).parent.parent / "samples"
KINDS = kinds()
FILES = sorted(p for p in SAMPLES.rglob("*") if p.is_file() and not p.name.endswith(".expected.json"))
ADDRESS = re.compile(r"[a-z]+:[^\s\x00-\x1f]{1,400}")


def said(adapter: type[Adapter], body: bytes) -> Reading | None:
    try:
        return adapter.read(Envelope(1, body, "test", 1_764_000_000_000))
    except Unreadable as error:
        assert len(str(error)) > 5
        return None


def shown(reading: Reading) -> Any:
    found = msgspec.to_builtins(reading, builtin_types=(bytes,))
    for message in found["messages"]:
        if not message["failed_checks"]:
            del message["failed_checks"]
        for file in message["files"]:
            file["data"] = file["data"].decode("latin-1") if len(file["data"]) < 80 else f"{len(file['data'])} bytes"
    return json.loads(json.dumps(found))


def check(adapter: type[Adapter], reading: Reading) -> None:
    """What holds for every reading."""
    for message in reading.messages:
        assert message.provider_id
        assert ADDRESS.fullmatch(message.sender.address), message.sender.address
        assert message.sender.address.startswith(adapter.traits.address_kind + ":")
        assert message.at is None or isinstance(message.at, int)
        for line in (message.subject, message.sender.name, *(p.name for p in (*message.to, *message.cc))):
            assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]", line), line
        assert not re.search(r"[\x00\ud800-\udfff]", message.text + message.html + message.visible_text)
        for file in message.files:
            assert isinstance(file.data, bytes)


def test_every_kind_has_samples() -> None:
    assert {p.parent.name for p in FILES} == set(KINDS)


@pytest.mark.parametrize("sample", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_sample_is_read_as_the_file_beside_it_says(sample: Path) -> None:
    adapter = load(sample.parent.name)
    reading = said(adapter, sample.read_bytes())

    assert reading is not None
    check(adapter, reading)
    beside = sample.with_suffix(".expected.json")
    wanted = json.loads(beside.read_text())
    assert "messages" not in wanted or shown(reading) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_nonsense_is_unreadable_or_says_something_sound(kind: str) -> None:
    adapter = load(kind)
    dice = random.Random(7)
    bodies = [p.read_bytes() for p in FILES if p.parent.name == kind]
    mutated = [b"", b"\0" * 100, b"[" * 20_000, b"{" * 20_000, b"\xff\xfe" * 50]
    for _ in range(300):
        body = bytearray(dice.choice(bodies))
        for _ in range(dice.randint(1, 12)):
            where = dice.randrange(len(body))
            body[where : where + dice.randint(0, 5)] = dice.randbytes(dice.randint(0, 5))
        mutated.append(bytes(body))
    understood = 0
    for body in mutated:
        reading = said(adapter, body)
        if reading is not None:
            check(adapter, reading)
            understood += 1
    assert understood < len(mutated)


@pytest.mark.parametrize("kind", KINDS)
def test_reading_is_pure(kind: str) -> None:
    adapter = load(kind)
    for sample in (p for p in FILES if p.parent.name == kind):
        assert said(adapter, sample.read_bytes()) == said(adapter, sample.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_it_describes_itself_in_both_languages(kind: str) -> None:
    adapter = load(kind)

    assert adapter.kind == kind
    assert set(adapter.labels) >= {"en", "de"}
    keys = [s.key for s in adapter.settings]
    assert len(keys) == len(set(keys))
    for setting in adapter.settings:
        assert set(setting.labels) >= {"en", "de"}, setting.key
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", setting.key)
        assert (setting.type == "choice") == bool(setting.choices)
        assert bool(re.search(r"password|secret|token$", setting.key)) <= (setting.type == "secret"), setting.key


@pytest.mark.parametrize("kind", KINDS)
def test_its_traits_are_honest(kind: str) -> None:
    adapter = load(kind)
    own = type(adapter)

    assert own is type
    assert not adapter.traits.can_send or adapter.send is not Adapter.send
    assert not adapter.pulls or adapter.pull is not Adapter.pull
    assert adapter.traits.repeat in ("safe", "once", "never")
    assert not adapter.traits.heavy or adapter.placeholder is not Adapter.placeholder


@pytest.mark.parametrize("kind", KINDS)
async def test_it_can_be_made_and_closed_without_any_network(kind: str) -> None:
    adapter = load(kind)
    settings = {s.key: Secret("x") if s.type == "secret" else s.default for s in adapter.settings}
    made = adapter(ChannelConfig(1, kind, "Test", "key", settings))

    await made.close()
    assert made.channel.kind == kind


def test_a_secret_never_prints() -> None:
    assert (
        "hunter2"
        not in f"{Secret('hunter2')!r} {[Secret('hunter2')]} {ChannelConfig(1, 'x', 'n', 'k', {'p': Secret('hunter2')})!r}"
    )
