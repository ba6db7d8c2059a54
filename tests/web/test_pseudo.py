"""A language nobody speaks, 40 % longer and full of accents: whatever stands on a screen without it has escaped the catalogue."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import i18n
from hub.sample.loading import load
from hub.tables import metadata
from hub.web import templates
from tests.web.conftest import Page, Site
from tests.web.screens import crawl

ACCENTS = str.maketrans("aceginorsuyzACEGIOSUZ", "áçéğïñöŕšüýžÁÇÉĞÍÖŠÜŽ")
HOLE = re.compile(r"(\{\w*\})")
PSEUDO = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[^\W\d_]{2,}")
#: Words that are the same in every language: names of things, keys, units, languages by their own names.
SAME = set(
    """
    Escape localhost hub Hub API IMAP SMTP OAuth URL HTTP CSV Esc Ctrl Strg Shift Enter English Deutsch UTC CET CEST kB MB min
    Telegram WhatsApp SMS channel add email name set address host user password imap smtp support example com secret
    url https shop Shop Support allowed_origins script async src embed js customer agent first_name conversation
    number en de GB DE NI Pseudo HTML Node PHP Python
    """.split()  # noqa: SIM905 - fifty words are easier to read like this
)


def pseudo(text: str) -> str:
    """The text as nobody would write it, its holes kept: ⟦Ŵé šéñð ïţ ~~~⟧."""
    parts = [p if HOLE.fullmatch(p) else p.translate(ACCENTS) for p in HOLE.split(text)]
    said = "".join(parts)
    return "".join(
        p if HOLE.fullmatch(p) else f"⟦{p}⟧" if p.strip() else p for p in HOLE.split(said + "~" * (len(text) * 2 // 5))
    )


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language qps, for this test only."""
    german = (i18n.FOLDER / "de.po").read_text("utf-8")
    lines = []
    for block in re.split(r"\n\s*\n", german):
        found = dict(i18n.read_po(block))
        if not found:
            continue
        for english, forms in found.items():
            many = re.search(r'^msgid_plural "(.*)"$', block, re.M)
            both = [pseudo(english), pseudo(many[1])] if many and len(forms) > 1 else [pseudo(english)]
            quoted = [f.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for f in (english, *both)]
            said = (
                [f'msgstr[{n}] "{f}"' for n, f in enumerate(quoted[1:])] if len(both) > 1 else [f'msgstr "{quoted[1]}"']
            )
            plural = [f'msgid_plural "{many[1]}"'] if many and len(both) > 1 else []
            lines.append("\n".join([f'msgid "{quoted[0]}"', *plural, *said]))
    folder = tmp_path / "i18n"
    folder.mkdir()
    shutil.copy(i18n.FOLDER / "de.po", folder / "de.po")
    (folder / "qps.po").write_text("\n\n".join(lines), "utf-8")
    monkeypatch.setattr(i18n, "FOLDER", folder)
    monkeypatch.setitem(i18n.LANGUAGES, "qps", "Pseudo")
    i18n.catalogue.cache_clear()
    templates.pages.cache_clear()
    yield
    i18n.catalogue.cache_clear()
    templates.pages.cache_clear()


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Words do not depend on the database."""
    return str(request.param)


def told(conn: Connection) -> set[str]:
    """Every word that people, and not the house, have written."""
    words: set[str] = set()
    for table in metadata.sorted_tables:
        for column in table.c:
            if isinstance(column.type, sa.Text):
                for value in conn.execute(sa.select(column).where(column.is_not(None)).distinct()).scalars():
                    words |= {w.lower() for w in WORD.findall(value)}
    return words


SPOKEN = ("title", "aria-label", "placeholder", "alt")
#: What scripts put on the screen stands in data-attributes: those that read like a sentence (not what is only copied: code).
SENTENCE = re.compile(r"^[^\W\d_]+ [^\W\d_]|^⟦|\{\w+\}")


def bare(page: Page) -> set[str]:
    """What people see or hear of a page that is no word of the catalogue."""
    for node in page.all("script,style,template,pre,#keys,.av"):
        node.decompose()
    texts = [page.tree.body.text(separator=" ") if page.tree.body else ""]
    texts += [n.attributes.get(a) or "" for a in SPOKEN for n in page.all(f"[{a}]")]
    texts += [
        re.sub(r"\{\w+\}", " ", v)
        for n in page.tree.css("*")
        for k, v in n.attributes.items()
        if k.startswith("data-") and k != "data-copy" and v and SENTENCE.search(v)
    ]
    return {w for text in texts for w in WORD.findall(PSEUDO.sub(" ", text))}


def test_pseudo_is_longer_strange_and_keeps_its_holes() -> None:
    made = pseudo("Assigned to {name}")

    assert re.sub(r"[⟦⟧~]", "", made) == "Ášïğñéd tö {name}".replace("šï", "ššï")
    assert made.count("~") == 7
    assert PSEUDO.sub("", made) == "{name}"


async def test_every_visible_word_comes_from_the_catalogue(strange: None, site: Site) -> None:
    hub = site.server.hub
    await site.write(lambda c: load(c, hub.box, me=site.people["anna"]))
    await hub.load_channels()
    await site.write(lambda c: c.execute(sa.text("UPDATE employees SET language = 'qps'")))
    known = await hub.db.read(told) | {w.lower() for w in SAME}

    escaped: dict[str, Any] = {}
    for path, page in (await crawl(site, await site.signed_in())).items():
        left = sorted(w for w in bare(page) if w.lower() not in known)
        if left:
            escaped[path] = left

    assert escaped == {}


async def test_what_is_answered_to_a_click_comes_from_the_catalogue_too(strange: None, site: Site) -> None:
    """Bars, menus' answers, refusals: what is put into a page that is open."""
    numbers = [await site.say(f"Matter {n}", f"c{n}", "Katrin Vogel") for n in range(3)]
    await site.write(lambda c: c.execute(sa.text("UPDATE employees SET language = 'qps'")))
    known = await site.server.hub.db.read(told) | {w.lower() for w in SAME} | {"matter", "katrin", "vogel"}
    anna, one = await site.signed_in(), f"/c/{numbers[0]}"
    pages = [
        await anna.post(f"{one}/status?in=all", {"status": "closed"}),
        await anna.post(f"{one}/status?in=all", {"status": "snoozed", "words": "gibberish"}),
        await anna.post(f"{one}/status?in=all", {"status": "snoozed", "words": "20.12.2030 10 Uhr"}),
        await anna.post(f"{one}/assign?in=all", {"to": f"e{site.people['jonas']}"}),
        await anna.post(f"{one}/tags?in=all", {"add": "matter"}),
        await anna.post(f"{one}/unread?in=all", {}),
        await anna.post(f"{one}/reply?in=all", {"text": "", "client_id": "x1"}),
        await anna.post("/bulk?in=all", {"do": "status:closed", "id": str(numbers[1])}),
        await anna.get("/snooze?words=gibberish"),
        await anna.get("/snooze?words=20.12.2030"),
        await anna.get(f"/palette?q=vogel&c={numbers[0]}"),
        await anna.get(f"{one}/items?after=0&in=all"),
        await anna.get(f"{one}/newer?seen=0"),
        await anna.get("/c/999999"),
    ]
    escaped = {page.url: left for page in pages if (left := sorted(w for w in bare(page) if w.lower() not in known))}

    assert [page.url for page in pages if page.status >= 500] == []
    assert escaped == {}
