"""PostgreSQL and Redis may die, freeze, fall silent or reset; and the harness notices when the hub takes it badly."""

import pytest

from tests.chaos import deps


@pytest.mark.chaos
async def test_databases_taken_away_in_every_way_lose_nothing_and_hold_nobody_up() -> None:
    result = await deps.run()

    print(result.line())
    assert len(result.phases) == 9
    assert result.passed, result.line()


@pytest.mark.chaos
@pytest.mark.parametrize(("mutant", "fault"), [("no-deadline", "postgres frozen"), ("deaf", "redis killed")])
async def test_sabotage_is_noticed(mutant: str, fault: str) -> None:
    result = await deps.run(mutant=mutant, only=[fault])

    print(result.line())
    assert not result.passed
    assert result.longest_request_s > 5 if mutant == "no-deadline" else result.lag_s > 3, result.line()
