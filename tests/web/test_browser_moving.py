"""Merging, moving, tasks and what was deleted, with a mouse: nothing loads a page that need not, and all of it can be undone."""

from __future__ import annotations

from typing import Any

from hub import caring, privacy
from hub.access import Actor
from tests.web.conftest import Site
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in, site, until_true  # noqa: F401


async def test_a_message_is_moved_and_brought_back(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("About the roof")
    await site.say("About the bill")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    bubble = page.locator(".bub", has_text="About the bill")
    await bubble.hover()
    await bubble.locator(".mv").click()
    await page.click("button:has-text('Move')")
    moved = "() => document.querySelector('#toast form') && document.querySelectorAll('.bub .txt').length === 1"
    await until_true(page, moved)
    await page.click("#toast form button")
    await until_true(page, "() => document.querySelectorAll('.bub .txt').length === 2")
    assert page.complaints == []


async def test_two_customers_conversations_are_merged_after_a_page_has_asked(chrome: Any, site: Site) -> None:  # noqa: F811
    one, two = await site.say("First", "c0", "Customer 0"), await site.say("Second", "c1", "Customer 1")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{two}?in=all")
    await page.click("details[data-more] summary")
    await page.fill("input[name=into]", f"#{one}")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/c/{two}/merge?*")
    await page.click("form.wrap .btn-p")
    await until_true(page, "() => document.querySelectorAll('.bub .txt').length === 2")
    assert f"/c/{one}" in page.url
    assert page.complaints == []


async def test_a_task_is_ticked_without_leaving_the_conversation(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Call me")
    page = await signed_in(chrome, site)
    await page.set_viewport_size({"width": 1440, "height": 1000})
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.evaluate("window.still = true")
    await page.click("#about summary:has-text('Add a task')")
    await page.fill("#about input[name=text]", "Call Katrin")
    await page.keyboard.press("Enter")
    await page.click(".todo1 [role=checkbox]")
    await until_true(page, "() => document.querySelector('.todo1 [aria-checked=true]') && window.still")
    jonas, customer = Actor(site.people["jonas"], "Jonas", "j", "admin"), int(await customer_of(page))
    await site.write(caring.add_todo, jonas, customer, "Send the plan")
    await page.wait_for_selector("#about .todo1:has-text('Send the plan')")
    assert await page.evaluate("window.still")
    assert page.complaints == []


async def customer_of(page: Any) -> str:
    """The customer's number."""
    return str(await page.get_attribute("[data-customer]", "data-customer"))


async def test_where_all_was_deleted_the_box_goes_and_comes_back_with_the_customer(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("zebra")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.wait_for_selector("#reply-text")
    await site.write(privacy.erase_conversation, number, site.people["anna"])
    await until_true(page, "() => !document.querySelector('#composer textarea')")
    await site.say("I am back")
    await page.wait_for_selector("#reply-text")
    assert page.complaints == []
