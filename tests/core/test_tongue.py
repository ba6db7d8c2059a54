"""Which language a text is in: told where it is sure, and what hangs on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub import replies, speaking, tongue
from tests.core.conftest import Rig, message
from tests.core.test_replies import add

DIALOGUES = Path(__file__).parents[2].parent / "shared/corpora/dialogues"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Guten Tag, wo ist mein Paket? Ich warte seit einer Woche.", "de"),
        ("Where is my parcel? I have been waiting for a week.", "en"),
        ("Bonjour, où est mon colis ? Je l'attends depuis une semaine.", "fr"),
        ("Hola, ¿dónde está mi paquete? Lo espero desde hace una semana.", "es"),
        ("Buongiorno, dove è il mio pacco? Non è ancora arrivato.", "it"),
        ("Hallo, waar is mijn pakket? Ik wacht al een week.", "nl"),
        ("Dzień dobry, gdzie jest moja paczka? Czekam już tydzień.", "pl"),
        ("Olá, onde está a minha encomenda? Ainda não chegou.", "pt"),
        ("Merhaba, paketim nerede? Bir haftadır bekliyorum, çok geç ve bu kötü.", "tr"),
        ("Здравствуйте, где моя посылка? Я жду уже неделю.", "ru"),
        ("Дякую, але де моя посилка? Я чекаю вже тиждень, це є довго.", "uk"),
        ("", ""),
        ("Hello", ""),
        ("4711 / ABC-99", ""),
        ("Fehler 302 Wechselrichter", ""),
        ("\U0001f600" * 10000, ""),
    ],
)
def test_a_text_tells_its_language_by_its_small_words(text: str, language: str) -> None:
    assert tongue.detect(text) == language


def test_what_it_is_written_in_counts_more_than_what_its_program_says() -> None:
    german = "Können Sie mir bitte sagen, wann das Paket kommt?"
    assert tongue.spoken(german, "en-US") == "de"
    assert tongue.spoken(german, "de-AT") == "de-AT"
    assert tongue.spoken("OK", "fr") == "fr"


@pytest.mark.parametrize(
    ("name", "language", "told"),
    [
        ("banking77-questions-en", "en", 0.9),
        ("chat-questions-german", "de", 0.7),
        ("taskmaster4-coffee-orders-en", "en", 0.9),
    ],
)
def test_of_real_sentences_hardly_one_is_told_wrong(name: str, language: str, told: float) -> None:
    if not DIALOGUES.exists():
        pytest.skip("the corpora are not here")
    found = [tongue.detect(text) for text in _texts(json.loads((DIALOGUES / f"{name}.json").read_text("utf-8")))]
    assert sum(f == language for f in found) / len(found) > told
    assert sum(f not in ("", language) for f in found) / len(found) < 0.01


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) > 25 and " " in value else []
    inside = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return [text for each in inside for text in _texts(each)]


async def test_a_customer_speaks_what_they_write_until_somebody_sets_another_language(rig: Rig) -> None:
    channel, actor = await rig.channel(), await rig.employee()
    await rig.hear(channel, message("Where is my parcel? I have been waiting for a week."))
    customer, home = await rig.scalar("SELECT id FROM customers"), await rig.scalar("SELECT id FROM conversations")
    for name, language in (("A", "de"), ("B", "en"), ("C", "")):
        await add(rig, actor, name, f"text of {name}", language=language)
    db = rig.hub.db

    async def first() -> str:
        return str((await db.read(replies.for_conversation, actor, home))[0].reply.name)

    assert await db.read(speaking.of, customer) == speaking.Spoken("en", "en")
    assert await first() == "B"
    assert '"en"' in await rig.scalar("SELECT details FROM messages")
    await rig.hear(channel, message("Ich habe das Paket bekommen, aber es ist nicht ganz."))
    await rig.hear(channel, message("Können Sie mir bitte ein neues schicken?"))
    assert (await db.read(speaking.of, customer)).language == "de"
    await db.write(lambda c: c.execute(sa.text('UPDATE customers SET attributes = \'{"language": "en"}\'')))
    known = await db.read(speaking.of, customer)
    assert (known, known.by_hand) == (speaking.Spoken("en", "de"), True)
    assert await first() == "B"
