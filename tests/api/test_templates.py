"""After its window a channel takes only what its provider has approved; the API and the form refuse anything else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from adapters.api import Channel
from hub import ways
from hub.fitting import CannotSend
from hub.messages import Outgoing, Refused, Sent, Template
from hub.templating import fill, places
from tests.api.conftest import House
from tests.api.test_people import north
from tests.fakes import until

LATE = 25 * ways.HOUR
HELLO = Template("hello", "en", "Hello {{1}}, your order {{ order }} is here. {{1}}!", "UTILITY")
TAKEN: list[Outgoing] = []


@pytest.fixture
def windowed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The firm's api channels are like a messenger: 24 hours of free text, then templates."""

    async def templates(self: Channel) -> tuple[Template, ...]:
        return (HELLO,)

    async def send(self: Channel, out: Outgoing) -> Sent:
        TAKEN.append(out)
        return Sent(out.id)

    TAKEN.clear()
    traits = msgspec.structs.replace(Channel.traits, window_hours=24, templates=True, segments=2, max_file_bytes=5)
    monkeypatch.setattr(Channel, "traits", traits)
    monkeypatch.setattr(Channel, "templates", templates)
    monkeypatch.setattr(Channel, "send", send)


def test_a_template_is_filled_at_its_places_and_nothing_may_be_missing() -> None:
    assert places(HELLO.body) == ("1", "order")
    filled, text = fill(HELLO, {"1": "Nora\nNorth", "order": "#7", "more": "x"})

    assert text == "Hello Nora North, your order #7 is here. Nora North!"
    assert filled.values == {"1": "Nora North", "order": "#7"}
    with pytest.raises(CannotSend, match="order"):
        fill(HELLO, {"1": "Nora", "order": " "})


async def test_late_free_text_is_refused_and_a_template_leaves_with_its_values(house: House, windowed: None) -> None:
    home, channel = await north(house), house.channels["north"].config.id
    await house.hub.db.write(lambda c: c.execute(sa.text("UPDATE events SET at = at - :ms"), {"ms": LATE}))
    path = f"/conversations/{home}/messages"
    late = await house.ask("agent", "POST", path, {"text": "Hi", "client_id": "a"})
    assert late.status == 422 and "Choose a template" in late.json["detail"]

    (shown,) = (await house.get(f"/channels/{channel}/templates", "agent"))["items"]
    assert (shown["name"], shown["places"]) == ("hello", ["1", "order"])
    chosen: dict[str, Any] = {"name": "hello", "language": "en", "values": {"1": "Nora"}}
    short = await house.ask("agent", "POST", path, {"template": chosen, "client_id": "b"})
    assert short.status == 422 and "order" in short.json["detail"]
    chosen["values"]["order"] = "#7"
    both = await house.ask("agent", "POST", path, {"template": chosen, "text": "and", "client_id": "c"})
    assert both.status == 422
    sent = await house.ask("agent", "POST", path, {"template": chosen, "client_id": "d"})
    assert sent.status == 201 and sent.json["text"].startswith("Hello Nora, your order #7")
    await until(lambda: TAKEN)
    assert TAKEN[0].template == msgspec.convert({**chosen}, type=type(TAKEN[0].template))
    gone = await house.ask("agent", "POST", path, {"template": {**chosen, "name": "old"}, "client_id": "e"})
    assert gone.status == 422 and "no template" in gone.json["detail"]


async def test_the_list_marks_such_a_way_as_limited_not_as_blocked(house: House, windowed: None) -> None:
    home = int(await north(house))
    await house.hub.db.write(lambda c: c.execute(sa.text("UPDATE events SET at = at - :ms"), {"ms": LATE}))
    question = sa.text("SELECT customer_id FROM conversations WHERE id = :n")
    customer = await house.hub.db.read(lambda c: c.execute(question, {"n": home}).scalar())
    found = await house.hub.db.read(ways.of, house.hub.channels, customer, 0, home)

    assert [(way.why, way.limited) for way in found] == [("", True), ("", True)]


async def test_a_provider_that_is_silent_is_said_in_its_words(
    house: House, windowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def templates(self: Channel) -> tuple[Template, ...]:
        raise Refused("token expired")

    monkeypatch.setattr(Channel, "templates", templates)
    answer = await house.ask("agent", "GET", f"/channels/{house.channels['north'].config.id}/templates")
    assert answer.status == 422 and "token expired" in answer.json["detail"]


async def test_what_is_more_than_the_channel_carries_is_refused(house: House, windowed: None) -> None:
    path = f"/conversations/{await north(house)}/messages"
    answer = await house.ask("agent", "POST", path, {"text": "😀" * 70, "client_id": "a"})
    assert answer.status == 422 and "at most 2 SMS" in answer.json["detail"]
    insert = (
        "INSERT INTO attachments (id, uploader_id, name, type, size, sha256, inline_id, created_at)"
        " VALUES (99999, :who, 'plan.pdf', 'application/pdf', 6, 'x', '', 1)"
    )
    await house.hub.db.write(lambda c: c.execute(sa.text(insert), {"who": house.people["agent"]}))

    answer = await house.ask("agent", "POST", path, {"text": "x", "attachments": ["99999"], "client_id": "b"})
    assert answer.status == 422 and "plan.pdf" in answer.json["detail"]
