"""Texts like those customers write: words as frequent as in real language, some of known frequency for searching."""

from __future__ import annotations

import random
from itertools import accumulate

from hub.search import indexed

#: In about half of all messages; in one of ten thousand; in none. "termin" and "rechnung" are in about a tenth each.
COMMON, RARE, MISSING, PAIR = "danke", "zirkonium", "quagga", "termin rechnung"
#: Different texts; each message adds a number of its own.
TEXTS = 5000


def vocabulary(dice: random.Random, count: int = 20_000) -> list[str]:
    """Pronounceable words."""
    first = ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "sch", "st", "br", "gr", "kl"]
    middle = ["a", "e", "i", "o", "u", "ei", "au", "ie", "ü", "ä", "ö"]
    last = ["n", "r", "l", "s", "t", "m", "ng", "ch", "nd", "rt"]
    found: dict[str, None] = {}
    while len(found) < count:
        found[
            "".join(
                dice.choice(first) + dice.choice(middle) + dice.choice(last) for _ in range(dice.choice((1, 2, 2, 3)))
            )
        ] = None
    return list(found)


def texts(seed: int = 7) -> list[tuple[str, str]]:
    """(text, what is indexed of it): 15 to 60 words, the n-th word of the vocabulary as frequent as 1/n (Zipf)."""
    dice = random.Random(seed)
    known = vocabulary(dice)
    weights = list(accumulate(1 / (n + 5) for n in range(len(known))))
    made = []
    for n in range(TEXTS):
        chosen = dice.choices(known, cum_weights=weights, k=dice.randint(15, 60))
        if dice.random() < 0.5:
            chosen.insert(0, COMMON.capitalize())
        chosen += [word for word in PAIR.split() if dice.random() < 0.1]
        if n % 5000 == 1777:
            chosen.append(RARE)
        text = " ".join(chosen) + "."
        made.append((text, indexed(text)))
    return made
