"""What the hub acknowledged survives kill -9, exactly once; and the loop that shows it notices when it does not."""

import msgspec
import pytest

from tests.chaos import crashloop, mutants
from tests.chaos.crashloop import PLANS, Plan
from tests.chaos.forks import Forks

SMALL = Plan(kills=3, messages=300, customers=12, drain=30)


@pytest.mark.rest
@pytest.mark.xdist_group("forks")
@pytest.mark.parametrize("mutant", ["", "ack-early", "no-idempotency"])
async def test_a_few_kills_lose_and_double_nothing_unless_sabotaged(mutant: str, forks: Forks) -> None:
    plan = msgspec.structs.replace(SMALL, drain=2) if mutant else SMALL

    result = await crashloop.run("sqlite", plan, mutant, forks)

    print(result.line())
    assert result.passed == (not mutant), result.line() + result.log
    if mutant:
        assert any(result.figures[name] > 0 for name in mutants.EXPECTED[mutant]), result.line()


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("kind", "plan"),
    [("sqlite", PLANS["quick"]), ("postgresql", msgspec.structs.replace(PLANS["quick"], kills=12, messages=3000))],
    ids=["sqlite", "postgresql"],
)
async def test_many_kills_lose_and_double_nothing(kind: str, plan: Plan) -> None:
    result = await crashloop.run(kind, plan)

    print(result.line())
    assert result.passed, result.line() + result.log
    assert result.crashes == plan.kills
    assert result.acked >= plan.messages


@pytest.mark.chaos
@pytest.mark.parametrize("mutant", sorted(set(mutants.EXPECTED) - {"ack-early", "no-idempotency"}))
async def test_every_sabotage_is_noticed_for_what_it_is(mutant: str) -> None:
    result = await crashloop.run("sqlite", PLANS["mutant"], mutant)

    print(result.line())
    assert not result.passed
    assert any(result.figures[name] > 0 for name in mutants.EXPECTED[mutant]), result.line()
