"""One table of keys, and everybody's own changes of it."""

import json

import pytest

from hub.web import keys
from hub.web.keys import Binding, Own, Refused
from tests.web.conftest import Site


def test_no_key_means_two_things_in_one_place() -> None:
    assert keys.clashes(keys.table()) == []
    twice = (Binding("a", ("x",), "everywhere", ""), Binding("b", ("x",), "composer", ""))
    assert keys.clashes(twice) == [("x", "b", "a")]
    sequence = (Binding("a", ("g",), "everywhere", ""), Binding("b", ("g m",), "conversation", ""))
    assert keys.clashes(sequence) == [("g m", "b", "a")]
    apart = (Binding("a", ("x",), "conversation", ""), Binding("b", ("x",), "composer", ""))
    assert keys.clashes(apart) == []


def test_no_standard_key_needs_altgr() -> None:
    assert [b.id for b in keys.table() if any(keys.ALTGR & set(key) for key in b.keys)] == []


def test_one_s_own_keys_replace_the_standard_and_none_is_none() -> None:
    found = {b.id: b.keys for b in keys.mine(Own(keys={"close": "q", "snooze": ""}))}

    assert (found["close"], found["snooze"], found["reply"]) == (("q",), (), ("r",))


def test_switched_off_only_combinations_and_escape_are_left() -> None:
    left = {b.id for b in keys.mine(Own(off=True)) if b.keys}

    assert left == {"palette", "leave", "send", "send_close"}


@pytest.mark.parametrize(
    ("changes", "action", "sentence"),
    [
        ({"close": "r"}, "close", "is taken"),
        ({"close": "g"}, "close", "is taken"),
        ({"close": "@"}, "close", "AltGr"),
        ({"close": "Enter"}, "close", "not one key"),
        ({"close": "a b c"}, "close", "not one key"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_a_reason(changes: dict[str, str], action: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        keys.check(Own(keys=changes))

    assert refused.value.action == action


def test_two_actions_may_change_places() -> None:
    keys.check(Own(keys={"close": "h", "snooze": "e"}))


async def test_keys_are_changed_switched_off_and_set_back(site: Site) -> None:
    anna = await site.signed_in()
    form = "form[action='/settings/keyboard']"
    page = await anna.get("/settings/keyboard")

    page = await anna.send(page, form, **{"key-close": "q"})
    assert page.status == 200
    assert page.fields(form)["key-close"] == "q"
    told = json.loads(page.one("#keys").attributes["data-keys"])["keys"]
    assert next(b["keys"] for b in told if b["id"] == "close") == ["q"]
    page = await anna.send(page, form, **{"key-snooze": "q"})
    assert page.status == 422
    assert "“q” is taken by “Close or open again”" in page.words(".sum")
    page = await anna.send(page, form, standard="yes")
    assert page.fields(form)["key-close"] == "e"

    given = {k: v for k, v in page.fields(form).items() if k != "on"}
    page = await anna.post("/settings/keyboard", given)
    told = json.loads(page.one("#keys").attributes["data-keys"])["keys"]
    assert next(b["keys"] for b in told if b["id"] == "close") == []
    jonas = await (await site.signed_in("jonas@firm.example")).get("/settings/keyboard")
    assert jonas.fields(form)["key-close"] == "e"
