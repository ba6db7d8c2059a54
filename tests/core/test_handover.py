"""“Continue on …”: the code proves whose conversation it is, once, for an hour, on another channel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub import handover
from tests.core.conftest import Rig, message


async def begun(rig: Rig) -> tuple[int, int, int]:
    """Two channels, and a conversation on the first."""
    first, second = await rig.channel(), await rig.channel()
    await rig.hear(first, message("Hello"))
    return first, second, await rig.scalar("SELECT max(id) FROM conversations")


async def where(rig: Rig, text: str) -> int:
    return int(await rig.scalar("SELECT conversation_id FROM messages WHERE text = :text", text=text))


async def test_a_message_with_the_code_goes_on_with_the_conversation_and_so_do_those_after_it(rig: Rig) -> None:
    first, second, home = await begun(rig)
    code, _ = await rig.hub.db.write(handover.make, home)

    await rig.hear(second, message(f"Here I am: {code.lower()}", who="api:elsewhere"))
    await rig.hear(second, message("And one more thing", who="api:elsewhere"))

    assert await where(rig, f"Here I am: {code.lower()}") == home
    assert await where(rig, "And one more thing") == home
    assert await rig.count("customers") == 1
    assert await rig.scalar("SELECT channel_id FROM conversations") == second
    assert await rig.count("handovers") == 0
    assert first != second


async def test_a_code_is_good_once(rig: Rig) -> None:
    _, second, home = await begun(rig)
    code, _ = await rig.hub.db.write(handover.make, home)

    await rig.hear(second, message(f"one {code}", who="api:one"))
    await rig.hear(second, message(f"two {code}", who="api:two"))

    assert await where(rig, f"one {code}") == home
    assert await where(rig, f"two {code}") != home


async def test_two_with_the_same_code_at_once_only_one_gets_in(rig: Rig) -> None:
    _, second, home = await begun(rig)
    code, _ = await rig.hub.db.write(handover.make, home)

    await rig.hear(second, message(f"one {code}", who="api:one"), message(f"two {code}", who="api:two"))

    assert [await where(rig, f"{who} {code}") == home for who in ("one", "two")] == [True, False]


@pytest.mark.parametrize("wrong", ["HUB-22222-22222", "HUB-2222-22222", "HUB-ÄÄÄÄÄ-22222", ""])
async def test_a_guessed_code_opens_nothing(rig: Rig, wrong: str) -> None:
    _, second, home = await begun(rig)
    await rig.hub.db.write(handover.make, home)

    await rig.hear(second, message(f"let me in {wrong}", who="api:stranger"))

    assert await where(rig, f"let me in {wrong}") != home
    assert await rig.count("customers") == 2


async def test_after_an_hour_the_code_opens_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    _, second, home = await begun(rig)
    code, until = await rig.hub.db.write(handover.make, home)
    later: Callable[[], int] = lambda: until + 1  # noqa: E731
    monkeypatch.setattr("hub.handover.now", later)

    await rig.hear(second, message(f"late {code}", who="api:late"))

    assert await where(rig, f"late {code}") != home


async def test_a_known_customer_stays_who_they_are(rig: Rig) -> None:
    _, second, home = await begun(rig)
    await rig.hear(second, message("I was here before", who="api:known"))
    code, _ = await rig.hub.db.write(handover.make, home)

    await rig.hear(second, message(f"joining {code}", who="api:known"))

    assert await where(rig, f"joining {code}") == home
    assert await rig.count("customers") == 2
