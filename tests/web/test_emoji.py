"""Emoji by name: a table of our own, found by the letters of either language."""

from __future__ import annotations

from hub.web.emoji import MOST, fitting, table
from tests.web.conftest import Site


def test_every_sign_has_names_in_both_languages_and_stands_there_once() -> None:
    signs = table()
    assert len(signs) >= 150
    assert len({s.sign for s in signs}) == len(signs)
    assert all(s.english[0] and s.german[0] and len(s.sign) <= 8 for s in signs)


def test_a_sign_is_found_by_the_beginning_of_a_word_in_either_language_the_readers_own_first() -> None:
    assert [s.sign for s in fitting("lach", "de")] == ["🙂", "😄", "😀"]
    assert "👍" in [s.sign for s in fitting("dau", "en")]
    assert fitting("gluh", "de")[0].sign == "💡"
    assert fitting("part", "en")[0].sign == "🎉"
    assert fitting("zzz", "en") == [] and len(fitting("s", "en")) == MOST
    assert len(fitting("", "de")) == len(table())


async def test_the_list_is_in_the_readers_language(site: Site) -> None:
    jonas, anna = await site.signed_in("jonas@firm.example"), await site.signed_in()
    assert (await jonas.get("/emoji?q=herz")).words("li .t2").split()[0] == "Herz"
    assert (await anna.get("/emoji?q=herz")).words("li .t2").split()[0] == "heart"
    assert (await anna.get("/emoji?q=%3Cscript%3E")).all("li") == []
