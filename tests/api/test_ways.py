"""By which channels a customer can be answered: what they wrote on last comes first, and a window that has closed says so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from adapters.api import Channel
from hub import ways
from tests.api.conftest import House
from tests.api.test_people import north

DAY = 24 * ways.HOUR


@pytest.fixture
def windowed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The firm's api channels take free text for 24 hours only, as messengers do."""
    monkeypatch.setattr(Channel, "traits", msgspec.structs.replace(Channel.traits, window_hours=24))


async def found(house: House, home: int) -> list[ways.Way]:
    question = sa.text("SELECT customer_id, channel_id FROM conversations WHERE id = :n")
    customer, channel = await house.hub.db.read(lambda c: tuple(c.execute(question, {"n": home}).one()))
    made: list[ways.Way] = await house.hub.db.read(ways.of, house.hub.channels, customer, channel)
    return made


async def earlier(house: House, ms: int) -> None:
    """Everything that was said was said so much earlier."""
    await house.hub.db.write(lambda c: c.execute(sa.text("UPDATE events SET at = at - :ms"), {"ms": ms}))


def test_a_window_counts_from_what_came_in_and_never_having_written_is_no_window() -> None:
    traits = msgspec.structs.replace(Channel.traits, window_hours=24)

    assert ways.window(traits, 1000) == 1000 + DAY
    assert ways.window(traits, 0) == 0
    assert ways.window(Channel.traits, 0) is None


async def test_the_channel_they_wrote_on_comes_first_and_others_say_why_not(house: House, windowed: None) -> None:
    north_way, south_way = await found(house, int(await north(house)))

    assert (north_way.name, north_way.why) == ("north", "")
    assert north_way.until == north_way.last_at + DAY
    assert (south_way.name, south_way.why) == ("south", "never wrote")
    await earlier(house, DAY + 1000)
    assert (await found(house, int(await north(house))))[0].why == "closed"


@pytest.mark.parametrize("begin", [False, True])
async def test_free_text_is_refused_when_the_window_has_closed_and_taken_again_when_they_write(
    house: House, windowed: None, begin: bool
) -> None:
    home = await north(house)
    body: dict[str, Any] = {"text": "Are you still there?", "client_id": "one"}
    path = f"/conversations/{home}/messages"
    if begin:
        customer = (await house.get(f"/conversations/{home}"))["customer"]
        customer = customer["id"] if isinstance(customer, dict) else customer
        body |= {"channel": str(house.channels["north"].config.id), "customer": customer}
        path = "/conversations"
    await earlier(house, DAY + 1000)

    answer = await house.ask("agent", "POST", path, body)
    assert answer.status == 422, answer
    assert "only for 24 hours" in answer.json["detail"]
    await house.receive("north", "n2", "nora", "I am here again")
    answer = await house.ask("agent", "POST", path, body)
    assert answer.status == 201, answer
