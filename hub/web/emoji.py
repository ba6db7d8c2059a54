"""Signs that one writes with a colon and some letters of their name, in English or German."""

from __future__ import annotations

import functools

from aiohttp import web
from msgspec import Struct

from hub.access import Actor
from hub.text import fold
from hub.web.rendering import show, words_for

#: So many are offered while one writes.
MOST = 8

#: A sign, its English names, its German ones; the first of each is how it is called. Those that are needed most come first.
_TABLE = """
🙂 smile, friendly | lächeln, freundlich
😊 blush, happy | erröten, glücklich
👍 thumbs up, yes, good | Daumen hoch, ja, gut
🙏 please, thanks, folded hands | bitte, danke, gefaltete Hände
🎉 party, congratulations | feiern, Glückwunsch, Konfetti
❤️ heart, love | Herz, Liebe
✅ done, check, tick | erledigt, Haken, fertig
😀 grin, laugh | grinsen, lachen
😄 laugh, joy | lachen, Freude
😂 tears of joy, lol | Freudentränen, lol
😅 relief, sweat | erleichtert, Schweiß
😉 wink | zwinkern
😍 in love, heart eyes | verliebt, Herzaugen
😎 cool, sunglasses | cool, Sonnenbrille
🤔 think, hmm | nachdenken, hmm
😐 neutral | neutral
😕 confused, unsure | verwirrt, unsicher
🙁 sad, frown | traurig, Stirnrunzeln
😢 cry, tear | weinen, Träne
😭 sob, cry loudly | heulen, schluchzen
😡 angry, rage | wütend, Zorn
😱 scream, shock | Schreck, schreien
😳 flushed, embarrassed | verlegen, peinlich
😴 sleep, tired | schlafen, müde
🤒 ill, fever | krank, Fieber
🤗 hug | umarmen, Umarmung
🤝 handshake, deal | Handschlag, abgemacht
🤷 shrug, no idea | Schulterzucken, keine Ahnung
🤦 facepalm | Hand vors Gesicht
🤞 fingers crossed, luck | Daumen drücken, Glück
👎 thumbs down, no, bad | Daumen runter, nein, schlecht
👌 perfect, okay | perfekt, okay
👏 applause, clap | Applaus, klatschen
👋 wave, hello, bye | winken, hallo, tschüss
🙌 hooray, raised hands | hurra, Hände hoch
💪 strong, muscle | stark, Muskel
👉 point right | nach rechts zeigen
👈 point left | nach links zeigen
👆 point up | nach oben zeigen
👇 point down | nach unten zeigen
☝️ one, attention | eins, aufpassen
✌️ victory, peace | Sieg, Frieden
👀 eyes, look | Augen, schauen
🧑 person | Person, Mensch
👩 woman | Frau
👨 man | Mann
👶 baby | Baby
👥 people, group | Leute, Gruppe
👷 worker, builder | Arbeiter, Bau, Handwerker
🧑‍💻 developer, computer work | Entwickler, Rechnerarbeit
🧑‍🔧 mechanic, technician | Mechaniker, Techniker
🧑‍🚒 fire brigade | Feuerwehr
🧑‍⚕️ doctor, nurse | Arzt, Pflege
🎅 Santa Claus | Weihnachtsmann, Nikolaus
💙 blue heart | blaues Herz
💚 green heart | grünes Herz
💛 yellow heart | gelbes Herz
💔 broken heart | gebrochenes Herz
⭐ star, favourite | Stern, Favorit
✨ sparkles, shiny | Glitzern, funkeln
🔥 fire, hot | Feuer, heiß
💯 hundred, full marks | hundert, volle Punktzahl
💡 idea, light bulb | Idee, Glühbirne
⚡ electricity, lightning | Strom, Blitz
💥 bang, explosion | Knall, Explosion
❗ exclamation, important | Ausrufezeichen, wichtig
❓ question | Fragezeichen, Frage
⚠️ warning, careful | Warnung, Vorsicht
⛔ no entry, forbidden | Einfahrt verboten, verboten
🚫 prohibited | nicht erlaubt
❌ cross, wrong | Kreuz, falsch
☑️ check box | Kästchen, angekreuzt
🆗 ok | ok
🆕 new | neu
🆘 SOS, emergency | SOS, Notfall
ℹ️ information | Information, Hinweis
🔴 red | rot
🟠 orange | orange
🟡 yellow | gelb
🟢 green | grün
🔵 blue | blau
➡️ arrow right | Pfeil rechts
⬅️ arrow left | Pfeil links
⬆️ arrow up | Pfeil hoch
⬇️ arrow down | Pfeil runter
🔄 refresh, again | aktualisieren, noch einmal
♻️ recycle | Recycling, wiederverwerten
🔁 repeat | wiederholen
⏰ alarm clock | Wecker
⏳ hourglass, wait | Sanduhr, warten
🕐 clock, time | Uhr, Uhrzeit
📅 calendar, date | Kalender, Termin
📆 appointment | Termin, Kalenderblatt
📌 pin | Stecknadel, angeheftet
📍 location, place | Standort, Ort
📎 paper clip, attachment | Büroklammer, Anhang
📧 e-mail | E-Mail
✉️ letter, envelope | Brief, Umschlag
📞 telephone, call | Telefon, Anruf
📱 mobile phone | Handy, Mobiltelefon
☎️ phone | Festnetz, Fernsprecher
💬 speech bubble, chat | Sprechblase, Chat
📣 megaphone, announcement | Megafon, Durchsage
🔔 bell, reminder | Glocke, Erinnerung
🔕 mute, silent | stumm, lautlos
💻 laptop, computer | Laptop, Rechner
🖥️ screen, desktop | Bildschirm, Monitor
🖨️ printer | Drucker
📷 camera, photo | Kamera, Foto
🎥 film, video | Film, Video
🎧 headphones | Kopfhörer
📦 parcel, package | Paket, Karton
🚚 delivery, lorry, truck | Lieferung, Lastwagen
📄 page, document | Seite, Dokument
📃 invoice, paper | Rechnung, Papier
📊 chart, statistics | Diagramm, Statistik
📈 rise, growth | Anstieg, Wachstum
📉 fall, decline | Rückgang, fallen
📝 note, write | Notiz, schreiben
✏️ pencil, edit | Bleistift, bearbeiten
📁 folder | Ordner
🗑️ bin, rubbish | Papierkorb, Müll
🔍 search, magnifier | Suche, Lupe
🔒 locked, secure | Schloss, gesperrt, sicher
🔓 unlocked | entsperrt, offen
🔑 key, password | Schlüssel, Passwort
🔧 spanner, repair | Schraubenschlüssel, reparieren
🔨 hammer | Hammer
🛠️ tools, maintenance | Werkzeug, Wartung
⚙️ gear, settings | Zahnrad, Einstellungen
🔌 plug, power | Stecker, Netzteil
🔋 battery | Akku, Batterie
🧯 fire extinguisher | Feuerlöscher
💶 euro, money | Euro, Geld
💳 credit card, payment | Kreditkarte, Zahlung
💰 money bag, price | Geldsack, Preis
🧾 receipt | Quittung, Beleg
🛒 shopping cart | Einkaufswagen, Warenkorb
🎁 present, gift | Geschenk
🏆 trophy, winner | Pokal, Sieger
🥇 gold medal, first | Goldmedaille, erster
🎂 cake, birthday | Torte, Geburtstag
🍾 champagne, celebrate | Sekt, anstoßen
☕ coffee, break | Kaffee, Pause
🍕 pizza | Pizza
🍺 beer | Bier
🍎 apple | Apfel
🌱 plant, green | Pflanze, nachhaltig
🌷 flower, tulip | Blume, Tulpe
🌳 tree | Baum
🎄 Christmas tree | Weihnachtsbaum, Weihnachten
☀️ sun, sunny | Sonne, sonnig
☁️ cloud | Wolke
🌧️ rain | Regen
❄️ snow, cold | Schnee, kalt
🌙 moon, night | Mond, Nacht
🌍 world, earth | Welt, Erde
🏠 house, home | Haus, Zuhause
🏢 office, company | Büro, Firma
🏭 factory | Fabrik, Werk
🏥 hospital | Krankenhaus
🚗 car | Auto
🚲 bicycle | Fahrrad
🚆 train | Zug, Bahn
✈️ plane, flight | Flugzeug, Flug
🚀 rocket, launch | Rakete, Start
🏖️ beach, holiday | Strand, Urlaub
🐶 dog | Hund
🐱 cat | Katze
🐞 bug, ladybird | Käfer, Fehler
🍀 clover, good luck | Kleeblatt, viel Glück
👻 ghost | Gespenst
🤖 robot, bot | Roboter, Bot
"""


