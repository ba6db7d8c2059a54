"""A workspace's accent from one hue: colours in OKLCH, made darker or lighter until what stands on them can be read.

Contrast is measured as WCAG 2.2 says (1.4.3: 4.5 for text, 1.4.11: 3 for marks), light and dark. OKLCH and its matrices: Björn
Ottosson, "A perceptual color space for image processing" (2020), as in CSS Color 4.
"""

from __future__ import annotations

import functools
import math

from msgspec import Struct

TEXT, MARK = 4.5, 3.0
#: What the accent may stand on, and what stands on its soft kin, light and dark (see templates/static/tokens.css).
GROUNDS = {"light": ("#f3f5f8", "#ffffff", "#f6f8fa", "#eceef2"), "dark": ("#0c0e13", "#12151a", "#191c22", "#21252b")}
WORDS = {"light": ("#191e28", "#4b515d"), "dark": ("#ebedf0", "#b4b7be")}
WHITE = "#ffffff"


class Wish(Struct, frozen=True):
    """A token as the eye wants it: lightness and chroma, and which way it gives (-1 darker, 1 lighter) until it passes."""

    lightness: float
    chroma: float
    way: int


#: By scheme and token. ``soft`` ones come first, because text in the accent's colour stands on them.
WISHES: dict[str, dict[str, Wish]] = {
    "light": {
        "accent-soft": Wish(0.955, 0.025, 1),
        "accent-soft-2": Wish(0.91, 0.05, 1),
        "accent": Wish(0.5, 0.2, -1),
        "accent-hover": Wish(0.44, 0.19, -1),
        "accent-text": Wish(0.46, 0.18, -1),
        "focus": Wish(0.57, 0.2, -1),
    },
    "dark": {
        "accent-soft": Wish(0.28, 0.06, -1),
        "accent-soft-2": Wish(0.33, 0.08, -1),
        "accent": Wish(0.56, 0.18, -1),
        "accent-hover": Wish(0.51, 0.18, -1),
        "accent-text": Wish(0.78, 0.12, 1),
        "focus": Wish(0.72, 0.15, 1),
    },
}


def srgb(lightness: float, chroma: float, hue: float) -> str | None:
    """#rrggbb of an OKLCH colour (hue in degrees); None where screens cannot show it."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l_ = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m_ = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s_ = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_,
        -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_,
        -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_,
    )
    if min(linear) < -0.0005 or max(linear) > 1.0005:
        return None
    parts = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in (max(v, 0.0) for v in linear)]
    return "#" + "".join(f"{min(255, round(v * 255)):02x}" for v in parts)


def shown(lightness: float, chroma: float, hue: float) -> str:
    """The nearest colour a screen can show: as colourful as possible at this lightness."""
    while (found := srgb(lightness, chroma, hue)) is None:
        chroma = max(0.0, chroma - 0.005)
    return found


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def pairs(scheme: str, role: str, made: dict[str, str]) -> list[tuple[str, float]]:
    """What a token (``role``) must be told from, and how well; ``made`` are the soft ones."""
    soft = [made[name] for name in ("accent-soft", "accent-soft-2") if name in made and name != role]
    match role:
        case "accent" | "accent-hover":
            return [(WHITE, TEXT)] + [(ground, MARK) for ground in GROUNDS[scheme][1:3] if role == "accent"]
        case "accent-text":
            return [(ground, TEXT) for ground in (*GROUNDS[scheme], *soft)]
        case "focus":
            return [(ground, MARK) for ground in (*GROUNDS[scheme], *soft)]
    return [(words, TEXT) for words in WORDS[scheme]]


@functools.lru_cache(400)
def palette(hue: int) -> dict[str, dict[str, str]]:
    """The accent's tokens for a hue in degrees, by scheme: every pair passes."""
    return {scheme: _scheme(scheme, hue % 360) for scheme in WISHES}


def _scheme(scheme: str, hue: int) -> dict[str, str]:
    made: dict[str, str] = {}
    for token, wish in WISHES[scheme].items():
        lightness = wish.lightness
        colour = shown(lightness, wish.chroma, hue)
        while 0 < lightness < 1 and not _passes(colour, pairs(scheme, token, made)):
            lightness += wish.way * 0.005
            colour = shown(lightness, wish.chroma, hue)
        made[token] = colour
    return made


def _passes(colour: str, wanted: list[tuple[str, float]]) -> bool:
    return all(contrast(colour, other) >= least for other, least in wanted)


def css(hue: int) -> str:
    """The tokens as a style sheet that goes before all layers' own."""
    both = palette(hue)
    lines = [f"--{token}:light-dark({both['light'][token]},{both['dark'][token]})" for token in both["light"]]
    return f":root{{{';'.join(lines)}}}"
