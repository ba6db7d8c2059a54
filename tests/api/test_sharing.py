"""What the API and the screens share: who may have an envelope, whose timeline it is, acts that are done once."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from hub import accounts, once, uploads
from hub.clock import now
from hub.tables import attachments, facts, messages
from hub.tables import conversations as conversations_table
from hub.uploads import Upload
from tests.api.conftest import Answer, House, wire_only
from tests.api.test_customers import make
from tests.fakes import until


async def as_browser(house: House, who: str, path: str) -> Answer:
    """A GET of a screen's address with the session of that employee."""
    session = await house.hub.db.write(accounts.open_session, house.people[who], "test")
    async with house.session.get(house.base + path, headers={"Cookie": f"sid={session}"}) as answer:
        return Answer(answer.status, answer.headers, await answer.read())


async def two_in_one_envelope(house: House) -> tuple[int, int]:
    """Two customers' messages in one envelope: one of the north team's, one unassigned of the south team's."""
    said = [{"id": f"e{n}", "from": {"address": f"pair{n}"}, "text": f"secret {n}"} for n in (1, 2)]
    body = json.dumps({"messages": said}).encode()
    signature = "sha256=" + hmac.digest(b"secret", body, hashlib.sha256).hex()
    url = f"{house.base}/webhooks/api/{house.channels['north'].config.key}"
    async with house.session.post(url, data=body, headers={"X-Hub-Signature-256": signature}) as answer:
        assert answer.status == 200
    m = messages.c
    question = sa.select(m.id, m.conversation_id).where(m.provider_id.in_(("e1", "e2"))).order_by(m.provider_id)
    rows = await until(
        lambda: house.hub.db.read(lambda c: found if len(found := c.execute(question).all()) == 2 else [])
    )
    c = conversations_table.c
    moved = (
        sa.update(conversations_table).where(c.id == rows[1][1]).values(team_id=house.teams["south"], assignee_id=None)
    )
    await house.hub.db.write(lambda conn: conn.execute(moved) and None)
    return int(rows[0][0]), int(rows[1][0])


async def test_an_envelope_with_an_unassigned_message_of_another_team_is_handed_to_nobody_of_ours(house: House) -> None:
    ours, theirs = await two_in_one_envelope(house)

    screens = {who: (await as_browser(house, who, f"/messages/{ours}/raw")).status for who in ("agent", "boss")}
    by_api = {who: (await house.ask(who, "GET", f"/messages/{ours}/raw")).status for who in ("agent", "boss")}

    assert screens == {"agent": 404, "boss": 200}
    assert by_api == {"agent": 403, "boss": 200}
    assert (await house.ask("agent", "GET", f"/messages/{theirs}/html")).status == 404
    assert (await as_browser(house, "agent", f"/messages/{theirs}/text")).status == 404
    assert b"secret 1" in (await as_browser(house, "agent", f"/messages/{ours}/text")).body


async def test_a_customers_timeline_has_full_pages_of_what_the_employee_may_see(house: House) -> None:
    north = await make(house, "Both", "both@x.example")
    mine = next(c for c in (await house.get("/conversations", "agent"))["items"])
    theirs = next(c for c in (await house.get("/conversations", "stranger"))["items"])
    for other in (mine["customer"], theirs["customer"]):
        await house.ask("admin", "POST", f"/customers/{north['id']}/merges", {"other": other})
    for number in range(6):
        who, path = ("agent", mine["id"]) if number % 2 else ("stranger", theirs["id"])
        await house.ask(who, "POST", f"/conversations/{path}/notes", {"text": f"note {number}"})

    page = await house.get(f"/customers/{north['id']}/timeline?limit=3", "agent")
    everything = await house.get(f"/customers/{north['id']}/timeline?limit=100", "agent")
    screen = await as_browser(house, "agent", f"/customers/{north['id']}")

    assert [i["text"] for i in page["items"]] == ["note 1", "note 3", "note 5"]
    assert {i["conversation"] for i in everything["items"]} == {mine["id"], None}
    assert b"note 5" in screen.body
    assert b"note 4" not in screen.body
    assert len((await house.get(f"/customers/{north['id']}/timeline?limit=100", "boss"))["items"]) > len(
        everything["items"]
    )


