import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--all``: every hostile vector instead of a choice."""
    parser.addoption("--all", action="store_true", default=False, help="every hostile vector, which takes some minutes")
