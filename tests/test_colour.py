"""A workspace's colour: whatever hue is chosen, everything on it can be read."""

import re
from importlib import resources

import pytest

from hub import colour


@pytest.mark.parametrize("hue", [n * 360 // 200 for n in range(200)])
def test_every_pair_passes_whatever_the_hue(hue: int) -> None:
    """X4: 200 hues, light and dark."""
    made = colour.palette(hue)

    low = [
        (scheme, token, other)
        for scheme, tokens in made.items()
        for token, shown in tokens.items()
        for other, least in colour.pairs(scheme, token, tokens)
        if colour.contrast(shown, other) < least
    ]
    assert low == []
    assert all(colour.contrast(colour.WHITE, made[s][t]) >= 4.5 for s in made for t in ("accent", "accent-hover"))


def test_contrast_is_what_wcag_says() -> None:
    assert colour.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colour.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert colour.contrast("#ffffff", "#ffffff") == 1


def test_a_colour_no_screen_can_show_becomes_the_nearest_it_can() -> None:
    assert colour.srgb(0.7, 0.4, 150) is None
    assert colour.shown(0.7, 0.4, 150) == colour.shown(0.7, 0.9, 150)


def test_the_hues_are_told_apart() -> None:
    assert len({colour.palette(hue)["light"]["accent"] for hue in range(0, 360, 15)}) == 24


#: What stands on what, and how well it must be told from it. "Bar": 7 body text, 4.5 other text, 3 controls, focus rings and marks.
STANDS: dict[float, dict[str, str]] = {
    7: {"text": "surface canvas surface-2 surface-3 accent-soft note-soft"},
    4.5: {
        "text-2": "surface canvas surface-2 accent-soft note-soft",
        "text-3": "surface canvas surface-2 accent-soft",
        "on-accent": "accent accent-hover bad-hover",
        "accent-text": "surface canvas surface-2 accent-soft",
        "note-text": "note-soft",
        "ok-text": "surface ok-soft",
        "warn-text": "surface warn-soft",
        "bad-text": "surface bad-soft accent-soft",
        **{
            f"ch-{kind}": "surface accent-soft"
            for kind in ["email", "phone", "sms", "whatsapp", "telegram", "chat", "visit", "social"]
        },
    },
    3: {
        "line-strong": "surface canvas surface-2",
        "accent": "surface canvas accent-soft",
        "ok": "surface",
        "bad": "surface",
        "focus": "surface canvas surface-2 surface-3 accent-soft note-soft",
    },
}
TOKENS = (resources.files("templates") / "static" / "tokens.css").read_text("utf-8")


def test_every_pair_of_the_tokens_that_stand_on_each_other_passes_in_the_light_and_in_the_dark() -> None:
    """X4: the table of contrasts, computed anew from the style sheet."""
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", TOKENS)
    schemes = [{name: both[n] for name, *both in found} for n in (0, 1)]
    asked = [
        (front, back, bar)
        for bar, fronts in STANDS.items()
        for front, backs in fronts.items()
        for back in backs.split()
    ]

    low = [
        (front, back, round(ratio, 2), bar)
        for tokens in schemes
        for front, back, bar in asked
        if (ratio := colour.contrast(tokens[front], tokens[back])) < bar
    ]
    assert low == []
    assert len(asked) == 60
