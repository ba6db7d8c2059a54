"""The list in a real browser: as many rows as somebody looks at, live on every page of it, and as dense as they like it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import aiohttp
import msgspec
import pytest
import sqlalchemy as sa

from hub.directory import Conditions
from hub.levels import add_policy
from hub.messages import Call, Details
from hub.tables import messages
from tests.fakes import until
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    site,
    until_true,
)
from tests.web.test_first_run import company

COUNT = "document.querySelectorAll('#rows > li').length"
END = "(s => { s.scrollTop = s.scrollHeight })(document.querySelector('#listscroll'))"


async def crowd(site: Site, count: int) -> list[int]:  # noqa: F811
    """Conversations of as many customers, who wrote at once; as they stand in the list, the one that waits longest first."""
    said = [{"id": f"x{n}", "from": {"address": f"x{n}", "name": f"Person {n}"}, "text": "Hi"} for n in range(count)]
    for begin in range(0, count, 50):
        body = json.dumps({"messages": said[begin : begin + 50]}).encode()
        signed = {"X-Hub-Signature-256": "sha256=" + hmac.new(b"s3", body, hashlib.sha256).hexdigest()}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as http:
            url = f"{site.base}/webhooks/api/{site.channel.config.key}"
            async with http.post(url, data=body, headers=signed) as answer:
                assert answer.status < 300
    order = sa.text("SELECT id FROM conversations ORDER BY waiting_since, id")

    async def all_there() -> list[int]:
        found = await site.server.hub.db.read(lambda c: list(c.execute(order).scalars()))
        return found if len(found) == count else []

    return list(await until(all_there))


async def test_further_rows_come_when_the_end_is_near_and_stay_live(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await crowd(site, 130)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{numbers[0]}?in=all")
    assert await page.evaluate(COUNT) == 50
    await page.evaluate("window.same = true")

    await page.evaluate(END)
    await until_true(page, f"{COUNT} === 100")
    await page.evaluate(END)
    await until_true(page, f"{COUNT} === 130")
    assert await page.locator("#pager a").count() == 0
    await site.say("Again", "x120", "Person 120", subject="New words")
    await page.wait_for_selector(f"#c{numbers[120]} .pv >> text=Again")

    assert await page.evaluate(COUNT) == 130
    assert await page.locator(f"[data-conversation='{numbers[0]}']").count() == 1
    assert await page.evaluate("window.same") is True
    assert page.complaints == []


async def test_next_at_the_last_row_loads_more_and_a_page_never_holds_more_than_it_may(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = await crowd(site, 310)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all?sort=waiting")
    for rows in (100, 150, 200, 250, 300):
        await page.evaluate(END)
        await until_true(page, f"{COUNT} === {rows}")
    await page.focus(f"#c{numbers[299]} a")
    await page.keyboard.press("j")
    await page.wait_for_selector(f"[data-conversation='{numbers[300]}']")
    assert await page.evaluate(COUNT) == 10
    assert await page.evaluate("document.activeElement.closest('li').id") == f"c{numbers[300]}"

    await page.mouse.move(900, 600)
    await site.say("Again", "x305", "Person 305")
    await page.wait_for_selector(f"#c{numbers[305]} .pv >> text=Again")
    await page.click("#onward a")
    await page.wait_for_selector(f"#c{numbers[0]}")
    assert await page.evaluate(COUNT) == 50
    assert await page.locator(f"[data-conversation='{numbers[300]}']").count() == 1
    assert page.complaints == []


async def test_further_rows_are_a_link_where_no_script_runs(site: Site) -> None:  # noqa: F811
    numbers = await crowd(site, 60)
    anna = await site.signed_in()

    first = await anna.get("/inbox/all")
    second = await anna.get(first.one("#pager a").attributes["href"])

    assert [row.attributes["id"] for row in second.all("#rows > li")] == [f"c{n}" for n in numbers[50:]]
    assert second.one("#onward a").attributes["href"] == "/inbox/all"
    more = await anna.get(second.one("#rows").attributes["data-rows"] + "&n=999999999999")
    assert len(more.all("#rows > li")) == 60


async def test_density_and_theme_are_kept_for_the_person_on_the_server(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    height = f"document.querySelector('#c{number} a').offsetHeight"
    assert await page.evaluate(height) == 78
    await page.keyboard.press("Control+k")
    await page.keyboard.type("rows compact")
    async with page.expect_response("**/me/appearance"):
        await page.keyboard.press("Enter")
    assert await page.evaluate(height) == 58
    await page.goto(f"{site.base}/me")
    async with page.expect_response("**/me/appearance"):
        await page.select_option("[name=theme]", "dark")

    other = await signed_in(chrome, site)
    await other.goto(f"{site.base}/inbox/all")
    assert await other.evaluate(height) == 58
    assert await other.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    jonas = await (await site.signed_in("jonas@firm.example")).get("/inbox/all")
    assert "data-density" not in jonas.one("html").attributes
    assert page.complaints + other.complaints == []


async def test_appearance_is_chosen_without_script_and_nonsense_is_refused(site: Site) -> None:  # noqa: F811
    anna = await site.signed_in()
    page = await anna.get("/me")

    page = await anna.send(page, "#appearance", theme="light", density="compact")
    root = page.one("html").attributes
    assert (root["data-theme"], root["data-density"]) == ("light", "compact")
    page = await anna.send(page, "#appearance", theme="system", density="")
    assert page.one("html").attributes["data-theme"] == ""
    assert (await anna.post("/me/appearance", {"theme": "pink"})).status == 400
    assert (await anna.post("/me/appearance", {"density": "x" * 5000})).status == 400
    assert (await anna.post("/me/appearance", {"list": "99999"})).status == 200
    assert "--wl:560px" in (await anna.get("/me")).text


async def test_what_is_left_of_a_promise_ticks_in_the_page_and_says_why_on_focus(chrome: Any, site: Site) -> None:  # noqa: F811
    promised = {"name": "Gold", "enabled": True, "conditions": Conditions(), "first_minutes": 1, "next_minutes": 0}
    await site.write(add_policy, {**promised, "resolution_minutes": 0, "hours_id": None}, None)
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    chip = page.locator("#head .due .chip")
    before = await chip.inner_text()
    assert before.startswith("Reply in ") and before.endswith(" s")
    await until_true(page, "t => document.querySelector('#head .due .chip').textContent.trim() !== t", before)
    assert not await page.is_visible("#due")
    await page.focus("#head button.due")
    assert await page.is_visible("#due")
    assert "Around the clock" in await page.inner_text("#due") and "Gold" in await page.inner_text("#due")

    late = """(() => { const all = [...document.querySelectorAll('[data-end]')]
      for (const e of all) e.dataset.end = Date.now() - 400000  // again and again, for the list is drawn anew
      return all.length === 2 && all.every(e => e.matches('.bad') && e.textContent.trim() === '6 min overdue') })()"""
    await until_true(page, late)
    assert page.complaints == []


async def test_a_row_says_who_wrote_last(site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get(f"/c/{number}")
    await anna.send(page, "#reply", text="At once")

    assert (await anna.get("/inbox/all")).words(f"#c{number} .pv") == "You: At once"
    assert (await jonas.get("/inbox/all")).words(f"#c{number} .pv") == "Anna: At once"
    await site.say("Thank you")
    assert (await anna.get("/inbox/all")).words(f"#c{number} .pv") == "Thank you"


async def test_a_row_says_what_came_before_the_list_is_asked_for(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello", "quinn")
    await site.say("Hi", "rosa")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    await page.route("**/rows*", lambda route: None)  # the list is never answered

    await site.say("It is urgent", "quinn")

    said = f"document.querySelector('#c{number} .pv').textContent === 'It is urgent'"
    await until_true(page, f"{said} && document.querySelector('#c{number} .pillc').textContent === '2'")


async def test_a_missed_call_asks_to_call_back(site: Site) -> None:  # noqa: F811
    number = await site.say("A call")
    call = msgspec.json.encode(Details(call=Call("missed", 20))).decode()
    await site.write(lambda c: c.execute(sa.update(messages).values(kind="call", details=call)))
    anna = await site.signed_in()

    assert "Call back" in (await anna.get("/inbox/all")).words(f"#c{number} .chip.bad")


async def test_panels_are_made_wider_by_dragging_and_by_keys_and_stay_so(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    width = "document.querySelector('{}').offsetWidth"
    bar = page.locator("[data-split=list]")
    assert await page.evaluate(width.format(".list")) == 344
    box = await bar.bounding_box()
    await page.mouse.move(box["x"] + 12, box["y"] + 12)
    await page.mouse.down()
    async with page.expect_response("**/me/appearance"):
        await page.mouse.move(box["x"] + 112, box["y"] + 12, steps=4)
        await page.mouse.up()
    assert await page.evaluate(width.format(".list")) == 444
    await page.focus("[data-split=panel]")
    async with page.expect_response("**/me/appearance"):
        for _ in range(2):
            await page.keyboard.press("ArrowLeft")
    assert await page.evaluate(width.format("#cust")) == 332
    assert await page.get_attribute("[data-split=panel]", "aria-valuenow") == "332"
    await page.focus("[data-split=list]")
    async with page.expect_response("**/me/appearance"):
        await page.keyboard.press("End")

    other = await signed_in(chrome, site)
    await other.goto(f"{site.base}/c/{number}?in=all")
    assert await other.evaluate(width.format(".list")) == 560
    assert await other.evaluate(width.format("#cust")) == 332
    assert page.complaints + other.complaints == []


async def swiped(client: Any, x: int, y: int, by: int) -> None:
    """A finger goes over the screen."""
    await client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        point = {"x": x + by * step / 8, "y": y}
        await client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    await client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def test_a_row_is_swiped_away_and_comes_back_by_undo(chrome: Any, site: Site) -> None:  # noqa: F811
    first, second = await site.say("Hello"), await site.say("Hello too", "other", "Other One")
    context = await chrome.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    await context.add_cookies([{"name": "sid", "value": await site.session("anna"), "url": site.base}])
    page = await context.new_page()
    await page.goto(f"{site.base}/inbox/all")
    client = await context.new_cdp_session(page)
    row = await page.locator(f"#c{first}").bounding_box()
    await swiped(client, 200, row["y"] + 40, 60)  # not far enough
    await page.wait_for_selector(f"#c{first}:not([data-swipe])")
    await swiped(client, 200, row["y"] + 40, 160)
    await page.wait_for_selector(f"#toast >> text=Closed #{first}")
    await page.wait_for_selector(f"#c{first}", state="detached")
    await page.click("#toast >> text=Undo")
    await page.wait_for_selector(f"#c{first}")

    row = await page.locator(f"#c{second}").bounding_box()
    await swiped(client, 300, row["y"] + 40, -160)
    await page.wait_for_selector(f"#toast >> text=Snoozed #{second}")
    await page.wait_for_selector(f"#c{second}", state="detached")


async def test_what_comes_next_is_said_to_those_who_listen(chrome: Any, site: Site) -> None:  # noqa: F811
    first = await site.say("Hello", subject="Inverter")
    await site.say("Hello too", "other", "Henrik Sørensen", subject="Invoice 4711")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{first}?in=all")
    await page.keyboard.press("e")

    await page.wait_for_selector("#toast >> text=Closed")
    await until_true(page, "document.querySelector('#said').textContent === 'Next: Henrik Sørensen, Invoice 4711'")


async def test_empty_lists_say_what_to_do(site: Site) -> None:  # noqa: F811
    anna = await site.signed_in()
    await company(site)  # the first run has begun
    page = await anna.get("/inbox/mine")
    assert [n.text().strip() for n in page.all("#nothing h2")] == [
        "Connect a mailbox",
        "Put a chat on a page",
        "Look around with sample data",
    ]
    jonas = await site.signed_in("jonas@firm.example")
    assert (await jonas.get("/inbox/mine")).all("#nothing h2") == []

    number = await site.say("Hello")
    page = await jonas.get("/inbox/mine")
    assert len(page.all("#nothing a[href='/inbox/unassigned']")) == 1
    page = await jonas.send(page, "#nothing form")
    assert page.one("[data-conversation]").attributes["data-conversation"] == str(number)
    assert "Erster Kontakt." in page.words("#timeline")


async def test_moving_is_reported_once_a_minute_by_all_tabs_together(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await signed_in(chrome, site)
    sent: list[str] = []
    page.context.on("request", lambda r: sent.append(r.url) if r.url.endswith("/me/moved") else None)
    async with page.expect_response("**/me/moved"):
        await page.goto(f"{site.base}/inbox/all")
    other = await page.context.new_page()
    await other.goto(f"{site.base}/inbox/mine")
    for one in (page, other):
        await one.mouse.move(300, 300)
        await one.keyboard.press("Escape")
    assert len(sent) == 1

    await page.evaluate("Date.now = () => 60_001 + performance.timeOrigin + performance.now()")
    async with page.expect_response("**/me/moved"):
        await page.mouse.move(400, 400)
    doing = sa.text("SELECT moved_at FROM presence WHERE employee_id = :n")
    assert await site.server.hub.db.read(lambda c: c.execute(doing, {"n": site.people["anna"]}).scalar())
    assert page.complaints == []


async def test_when_the_calendar_closes_the_page_asks_what_rests_now(chrome: Any, site: Site) -> None:  # noqa: F811
    promised = {"name": "Gold", "enabled": True, "conditions": Conditions(), "first_minutes": 60, "next_minutes": 0}
    await site.write(add_policy, {**promised, "resolution_minutes": 0, "hours_id": None}, None)
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.wait_for_selector(f"#c{number} .chip.ok")
    await page.evaluate("document.querySelectorAll('[data-stop]').forEach(e => { e.dataset.stop = 1 })")
    async with page.expect_response("**/inbox/all/rows*"):
        await page.evaluate("document.dispatchEvent(new CustomEvent('hub:drawn', {detail: document.body}))")

    await page.wait_for_selector(f"#c{number} .chip[data-stop='0']")
    assert page.complaints == []
