"""The chaos tests kill real processes: with more patience than others, the long ones one after the other in one worker."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """The marker of those that take too long for the quick suite."""
    config.addinivalue_line("markers", "chaos: kills and cuts off real processes for many seconds; run with -m chaos")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones would only measure each other; what they count in their own loop is nobody's waiting time."""
    for item in items:
        if HERE in item.path.parents:
            if item.get_closest_marker("chaos"):
                item.add_marker(pytest.mark.xdist_group("chaos"))
            item.add_marker(pytest.mark.timeout(400))
            item.add_marker(pytest.mark.may_block)
