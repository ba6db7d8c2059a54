"""The live stream: everybody who may know hears of everything once, whoever is slow harms nobody else."""

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from hub import collaboration, events, outbox
from hub.accounts import actor
from hub.events import NewEvent
from tests.fakes import until
from tests.web.conftest import Browser, Site


class Ear:
    """One open stream: the hints it heard, and the ``whispers`` that have no id, as (kind, what)."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.heard: list[dict[str, Any]] = []
        self.whispers: list[tuple[str, Any]] = []
        self.reloads = 0
        self.over = False
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            kind = ""
            async for line in self.answer.content:
                if line.startswith(b"event: "):
                    kind = line[7:].decode().strip()
                elif line.startswith(b"data: ") and kind:
                    self.reloads += kind == "reload"
                    self.whispers.append((kind, json.loads(line[6:])))
                elif line.startswith(b"data: "):
                    self.heard.append(json.loads(line[6:]))
                elif not line.strip():
                    kind = ""
        except (aiohttp.ClientError, OSError):
            pass
        self.over = True

    async def close(self) -> None:
        self.answer.close()
        await self.task

    def kinds(self) -> list[str]:
        return [hint["kind"] for hint in self.heard]

    def ids(self) -> list[int]:
        return [int(hint["id"]) for hint in self.heard]


async def listen(browser: Browser, after: int | None = None) -> Ear:
    query = "" if after is None else f"?after={after}"
    answer = await browser.http.get(f"{browser.base}/stream{query}", timeout=aiohttp.ClientTimeout(60))
    assert (answer.status, answer.content_type) == (200, "text/event-stream")
    assert "Content-Encoding" not in answer.headers
    ear = Ear(answer)
    browser.at_the_end.append(ear.close)
    return ear


async def joined(site: Site, count: int = 1) -> Any:
    """The live hub once so many streams are in step."""
    from hub.web.doors import LIVE

    live = site.server.app[LIVE]
    await until(lambda: sum(len(group) for group in live._groups.values()) == count)
    return live


async def latest(site: Site) -> int:
    return int(await site.server.hub.db.read(events.latest))


async def between(site: Site, last: int, end: int) -> list[int]:
    """The events after the one up to the other. Later ones may follow at any time: who has the hub open is told too."""
    rows = sa.text("SELECT id FROM events WHERE id > :last AND id <= :end ORDER BY id")
    return await site.server.hub.db.read(lambda c: list(c.execute(rows, {"last": last, "end": end}).scalars()))


async def test_a_message_is_heard_at_once_with_the_id_of_its_event(site: Site) -> None:
    ear = await listen(await site.signed_in())
    await joined(site)
    number = await site.say()

    await until(lambda: "message.received" in ear.kinds())

    hint = next(h for h in ear.heard if h["kind"] == "message.received")
    assert (hint["conversation"], hint["actor"], hint["message"] is None) == (str(number), None, False)
    event = sa.text("SELECT id FROM events WHERE kind = 'message.received'")
    assert int(hint["id"]) == await site.server.hub.db.read(lambda c: c.execute(event).scalar())


async def test_a_message_says_how_it_begins_and_an_answer_does_not(site: Site) -> None:
    anna = await site.signed_in()
    ear = await listen(anna)
    await joined(site)
    number = await site.say("The roof leaks")
    await until(lambda: "message.received" in ear.kinds())
    await anna.send(await anna.get(f"/c/{number}"), "#reply", text="At once")
    await until(lambda: "message.sent" in ear.kinds())

    told = {h["kind"]: (h.get("preview"), h.get("unread")) for h in ear.heard if h["kind"].startswith("message.")}
    assert told["message.received"] == ("The roof leaks", 1)
    assert told["message.sent"] == (None, None)


async def test_who_comes_back_hears_exactly_what_was_missed(site: Site) -> None:
    anna = await site.signed_in()
    await site.say("one")
    ear = await listen(anna)
    await joined(site)
    await site.say("two")
    await until(lambda: "message.received" in ear.kinds())
    last = ear.ids()[-1]
    ear.answer.close()
    await site.say("three")
    await site.say("four")
    again = await listen(anna, last)
    await joined(site)
    await site.say("five")
    newest = await latest(site)
    await until(lambda: newest in again.ids())

    assert again.ids()[: again.ids().index(newest) + 1] == await between(site, last, newest)


async def test_who_missed_too_much_is_told_to_load_again_and_then_hears_on(site: Site) -> None:
    anna = await site.signed_in()
    number = await site.say()
    before = await latest(site)
    await site.write(lambda c: events.append(c, [NewEvent("conversation.seen", number) for _ in range(501)]))
    ear = await listen(anna, before)
    await until(lambda: ear.reloads == 1)
    await joined(site)
    await site.say("after")
    await until(lambda: "message.received" in ear.kinds())

    assert "conversation.seen" not in ear.kinds()


async def test_an_id_of_another_database_means_load_again(site: Site) -> None:
    ear = await listen(await site.signed_in(), 10**15)
    await until(lambda: ear.reloads == 1)
    await joined(site)
    await site.say()

    await until(lambda: "message.received" in ear.kinds())


async def test_joining_while_much_happens_loses_and_repeats_nothing(site: Site) -> None:
    anna = await site.signed_in()
    number = await site.say()
    start = await latest(site)

    async def happen() -> None:
        for _ in range(40):
            await site.write(lambda c: events.append(c, [NewEvent("conversation.seen", number) for _ in range(3)]))

    making = asyncio.create_task(happen())
    ears = []
    for _ in range(15):
        ears.append(await listen(anna, start))
    await making
    end = await latest(site)
    await until(lambda: all(end in ear.ids() for ear in ears), 10)

    expected = await between(site, start, end)
    assert [ear.ids()[: ear.ids().index(end) + 1] == expected for ear in ears] == [True] * 15


async def test_nobody_hears_of_what_they_may_not_see(site: Site) -> None:
    number = await site.say()
    start = await latest(site)
    anna = await listen(await site.signed_in(), start)
    jonas = await listen(await site.signed_in("jonas@firm.example"), start)
    await joined(site, 2)

    def deeds(conn: Any) -> None:
        boss = actor(conn, site.people["anna"])
        assert boss is not None
        outbox.note(conn, boss, number, "seen by both", "1")
        collaboration.assign(conn, boss, number, None, 901)
        outbox.note(conn, boss, number, "seen by one", "2")

    await site.write(deeds)
    await until(lambda: anna.kinds().count("note.added") == 2)
    await until(lambda: "lists" in jonas.kinds())

    # the place is looked up when it is told: the conversation had already gone from Jonas when the batch was spread
    assert {h["kind"] for h in jonas.heard} <= {"lists", "note.added", "people"}
    assert all(h.keys() == {"id", "kind"} for h in jonas.heard if h["kind"] == "people")
    assert jonas.kinds().count("note.added") <= 1
    assert all("conversation" not in h for h in jonas.heard if h["kind"] == "lists")


async def test_a_new_team_counts_for_open_streams(site: Site) -> None:
    from hub.tables import team_members

    number = await site.say()
    jonas = await listen(await site.signed_in("jonas@firm.example"))
    await joined(site)
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")))
    member = {"team_id": 901, "employee_id": site.people["jonas"]}
    await site.write(lambda c: c.execute(sa.insert(team_members), [member]))
    live = await joined(site)
    await until(lambda: any(901 in a.teams for a in live._groups))

    await site.write(lambda c: events.append(c, [NewEvent("conversation.seen", number)]))

    await until(lambda: "conversation.seen" in jonas.kinds())


async def test_sign_out_ends_the_stream(site: Site) -> None:
    anna = await site.signed_in()
    ear = await listen(anna)
    await joined(site)

    await anna.post("/logout")

    await until(lambda: ear.over)
    assert (await anna.get("/stream")).status == 401


async def test_a_disabled_employees_stream_ends_within_seconds(site: Site) -> None:
    from hub import accounts

    ear = await listen(await site.signed_in("jonas@firm.example"))
    await joined(site)

    await site.write(accounts.disable, site.people["jonas"])

    await until(lambda: ear.over, 6)


@pytest.mark.rest
async def test_a_reader_that_does_not_keep_up_is_cut_off_and_the_others_hear_everything(site: Site) -> None:
    anna = await site.signed_in()
    number = await site.say()
    token = next(c.value for c in anna.http.cookie_jar)
    lazy = socket.create_connection(("127.0.0.1", site.server.port))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(f"GET /stream HTTP/1.1\r\nHost: x\r\nCookie: sid={token}\r\n\r\n".encode())
    await joined(site, 1)
    ear = await listen(anna)
    live = await joined(site, 2)

    def many(conn: Any) -> None:
        events.append(conn, [NewEvent("conversation.seen", number) for _ in range(2000)])

    async def one_more() -> Any:
        await site.write(many)
        wanted = await latest(site)
        await until(lambda: wanted in ear.ids(), 10)
        return len(live.readers) == 1

    await until(one_more, 20)

    assert not ear.over
    assert len(live.readers) == 1
    assert ear.ids() == sorted(set(ear.ids()))
    lazy.close()


async def test_the_server_stops_at_once_although_streams_are_open(site: Site) -> None:
    ears = [await listen(await site.signed_in()) for _ in range(3)]
    await joined(site, 3)
    started = asyncio.get_running_loop().time()

    await site.server._runner.cleanup()

    assert asyncio.get_running_loop().time() - started < 2
    await until(lambda: all(ear.over for ear in ears))


async def test_too_many_streams_are_asked_to_come_back_later(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.web.live.MOST_STREAMS", 1)
    anna = await site.signed_in()
    await listen(anna)
    await joined(site)

    page = await anna.get("/stream")

    assert page.status == 503
    assert int(page.headers["Retry-After"]) > 0


async def test_an_old_client_without_chunks_is_served_too(site: Site) -> None:
    anna = await site.signed_in()
    token = next(c.value for c in anna.http.cookie_jar)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    writer.write(f"GET /stream HTTP/1.0\r\nCookie: sid={token}\r\n\r\n".encode())
    await joined(site)
    await site.say()

    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        first = await reader.readuntil(b"\n\n")
        await reader.readuntil(b"id: ")
        second = await reader.readuntil(b"\n\n")
    writer.close()

    assert b"chunked" not in head.lower()
    assert first == b"retry: 2000\n\n"
    assert b'\ndata: {"id":"' in second


async def test_a_closed_browser_leaves_nothing_behind(site: Site) -> None:
    anna = await site.signed_in()
    ear = await listen(anna)
    live = await joined(site)

    ear.answer.close()

    await until(lambda: not live.readers)
    assert live._groups == {}
