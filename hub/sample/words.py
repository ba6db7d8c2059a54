"""Who writes to the sample firm: names, languages, and ways to reach them."""

from __future__ import annotations

from msgspec import Struct

FIRM = "Nordlicht Solar"
DOMAIN = "nordlicht.example"


class Colleague(Struct, frozen=True):
    """Somebody of the sample firm: the beginning of their address, name, role, teams, skills, languages."""

    key: str
    name: str
    role: str
    teams: tuple[str, ...]
    skills: tuple[str, ...]
    languages: tuple[str, ...]

    @property
    def email(self) -> str:
        """Their address; nobody has it."""
        return f"{self.key}@{DOMAIN}"


STAFF = (
    Colleague("anna", "Anna Becker", "admin", ("service", "sales"), ("billing",), ("de", "en")),
    Colleague("elif", "Elif Yılmaz", "agent", ("service",), ("inverter", "wallbox"), ("de", "tr", "en")),
    Colleague("jonas", "Jonas Meier", "agent", ("service", "sales"), ("billing", "inverter"), ("de", "en")),
    Colleague("tobias", "Tobias Krüger", "light", ("service",), (), ("de",)),
    Colleague("maria", "Maria Lindqvist", "supervisor", ("sales",), ("offers",), ("de", "sv", "en")),
    Colleague("finn", "Finn Hansen", "agent", ("sales",), ("offers", "wallbox"), ("de", "en")),
)
#: Who answers customers, in the sample's past and while it runs.
WORKING = ("elif", "jonas", "finn")
TEAMS = (("service", "Service"), ("sales", "Sales"))


class Channel(Struct, frozen=True):
    """A channel of the sample: its kind, what it is called in English and German, its team, how often it is used (weight)."""

    key: str
    kind: str
    name: str
    german: str
    team: str
    weight: int

    def called(self, language: str) -> str:
        """Its name in a language."""
        return self.german if language == "de" else self.name


#: Kinds of channels that have no adapter yet stand on the general `api` channel, and say so.
CHANNELS = (
    Channel("email", "email", "Mailbox (sample)", "Postfach (Beispiel)", "service", 9),
    Channel("webchat", "webchat", "Web chat (sample)", "Webchat (Beispiel)", "sales", 4),
    Channel("whatsapp", "api", "WhatsApp (sample)", "WhatsApp (Beispiel)", "service", 6),
    Channel("sms", "api", "SMS (sample)", "SMS (Beispiel)", "service", 2),
    Channel("telegram", "api", "Telegram (sample)", "Telegram (Beispiel)", "sales", 2),
    Channel("voice", "api", "Voicemail (sample)", "Anrufbeantworter (Beispiel)", "service", 2),
    Channel("visit", "api", "Showroom (sample)", "Ausstellung (Beispiel)", "sales", 1),
)


class Person(Struct, frozen=True):
    """A customer of the sample. ``address`` is the beginning of every address of theirs."""

    name: str
    address: str
    language: str = "de"


PEOPLE = (
    Person("Katrin Vogel", "katrin.vogel"),
    Person("Henrik Sørensen", "henrik.sorensen", "en"),
    Person("Mehmet Aydın", "mehmet.aydin"),
    Person("Lena Brandt", "lena.brandt"),
    Person("Oliver Grant", "oliver.grant", "en"),
    Person("Sabine Ohlsen", "sabine.ohlsen"),
    Person("Petersen & Söhne OHG", "buero.petersen"),
    Person("Julia Hofmann", "julia.hofmann"),
    Person("Stadtwerke Stade", "netz.stadtwerke"),
    Person("Ayşe Demir", "ayse.demir"),
    Person("Bernd Kröger", "bernd.kroeger"),
    Person("Charlotte Weiß", "charlotte.weiss"),
    Person("Daniel O’Connor", "daniel.oconnor", "en"),
    Person("Elke Thomsen", "elke.thomsen"),
    Person("Familie Reimers", "familie.reimers"),
    Person("Gärtnerei Blohm GmbH & Co. KG", "info.blohm"),
    Person("Hanna Lüders", "hanna.lueders"),
    Person("Ingrid Svensson", "ingrid.svensson", "en"),
    Person("Jens-Peter Hinrichsen", "jp.hinrichsen"),
    Person("Karolina Nowak", "karolina.nowak"),
    Person("Küsten-Logistik GmbH", "dispo.kuesten"),
    Person("Lukas Förster", "lukas.foerster"),
    Person("Margarethe von der Heide-Schulenburg", "m.heide"),
    Person("Nora Fischer", "nora.fischer"),
    Person("Olena Kovalenko", "olena.kovalenko", "en"),
    Person("Paul Janssen", "paul.janssen"),
    Person("Priya Nair", "priya.nair", "en"),
    Person("Ralf Mahnke", "ralf.mahnke"),
    Person("Rosa Martínez", "rosa.martinez", "en"),
    Person("Hof Sievers", "hof.sievers"),
    Person("Silke Martens", "silke.martens"),
    Person("Thomas Behrens", "thomas.behrens"),
    Person("Tischlerei Claußen", "werkstatt.claussen"),
    Person("Ute Peters", "ute.peters"),
    Person("Viktor Lang", "viktor.lang"),
    Person("William Hughes", "william.hughes", "en"),
    Person("Xenia Baumann", "xenia.baumann"),
    Person("Yasmin Haddad", "yasmin.haddad", "en"),
    Person("Zahnarztpraxis Dr. Möller", "praxis.moeller"),
    Person("Åsa Nyström", "asa.nystrom", "en"),
)