class Sign(Struct, frozen=True):
    """One of them, by its names in both languages."""

    sign: str
    english: tuple[str, ...]
    german: tuple[str, ...]

    def called(self, language: str) -> str:
        """Its name for a reader."""
        return (self.german if language == "de" else self.english)[0]


@functools.cache
def table() -> tuple[Sign, ...]:
    """All of them, those that are needed most first."""
    found = []
    for line in _TABLE.strip().splitlines():
        sign, _, names = line.partition(" ")
        english, _, german = names.partition("|")
        found.append(Sign(sign, _names(english), _names(german)))
    return tuple(found)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def fitting(q: str, language: str) -> list[Sign]:
    """Those a word of whose names begins so; the reader's language and first names first. All of them for no letters."""
    wanted = fold(q)
    if not wanted:
        return list(table())
    ranked = [(rank, n, sign) for n, sign in enumerate(table()) if (rank := _rank(sign, wanted, language)) is not None]
    return [sign for _, _, sign in sorted(ranked, key=lambda one: one[:2])[:MOST]]


def _rank(sign: Sign, wanted: str, language: str) -> int | None:
    own, other = (sign.german, sign.english) if language == "de" else (sign.english, sign.german)
    for rank, names in enumerate((own[:1], own, other)):
        if any(word.startswith(wanted) for name in names for word in (fold(name), *fold(name).split())):
            return rank
    return None


async def emoji_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /emoji?q=: those that fit, as options of a list."""
    language = words_for(request, actor).language
    found = fitting(request.query.get("q", "")[:30], language)
    return show(request, "emoji.j2", actor, found=found)
