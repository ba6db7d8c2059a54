"""A workspace's colour: whatever hue is chosen, everything on it can be read."""

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
