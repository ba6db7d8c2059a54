"""The promises hold whatever happens in whatever order; and the machine that tries notices when they do not."""

import pytest

from tests.prop import state_machine


@pytest.mark.rest
@pytest.mark.may_block
def test_no_order_of_events_breaks_a_promise() -> None:
    assert state_machine.run(40, 25) == ""


@pytest.mark.rest
@pytest.mark.may_block
@pytest.mark.parametrize("mutant", sorted(state_machine.MUTANTS))
def test_every_sabotage_is_noticed(mutant: str) -> None:
    assert state_machine.run(40, 25, mutant) != ""


@pytest.mark.slow
@pytest.mark.may_block
@pytest.mark.timeout(900)
def test_no_order_of_events_breaks_a_promise_in_many_runs() -> None:
    assert state_machine.run(500, 30) == ""
