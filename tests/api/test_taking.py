"""Taking work by API: one winner per conversation, the next one, offers; also when several processes serve one house."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hub import claims
from tests.api.conftest import Answer, House
from tests.api.test_people import employee, north
from tests.chaos.forks import Forks
from tests.chaos.house import Process


# ── taking work ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_claiming_the_next_one_and_nothing_more(house: House) -> None:
    home = await north(house)
    taken = await house.ask("agent", "POST", "/queue/next", headers={"Idempotency-Key": "k"})
    assert (taken.status, taken.json["id"], taken.json["assignee_name"]) == (200, home, "Agent")
    again = await house.ask("agent", "POST", "/queue/next", headers={"Idempotency-Key": "k"})
    assert (again.status, again.json["id"]) == (200, home), "a repeat is the same one"
    nothing = await house.ask("agent", "POST", "/queue/next")
    assert (nothing.status, nothing.body) == (204, b"")
    claimed = await house.ask("boss", "PUT", f"/conversations/{home}/claim")
    assert claimed.status == 409
    assert (claimed.json["assignee"], claimed.json["assignee_name"]) == (str(house.people["agent"]), "Agent")


async def test_an_offer_is_shown_accepted_and_declined(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("routing", "assignment"):
        monkeypatch.setattr(f"hub.{module}.LIVE", frozenset({"api"}))
    agent, home = house.people["agent"], await north(house)
    await house.ask("boss", "PATCH", f"/teams/{house.teams['north']}", {"offer_seconds": 600})
    await house.ask("agent", "PUT", f"/employees/{agent}/presence", {"state": "available"})
    await house.hub.db.write(claims.serve)
    (offer,) = (await house.get("/offers", "agent"))["items"]
    assert (offer["conversation"], offer["customer_name"]) == (home, "Nora North")
    assert (await house.get("/offers", "boss"))["items"] == []
    assert (await employee(house, "agent"))["presence"]["state"] == "busy", "whoever is being rung is"
    assert (await house.ask("agent", "DELETE", f"/conversations/{home}/offer")).status == 204
    assert (await house.get("/offers", "agent"))["items"] == []
    assert (await house.ask("agent", "PUT", f"/conversations/{home}/offer")).status == 404
    await house.receive("north", "n2", "nina", "And me?")
    (offer,) = (await house.get("/offers", "agent"))["items"]
    accepted = await house.ask("agent", "PUT", f"/conversations/{offer['conversation']}/offer")
    assert (accepted.status, accepted.json["assignee"]) == (200, str(agent))
    assert (await house.ask("agent", "PUT", f"/conversations/{offer['conversation']}/offer")).status == 200


async def many(house: House, team: str, count: int, first: str = "many") -> list[str]:
    """So many people write; their conversations."""
    before = {c["id"] for c in await everything(house)}
    for n in range(count):
        await house.receive(team, f"{first}{n}", f"{first}{n}", "Hello")
    return [c["id"] for c in await everything(house) if c["id"] not in before]


async def everything(house: House) -> list[dict[str, Any]]:
    """All conversations."""
    found: list[dict[str, Any]] = (await house.get("/conversations?limit=100"))["items"]
    return found


Asking = Callable[[int, str, str, str], Any]


@contextlib.asynccontextmanager
async def two_processes(house: House, url: str, folder: Path, kind: str, forks: Forks) -> AsyncIterator[Asking]:
    """Ask the house, on PostgreSQL two more processes of it in turn: ``ask(n, who, method, path)``."""
    bases = [house.base]
    processes = []
    if kind == "postgresql":
        environment = {"HUB_DATA": str(folder / "data"), "HUB_DATABASE": url, "HUB_LOG_LEVEL": "warning"}
        environment["HUB_TEST_CHAOS"] = '{"roles": ["web"]}'
        processes = [Process(folder, environment, name, forks) for name in ("one", "two")]
        for process in processes:
            await process.start()
        assert all([await process.ready(120) for process in processes]), processes[0].log()
        bases = [process.base for process in processes]

    async def ask(n: int, who: str, method: str, path: str) -> Answer:
        headers = {"Authorization": f"Bearer {house.tokens[who]}", "Idempotency-Key": f"act {n}"}
        while True:  # a busy machine may say 503; the key makes the repeat the same act
            url = f"{bases[n % len(bases)]}/api/v1{path}"
            async with asyncio.timeout(120), house.session.request(method, url, headers=headers) as answer:
                if answer.status != 503:
                    return Answer(answer.status, answer.headers, await answer.read())

    try:
        yield ask
    finally:
        for process in processes:
            await process.kill(15)


@pytest.mark.rest
@pytest.mark.xdist_group("forks")
async def test_of_fifty_claims_at_once_exactly_one_wins_by_http(
    house: House, database_url: str, database_kind: str, tmp_path: Path, forks: Forks
) -> None:
    home = await north(house)
    people = ["agent", "boss", "admin"]
    async with two_processes(house, database_url, tmp_path, database_kind, forks) as ask:
        said = await asyncio.gather(
            *(ask(n, people[n % 3], "PUT", f"/conversations/{home}/claim") for n in range(50)), return_exceptions=True
        )
    answers = [a for a in said if isinstance(a, Answer)]
    assert len(answers) == 50, said
    winner = (await house.get(f"/conversations/{home}"))["assignee"]
    name = next(n for n in people if str(house.people[n]) == winner)
    for n, answer in enumerate(answers):
        assert answer.status == (200 if people[n % 3] == name else 409), answer
        assert answer.json["assignee"] == winner
    told = [e for e in await happened(house) if e["kind"] == "conversation.assigned" and e["conversation"] == home]
    assert [e["actor"] for e in told] == [winner]


async def happened(house: House) -> list[dict[str, Any]]:
    """Everything that happened."""
    found: list[dict[str, Any]] = (await house.get("/events?limit=100"))["items"]
    while len(found) % 100 == 0 and (more := (await house.get(f"/events?limit=100&after={found[-1]['id']}"))["items"]):
        found += more
    return found


@pytest.mark.rest
@pytest.mark.xdist_group("forks")
async def test_of_fifty_who_ask_for_the_next_at_once_no_two_get_the_same_by_http(
    house: House, database_url: str, database_kind: str, tmp_path: Path, forks: Forks
) -> None:
    homes = {await north(house), *(await many(house, "north", 19))}
    assert len(homes) == 20
    async with two_processes(house, database_url, tmp_path, database_kind, forks) as ask:
        said = await asyncio.gather(*(ask(n, "agent", "POST", "/queue/next") for n in range(50)))

    got = [answer.json["id"] for answer in said if answer.status == 200]
    assert sorted(got) == sorted(homes)
    assert [answer.status for answer in said].count(204) == 30
