"""/metrics: numbers for machines that watch."""

from typing import Any

import pytest

from tests.fakes import until
from tests.web.conftest import Site


async def test_the_numbers_tell_what_came_in_and_what_waits(site: Site) -> None:
    pytest.importorskip("prometheus_client")
    await site.say()
    browser = site.browser()

    async def counted() -> Any:
        return 'hub_events_total{kind="message.received"} 1.0' in (await browser.get("/metrics")).text

    await until(counted)
    text = (await browser.get("/metrics")).text

    assert 'hub_queue_length{queue="deliveries_queued"} 0.0' in text
    assert "hub_streams 0.0" in text
    assert "hub_loop_lag_seconds" in text


async def test_with_a_token_only_who_knows_it_gets_them(settings: Any) -> None:
    pytest.importorskip("prometheus_client")
    from config.app import build
    from tests.web.conftest import Browser

    server = await build(settings(HUB_METRICS__TOKEN="secret"), migrate=True)
    await server.start()
    browser = Browser(f"http://127.0.0.1:{server.port}")
    try:
        refused = await browser.get("/metrics")
        given = await browser.get("/metrics", Authorization="Bearer secret")
    finally:
        await browser.http.close()
        await server.stop()

    assert (refused.status, given.status) == (403, 200)
