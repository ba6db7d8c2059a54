"""A live contact rings at one after the other until somebody takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from hub import claims, collaboration, conversations, directory
from hub.database import open_database
from hub.outbox import NotFound
from tests.core.firm import Firm
from tests.core.test_claims import next_of


# ── offers ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    """The api channel is one whose customers wait on the spot."""
    for module in ("routing", "assignment"):
        monkeypatch.setattr(f"hub.{module}.LIVE", frozenset({"api"}))


async def ringing(firm: Firm, *names: str) -> None:
    """People of the team North, at whom contacts ring for 20 seconds."""
    for name in names:
        await firm.person(name)
        firm.moment += 1
    await firm.team("North", *names, offer_seconds=20)


async def expire(firm: Firm, seconds: int) -> int:
    """Time passes, then offers run out. Everybody is still here."""
    firm.moment += seconds * 1000
    await firm.everybody_is_here()
    return await firm.db.write(claims.expire)


async def test_a_live_contact_rings_at_one_and_is_theirs_when_they_accept(live: None, firm: Firm) -> None:
    await ringing(firm, "Anna", "Bea")
    home = await firm.hear("North")
    assert (await firm.holder(home), await firm.offer(home)) == (None, "Anna")
    (row,) = await firm.db.read(claims.offered_to, firm.people["Anna"].id)
    assert (row.conversation_id, row.expires_at - row.offered_at) == (home, 20_000)
    (told,) = await firm.told("conversation.offered")
    assert told == {"employee": str(firm.people["Anna"].id), "until": row.expires_at}
    with pytest.raises(NotFound):
        await firm.db.write(claims.accept, firm.people["Bea"], home)
    firm.moment += 19_999
    await firm.db.write(claims.accept, firm.people["Anna"], home)
    await firm.db.write(claims.accept, firm.people["Anna"], home)

    assert (await firm.holder(home), await firm.offer(home)) == ("Anna", None)
    assert await firm.why(home) == ["accepted the offer"]
    assert await firm.rig.count("offers", wanted=0)


async def test_whoever_declines_is_followed_by_the_next_one_and_after_the_last_it_waits_in_the_queue(
    live: None, firm: Firm
) -> None:
    await ringing(firm, "Anna", "Bea")
    home = await firm.hear("North")
    await firm.db.write(claims.decline, firm.people["Anna"], home)
    assert await firm.offer(home) == "Bea"
    assert (await firm.why(home))[0] == "Anna declined"
    with pytest.raises(NotFound):
        await firm.db.write(claims.decline, firm.people["Anna"], home)
    await firm.db.write(claims.decline, firm.people["Bea"], home)

    assert (await firm.holder(home), await firm.offer(home)) == (None, None)
    assert (await firm.row(home))["team_id"] == firm.teams["North"]
    assert (await firm.why(home))[0] == "Bea declined"
    assert (await firm.why(home))[-1] == "Waits in the queue of North"
    assert await firm.serve() == 0, "who declined is not rung again at once"
    await firm.person("Carl")
    await firm.sql("INSERT INTO team_members VALUES (:t, :e)", t=firm.teams["North"], e=firm.people["Carl"].id)
    await firm.db.write(directory.bump)
    await firm.serve()
    assert await firm.offer(home) == "Carl", "somebody who has not been asked is"
    await firm.db.write(claims.decline, firm.people["Carl"], home)
    firm.moment += claims.ASK_AGAIN + 1
    await firm.everybody_is_here()
    await firm.serve()
    assert await firm.offer(home) is not None, "after a while everybody is asked again"


async def test_who_does_not_answer_in_time_is_followed_by_the_next_one(live: None, firm: Firm) -> None:
    await ringing(firm, "Anna", "Bea")
    home = await firm.hear("North")
    assert await expire(firm, 19) == 0
    assert await expire(firm, 1) == 1
    assert await firm.offer(home) == "Bea"
    assert (await firm.why(home))[0] == "Anna did not answer the offer"
    with pytest.raises(NotFound):
        await firm.db.write(claims.accept, firm.people["Anna"], home)
    assert await expire(firm, 20) == 1

    assert (await firm.holder(home), await firm.offer(home)) == (None, None)
    assert await expire(firm, 20) == 0, "there is nothing left to run out"
    with pytest.raises(NotFound):
        await firm.db.write(claims.accept, firm.people["Bea"], home)


async def test_it_rings_at_nobody_for_two_at_once_also_not_when_they_come_in_one_batch(live: None, firm: Firm) -> None:
    await ringing(firm, "Anna", "Bea")
    homes = await firm.hear_all("North", 3)
    rung = [await firm.offer(home) for home in homes]
    assert sorted(rung, key=str) == ["Anna", "Bea", None]
    late = await firm.hear("North")
    assert await firm.offer(late) is None, "both are being rung"
    assert await firm.serve() == 0
    await firm.db.write(claims.accept, firm.people["Anna"], homes[rung.index("Anna")])
    await firm.serve()

    ringing_now = [await firm.offer(home) for home in (*homes, late)]
    assert sorted(name for name in ringing_now if name) == ["Anna", "Bea"]


async def test_what_rings_at_somebody_is_no_next_one_for_others_but_can_be_claimed_by_its_name(
    live: None, firm: Firm
) -> None:
    await ringing(firm, "Anna", "Bea")
    home = await firm.hear("North")
    assert await next_of(firm, "Bea") is None
    assert await next_of(firm, "Anna") == home

    other = await firm.hear("North")
    rung = await firm.offer(other)
    await firm.db.write(claims.claim, firm.people["Boss"], other)
    with pytest.raises(NotFound):
        await firm.db.write(claims.accept, firm.people[str(rung)], other)
    assert await firm.rig.count("offers", wanted=0)


async def test_given_by_hand_or_closed_it_stops_ringing(live: None, firm: Firm) -> None:
    await ringing(firm, "Anna", "Bea")
    by_hand, closed = await firm.hear_all("North", 2)
    await firm.give(by_hand, "Boss")
    await firm.db.write(collaboration.set_status, firm.people["Boss"], closed, "closed")
    assert await firm.rig.count("offers", wanted=0)

    home = await firm.hear("North")
    await firm.sql("UPDATE conversations SET status = 'closed' WHERE id = :n", n=home)
    assert await expire(firm, 21) == 1
    assert await firm.rig.count("offers", wanted=0), "what is over rings at nobody else"


async def test_without_offers_a_live_contact_is_simply_given_and_only_to_somebody_who_is_free(
    live: None, firm: Firm
) -> None:
    await ringing(firm, "Anna", "Bea")
    await firm.sql("UPDATE teams SET offer_seconds = 0")
    await firm.db.write(directory.bump)
    await firm.is_doing("Anna", "busy")
    home = await firm.hear("North")

    assert (await firm.holder(home), await firm.offer(home)) == ("Bea", None)


async def test_an_offer_that_ran_out_while_it_was_declined_gives_the_next_one_their_full_time(
    live: None, firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ringing(firm, "Anna", "Bea")
    home = await firm.hear("North")
    firm.moment += 20_000
    honest = conversations.lock_for

    def meanwhile(conn: Any, *args: Any) -> Any:
        fresh = sa.text("UPDATE offers SET employee_id = :b, expires_at = :until")
        conn.execute(fresh, {"b": firm.people["Bea"].id, "until": firm.moment + 20_000})
        return honest(conn, *args)

    monkeypatch.setattr(conversations, "lock_for", meanwhile)
    assert await firm.db.write(claims.expire) == 0

    assert await firm.offer(home) == "Bea"


async def test_accepting_and_running_out_at_once_end_in_one_of_the_two(
    live: None, firm: Firm, settings: Callable[..., Any], database_kind: str
) -> None:
    await ringing(firm, *(f"Agent{n}" for n in range(8)))
    homes = await firm.hear_all("North", 4)
    offered = {home: str(await firm.offer(home)) for home in homes}
    firm.moment += 19_999
    await firm.everybody_is_here()
    await firm.sql("UPDATE offers SET expires_at = :at", at=firm.moment + 1)
    other = open_database(settings().database_url) if database_kind == "postgresql" else firm.db

    async def run_out() -> int:
        await other.write(lambda c: c.execute(sa.text("UPDATE facts SET value = value")).rowcount)
        firm.moment += 1
        return await other.write(claims.expire)

    try:
        said = await asyncio.gather(
            *(firm.db.write(claims.accept, firm.people[name], home) for home, name in offered.items()),
            run_out(),
            return_exceptions=True,
        )
    finally:
        if other is not firm.db:
            await other.close()
    assert all(isinstance(s, NotFound | int) or s is None for s in said), said
    for home, name in offered.items():
        holder, rung = await firm.holder(home), await firm.offer(home)
        assert (holder == name and rung is None) or (holder is None and rung != name)
