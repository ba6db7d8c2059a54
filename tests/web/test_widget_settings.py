"""The chat's own page in the settings, where it was seen, and the form for firms without a web site."""

from typing import Any

import pytest

from tests.web.chatting import Chat
from tests.web.test_widget import chat  # noqa: F401


def path(chat: Chat) -> str:  # noqa: F811
    return f"/settings/channels/{chat.row.config.id}/chat"


async def form(chat: Chat, **values: str) -> Any:  # noqa: F811
    """Somebody without JavaScript fills in the contact form."""
    browser = chat.site.browser()
    place = chat.base.removeprefix(chat.site.base) + "/form"
    page = await browser.get(place)
    return await browser.send(page, "form", **{"email": "kim@example.com", "text": "Hello", **values})


async def test_the_page_saves_everything_and_shows_the_real_chat(chat: Chat) -> None:  # noqa: F811
    anna = await chat.site.signed_in()
    listed = await anna.get("/settings/channels")
    page = await anna.get(path(chat))
    saved = await anna.send(
        page, "form.pn", **{
            "name": "Shop chat", "colour": "#ffcc00", "allowed_origins": "https://shop.example", "title-de": "Nordlicht",
            "quick-en": "Prices | Opening hours", "invite-seconds": "5", "form-consent": "1",
            "privacy_url": "https://shop.example/privacy",
        },
    )  # fmt: skip
    chat_page = await chat.site.browser().get(chat.base.removeprefix(chat.site.base) + "?lang=de")

    assert path(chat) in listed.text
    assert page.one("iframe").attributes["src"].startswith(f"/w/{chat.row.config.key}")
    assert (saved.status, saved.words("h1")) == (200, "Shop chat")
    assert "#ffcc00" in saved.words("#darkened") and saved.words("#darkened").count("#") == 2
    assert "Nordlicht" in chat_page.words("h1")
    assert "--brand:#ffcc00" not in chat_page.text
    fields = saved.fields("form.pn")
    assert (fields["quick-en"], fields["invite-seconds"]) == ("Prices | Opening hours", "5")


@pytest.mark.parametrize(
    ("field", "value"),
    [("allowed_origins", "not a site"), ("colour", "red"), ("invite-seconds", "soon"), ("privacy_url", "javascript:x")],
)
async def test_what_cannot_be_comes_back_at_its_field_with_what_was_typed(
    chat: Chat,  # noqa: F811
    field: str,
    value: str,
) -> None:
    anna = await chat.site.signed_in()
    page = await anna.send(await anna.get(path(chat)), "form.pn", **{field: value})

    assert page.status == 422
    assert page.all(f"#e-{field}")
    assert page.fields("form.pn")[field] == value


async def test_only_administrators_see_it(chat: Chat) -> None:  # noqa: F811
    jonas = await chat.site.signed_in("jonas@firm.example")

    got = [(await jonas.get(p)).status for p in ("/settings/channels", path(chat))]
    posted = [(await jonas.post(p)).status for p in (path(chat), path(chat).replace("/chat", "/secret"))]
    anna = await chat.site.signed_in()
    other = await anna.get(f"/settings/channels/{chat.site.channel.config.id}/chat")

    assert (got, posted, other.status) == ([403, 403], [403, 403], 404)


async def test_a_new_secret_is_shown_once(chat: Chat) -> None:  # noqa: F811
    anna = await chat.site.signed_in()
    page = await anna.send(await anna.get(path(chat)), "#identity form")
    await chat.site.server.hub.load_channels()
    secret = str(chat.site.server.hub.channels.by_id[chat.row.config.id].config.text("identity_secret"))
    later = await anna.get(path(chat))

    assert len(secret) >= 40
    assert secret in page.text and secret not in later.text
    for sample in ("hashlib.sha256", "hash_hmac('sha256'", "createHmac('sha256'", "hubChat.identify"):
        assert sample in later.words("#identity")


async def test_where_the_chat_stands_is_noted_once_a_minute(chat: Chat) -> None:  # noqa: F811
    await chat.set(allowed_origins="https://shop.example https://www.shop.example")
    browser, place = chat.site.browser(), chat.base.removeprefix(chat.site.base)
    for site in ("https://evil.example/", "https://shop.example/a", "https://www.shop.example/b"):
        await browser.get(place, Referer=site, Sec_Fetch_Dest="iframe")
        await browser.get(f"{place}/embed.js", Referer=site)
    anna = await chat.site.signed_in()

    assert [row[0] for row in await chat.rows("SELECT origin FROM chat_sites")] == ["https://shop.example"]
    assert "https://shop.example" in (await anna.get(path(chat))).words("#seen")


async def test_the_form_needs_no_javascript_and_sending_it_twice_is_one_message(chat: Chat) -> None:  # noqa: F811
    browser, place = chat.site.browser(), chat.base.removeprefix(chat.site.base) + "/form"
    page = await browser.get(place)
    values = {"name": "Kim", "email": "kim@example.com", "text": "Do you <b>deliver</b>?"}
    thanks = await browser.send(page, "form", **values)
    again = await browser.send(page, "form", **values)

    assert (thanks.status, again.status, "done=1" in thanks.url) == (200, 200, True)
    assert await chat.arrived(1) == ["Do you <b>deliver</b>?"]
    assert (await chat.rows("SELECT count(*) FROM messages"))[0][0] == 1
    assert "email:kim@example.com" in (await chat.rows("SELECT details FROM messages"))[0][0]
    assert "<script" not in page.text


async def test_robots_are_thanked_and_nothing_is_kept(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    robot = await form(chat, website="https://spam.example")
    monkeypatch.setattr("hub.web.widget_form.SENDS", 2)
    statuses = [(await form(chat, text=f"n{n}")).status for n in range(3)]

    assert robot.status == 200
    assert statuses == [200, 200, 429]
    assert sorted(await chat.arrived(2)) == ["n0", "n1"]


@pytest.mark.parametrize(
    ("values", "field"),
    [({"email": "nobody"}, "email"), ({"text": " "}, "text"), ({"text": "x" * 10_002}, "text"), ({"token": "x"}, "")],
)
async def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(
    chat: Chat,  # noqa: F811
    values: dict[str, str],
    field: str,
) -> None:
    page = await form(chat, **{"name": "<i>Kim</i>", **values})

    assert page.status == 422
    assert page.all(f"#e-{field}") if field else page.words(".bad p")
    assert page.fields("form")["name"] == "<i>Kim</i>"
    assert await chat.texts() == []