@pytest.mark.parametrize("header", [False, True])
async def test_a_merge_and_an_address_are_made_once_for_one_name_of_the_act(house: House, header: bool) -> None:
    kat, otto = await make(house, "Kat", "kat@x.example"), await make(house, "Otto", "otto@x.example")

    async def ask(what: str, **body: Any) -> Answer:
        headers = {"Idempotency-Key": f"act {what}"} if header else {}
        named = body if header else body | {"client_id": f"act {what}"}
        return await house.ask("agent", "POST", f"/customers/{kat['id']}/{what}", named, headers=headers)

    merges = [await ask("merges", other=otto["id"], evidence="same") for _ in range(3)]
    faces = [await ask("identities", address="new@x.example") for _ in range(3)]
    together = await asyncio.gather(*(ask("identities", address="new@x.example") for _ in range(4)))
    await house.ask("agent", "DELETE", f"/customers/{kat['id']}/merges/{merges[0].json['id']}")
    undone = await ask("merges", other=otto["id"], evidence="same")
    await house.ask("agent", "DELETE", f"/customers/{kat['id']}/identities/{faces[0].json['id']}")
    taken = await ask("identities", address="new@x.example")

    assert [a.status for a in merges] == [201, 200, 200]
    assert [a.status for a in faces] == [201, 200, 200]
    assert {a.status for a in together} == {200}
    assert merges[0].json == merges[1].json == merges[2].json == undone.json
    assert faces[0].json == faces[1].json == faces[2].json
    assert (undone.status, taken.status) == (200, 404)


async def test_what_was_done_long_ago_is_forgotten_in_one_statement(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    for number, age in enumerate((40, 31, 29, 0)):
        monkeypatch.setattr("hub.once.now", lambda age=age: moment - age * 86_400_000)
        assert await db.write(once.once, 1, "x", f"act {number}", lambda _c, n=number: n + 7) == (number + 7, True)
    statements: list[str] = []

    def prune(conn: Any) -> int:
        sa.event.listen(conn, "before_cursor_execute", lambda *given: statements.append(given[2]))
        return once.prune(conn)

    assert await db.write(prune) == 2
    assert len(statements) == 1
    assert await db.write(once.once, 1, "x", "act 2", lambda _c: 99) == (9, False)
    assert await db.write(once.once, 1, "x", "act 0", lambda _c: 99) == (99, True)
    assert await db.read(lambda c: c.execute(sa.select(sa.func.count()).select_from(facts)).scalar()) >= 3


async def test_uploads_that_were_never_sent_are_forgotten_after_a_day(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Upload("a.txt", "text/plain", 1, "0" * 64)
    old = now() - uploads.PATIENCE - 1000
    with monkeypatch.context() as past:
        past.setattr("hub.uploads.now", lambda: old)
        gone = await house.hub.db.write(uploads.keep, house.people["agent"], [file, file])
        sent = await house.hub.db.write(uploads.keep, house.people["agent"], [file])
    fresh = await house.hub.db.write(uploads.keep, house.people["agent"], [file])
    mine = next(c for c in (await house.get("/conversations", "agent"))["items"])
    m = sa.update(attachments).where(attachments.c.id == sent[0]).values(message_id=int(mine["last_message"]))
    await house.hub.db.write(lambda conn: conn.execute(m) and None)

    assert await house.hub.db.write(uploads.prune_uploads) == 2
    left = set(await house.hub.db.read(lambda c: c.execute(sa.select(attachments.c.id)).scalars().all()))
    assert left & {*gone, *sent, *fresh} == {*sent, *fresh}


async def test_a_script_listens_with_a_token_until_that_ends(house: House) -> None:
    wanted = {"Authorization": f"Bearer {house.tokens['agent']}"}
    async with house.session.get(f"{house.base}/stream", headers={"Authorization": "Bearer hub_wrong_token"}) as answer:
        assert answer.status == 401
    heard = b""
    async with house.session.get(f"{house.base}/stream", headers=wanted, timeout=aiohttp.ClientTimeout(20)) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        await house.receive("north", "n9", "nora", "Me again")
        async with asyncio.timeout(10):
            while b"message.received" not in heard:
                heard += await answer.content.readline()
            number = next(
                r.id for r in await house.hub.db.read(accounts.all_tokens) if r.email == "agent@house.example"
            )
            await house.hub.db.write(accounts.revoke_token, number)
            heard += await answer.content.read()  # ends

    assert b"message.received" in heard


@wire_only
async def test_many_uploads_at_once_wait_for_their_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four at most are held in memory; the others wait on disk."""
    inside, most = 0, 0
    to_thread = asyncio.to_thread

    async def counted(work: Any, *args: Any, **more: Any) -> Any:
        nonlocal inside, most
        if getattr(work, "__name__", "") != "put":
            return await to_thread(work, *args, **more)
        inside += 1
        most = max(most, inside)
        try:
            for _ in range(20):  # give the others every chance to come in
                await asyncio.sleep(0)
            return await to_thread(work, *args, **more)
        finally:
            inside -= 1

    monkeypatch.setattr("hub.files.asyncio.to_thread", counted)

    async def send(number: int) -> int:
        form = aiohttp.FormData()
        form.add_field("file", b"%d" % number * 5000, filename="x.bin")
        return (await house.ask("agent", "POST", "/attachments", data=form)).status

    assert await asyncio.gather(*(send(n) for n in range(12))) == [201] * 12
    assert 1 <= most <= 4
