"""Scripts are modules in the source and one file on the wire."""

import re
from pathlib import Path

import pytest

from hub.web.assets import Assets, joined


def test_modules_are_joined_in_the_order_of_what_they_need_each_once() -> None:
    files = {
        "app": "import { a as first } from './one.js'\nimport { b } from './two.js'\nfirst(b)\n",
        "one": "import { b } from './two.js'\nexport function a() { return b }\n",
        "two": "export const b = 1\nexport async function c() {}\n",
    }

    script = joined("app", files.__getitem__)

    assert script.index("const two_js") < script.index("const one_js") < script.index("const app_js")
    assert script.count("const two_js") == 1
    assert "const { a: first } = one_js" in script
    assert "return { b, c }" in script


def test_modules_that_import_each_other_are_refused() -> None:
    files = {"app": "import { a } from './app.js'\n"}

    with pytest.raises(ValueError, match="app → app"):
        joined("app", files.__getitem__)


def test_an_import_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match=r"app\.js"):
        joined("app", {"app": "import * as x from './one.js'\n"}.__getitem__)


def test_the_client_is_within_its_budget() -> None:
    """60 kB of script and 20 kB of style, packed (ux.md section 16)."""
    assets = Assets()

    assert len(assets.by_address[assets["app.js"]].packed) <= 60_000
    assert len(assets.by_address[assets["app.css"]].packed) <= 20_000


#: Left and right by name, or four sides of which these two differ.
SIDES = re.compile(
    r"(?<![\w-])(?:(?:left|right|[a-z]+-(?:left|right)(?:-radius)?)\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)"
    r"|(?:padding|margin|inset)\s*:\s*[^\s;}]+ (?P<right>[^\s;}]+) [^\s;}]+ (?!(?P=right)[;}])[^\s;}]+[;}])"
)


def test_style_knows_beginnings_and_ends_and_no_left_or_right() -> None:
    """So that a language that is written from right to left can be added."""
    assert SIDES.search("a{margin-left:1px}")
    assert SIDES.search("a{padding:1px 2px 3px 4px}")
    assert not SIDES.search("a{padding:1px 2px 3px 2px;margin-inline:1px 2px}")
    folder = Path(__file__).parent.parent.parent / "templates" / "static"
    found = [f"{path.name}: {m[0]}" for path in folder.glob("*.css") for m in SIDES.finditer(path.read_text("utf-8"))]

    assert found == []
