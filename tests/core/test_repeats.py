"""The same client id again: with the same words it is the same message, with others nothing of them vanishes."""

from __future__ import annotations

from typing import Any

import pytest

from hub import outbox
from hub.repeats import OtherWords
from tests.core.conftest import Rig
from tests.core.test_delivery import Line


@pytest.fixture
async def line(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Line:
    here = Line(rig)
    await here.open(monkeypatch)
    return here


async def attached(line: Line, sha256: str) -> int:
    from hub import uploads

    upload = uploads.Upload("plan.pdf", "application/pdf", 3, sha256)
    return int((await line.rig.hub.db.write(uploads.keep, line.agent.id, [upload]))[0])


async def test_other_words_under_a_known_id_are_refused_with_what_was_sent(line: Line) -> None:
    number = await line.say("We open at nine.", "c1")
    assert await line.say("We open at nine.\r\n", "c1") == number

    with pytest.raises(OtherWords, match=r"with other words: “We open at nine\.”") as refused:
        await line.say("We open at ten.", "c1")

    assert refused.value.message_id == number
    assert await line.rig.count("messages") == 2


async def test_a_file_uploaded_again_is_the_same_file_and_another_one_is_not(line: Line) -> None:
    one, again, other = [await attached(line, sha) for sha in ("a" * 64, "a" * 64, "b" * 64)]
    number = await line.say("See attached", "c1", files=(one,))

    assert await line.say("See attached", "c1", files=(one,)) == number
    assert await line.say("See attached", "c1", files=(again,)) == number
    for files in ((other,), (one, other), ()):
        with pytest.raises(OtherWords):
            await line.say("See attached", "c1", files=files)


async def test_a_note_is_held_to_its_words_too(line: Line) -> None:
    said: list[Any] = [line.agent, line.number, "Called back", "n1"]
    first = await line.rig.hub.db.write(outbox.note, *said)

    assert await line.rig.hub.db.write(outbox.note, *said) == (first[0], False)
    with pytest.raises(OtherWords, match="Called back"):
        await line.rig.hub.db.write(outbox.note, line.agent, line.number, "Called back twice", "n1")
