"""Dying or failing at any edge loses and doubles nothing and ends no loop; and the harness notices when it does."""

import pytest

from hub.failpoints import POINTS
from tests.chaos import failpoints


@pytest.mark.chaos
async def test_every_point_is_met_by_a_kill_and_a_raise_without_loss() -> None:
    result = await failpoints.run()

    print(result.line())
    assert len(POINTS) >= 20
    assert result.hits == len(POINTS)
    assert result.passed, result.line()


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("mutant", "points"),
    [("no-patience", ["blobs.before_rename", "ingest.before_store"]), ("ack-early", ["journal.before_commit"])],
)
async def test_sabotage_is_noticed(mutant: str, points: list[str]) -> None:
    result = await failpoints.run("sqlite", mutant, points, 1)

    print(result.line())
    assert not result.passed
    assert result.dead == ["store"] if mutant == "no-patience" else result.lost > 0, result.line()
