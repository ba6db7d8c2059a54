"""Every acknowledgement is on disk first, seen by the kernel; and the watch notices when it is not."""

import pytest

from tests.chaos import fsync_order
from tests.fakes import lacking


@pytest.mark.rest
@pytest.mark.parametrize(("mutant", "requests"), [("", 40), ("sync-off", 10), ("ack-early", 10)])
async def test_the_database_is_synced_before_every_acknowledgement_unless_sabotaged(mutant: str, requests: int) -> None:
    if words := fsync_order.missing():
        lacking(words)

    result = await fsync_order.run(requests, mutant)

    print(result.line())
    assert result.acks == requests
    assert result.passed == (not mutant), result.line()


def test_the_judge_of_the_record_knows_before_from_after() -> None:
    request = '7 read(9<socket:[1]>, "POST /webhooks … x-1", 65536) = 300'
    answer = '7 sendto(9<socket:[1]>, "HTTP/1.1 200 OK…", 180, 0, NULL, 0) = 180'
    synced = "8 fdatasync(5</data/hub.db-wal>) = 0"
    begun, ended = "8 fdatasync(5</data/hub.db-wal> <unfinished ...>", "8 <... fdatasync resumed>) = 0"
    other = "8 fdatasync(6</data/other>) = 0"

    assert fsync_order.judge([request, synced, answer], "x-") == (1, 0)
    assert fsync_order.judge([request, begun, "7 read()", ended, answer], "x-") == (1, 0)
    assert fsync_order.judge([request, other, answer, synced], "x-") == (1, 1)
    assert fsync_order.judge([begun, request, ended, answer], "x-") == (1, 1)
    assert fsync_order.judge([synced, request, answer, request, synced, answer], "x-") == (2, 1)
