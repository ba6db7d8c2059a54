"""The parts of a conversation's screen that open, warn and come later, each in its state: no barrier, nothing clipped or too small."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub import accounts, replies
from hub.web.components_talk import STATES
from tests.fakes import until
from tests.web.conftest import Site, running
from tests.web.test_browser import (  # noqa: F401 - fixtures
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
)
from tests.web.test_browser_screens import axe, look, speak

#: What has to be seen in each state before it is judged.
SEEN = {
    "reply": "#reply-text", "via": ".viaopts >> text=WhatsApp Vertrieb", "recipients": "[name=bcc]", "doubts": "[data-doubt]",
    "send": ".split .pop", "note": "#note-text", "mentions": "#mates [role=option]", "replies": "#found [role=option]",
    "window": "[data-window]", "amber": "[data-window].warn-text", "red": "[data-window].bad-text",
    "limited": "a[data-template]", "blocked": ".modes .hint", "sms": "[data-count]", "offline": "#connection",
    "version": "#version", "collision": "#collision", "toast": "#toast form", "action": "#toast form",
    "progress": "#toast progress", "bulk": "#bulk .acts", "palette": "#palette-list [role=option]", "help": "#help dl kbd",
    "assign": "#assignees [role=option]", "snooze": ".snoozes", "tags": "[name=add]", "more": ".more-menu",
    "mail": ".card .mh .menu .pop", "picture": "#lightbox", "customer": "#cust .attred form", "menu": "#side .brand",
    "away": ".ask", "templates": ".tpl form",
}  # fmt: skip
LOOKS = list(itertools.product(("light", "dark"), (1440, 390)))


#: Kinds of items on the page of parts, by what they are drawn as, and the channel in their names.
KINDS = {
    "#p-timeline article.card:not(.callc):has(.ms)": ("E-mail", "E-Mail"), "#p-timeline .grp:not(.mine)": ("Postfach", "Postfach"),
    "#p-timeline .grp.mine": ("Postfach", "Postfach"), "#p-timeline .grp:has(.pics)": ("Postfach", "Postfach"),
    "#p-timeline .grp:has(.player)": ("Postfach", "Postfach"), "#p-timeline .callc:not(.missed):has(.more)": ("all", "nruf"),
    "#p-timeline .callc.missed": ("all", "nruf"), "#p-timeline .card:has(.task)": ("Postfach", "Postfach"),
    "#p-timeline .nt": ("Internal note", "Interne Notiz"),
}  # fmt: skip
WRITERS = ("Margarethe von der Heide-Schulenburg", "Anna Becker", "Tobias Krüger")
TOLD = """selector => [...document.querySelectorAll(selector)].map(item =>
    [item.checkVisibility(), item.getAttribute('aria-label'), item.querySelector('time').textContent.trim()])"""


@pytest_asyncio.fixture(loop_scope="module")
async def dev(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A house for developers with one conversation and one saved reply."""
    async with running(settings(HUB_WEB__DEV="true"), monkeypatch) as here:
        anna = await here.server.hub.db.read(accounts.actor, here.people["anna"])
        said = {"name": "Terminbestätigung", "text": "Guten Tag, gern.", "shortcut": "termin", "visibility": "everyone"}
        await here.write(replies.add, anna, said)
        yield here


async def judged(page: Any, dev: Site, script: str, name: str, scheme: str, width: int, number: int) -> list[str]:
    """What is wrong with one state."""
    path = f"/dev/components/{name}?c={number}"
    return await look(page, script, dev.base, path, scheme, width, shown=SEEN[name])


async def spoken(page: Any, dev: Site, language: str) -> bool:
    """Is the page there in that language? A session is known for some seconds as it was."""
    await page.goto(f"{dev.base}/dev/components")
    return bool(await page.evaluate("document.documentElement.lang") == language)


async def test_each_kind_of_item_is_named_by_channel_sender_and_time_in_both_lights_and_languages(
    chrome: Any,  # noqa: F811
    dev: Site,
) -> None:
    """A1"""
    page = await signed_in(chrome, dev)
    for language, scheme in itertools.product((0, 1), ("light", "dark")):
        await speak(dev, ("en", "de")[language])
        await page.emulate_media(color_scheme=scheme)
        await until(lambda: spoken(page, dev, ("en", "de")[language]))  # noqa: B023 - awaited at once
        for selector, channel in KINDS.items():
            found = await page.evaluate(TOLD, selector)
            assert found, selector
            for seen, name, time in found:
                assert seen and channel[language] in name and time in name, (selector, name, time)
                assert any(writer in name for writer in WRITERS), (selector, name)
        for event in await page.locator("#p-timeline .ev").all():
            assert await event.locator("time").first.is_visible()
            assert "Wechselrichterstörungen" in await event.text_content()
    assert page.complaints == []


async def test_every_state_once_in_turn_through_light_widths_and_languages(chrome: Any, dev: Site) -> None:  # noqa: F811
    """X1; the whole matrix is the slow test below."""
    number, script = await dev.say("Hello"), axe()
    page, said = await signed_in(chrome, dev), []
    for language, names in (("en", list(SEEN)[::2]), ("de", list(SEEN)[1::2])):
        await speak(dev, language)
        await until(lambda: spoken(page, dev, language))  # noqa: B023 - awaited at once
        for name, (scheme, width) in zip(names, itertools.cycle(LOOKS), strict=False):
            said += await judged(page, dev, script, name, scheme, width, number)

    assert SEEN.keys() == STATES.keys() | {"templates"}
    assert not said, "\n".join(said)
    assert page.complaints == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_state_in_every_light_width_and_language(chrome: Any, dev: Site) -> None:  # noqa: F811
    number, script = await dev.say("Hello"), axe()
    page, said = await signed_in(chrome, dev), []
    for language in ("en", "de"):
        await speak(dev, language)
        await until(lambda: spoken(page, dev, language))  # noqa: B023 - awaited at once
        for name, (scheme, width) in itertools.product(SEEN, LOOKS):
            said += await judged(page, dev, script, name, scheme, width, number)

    assert not said, "\n".join(said)
