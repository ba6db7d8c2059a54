"""`hub demo`: the hub on a throw-away database with a small firm, its mail server, a messenger and customers who write and answer.

Everything stays on this machine: the mail server and the messenger are the stand-ins of config/twins, on the loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import tempfile
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config import responsibility
from config.app import Server, build
from config.settings import Settings
from config.twins.imap import ImapTwin
from config.twins.provider import Faults, ProviderTwin
from config.twins.smtp import Mail, SmtpTwin
from hub import accounts, channels, collaboration, events, outbox
from hub.access import Actor
from hub.clock import now
from hub.core import Hub
from hub.sql import allocate
from hub.tables import team_members, teams

PASSWORD = "demo-demo-demo"  # noqa: S105 - shown on the screen; the database lives in a temporary folder
STAFF = (
    ("anna@nordlicht.example", "Anna Becker", "admin", ("service", "sales")),
    ("elif@nordlicht.example", "Elif Yılmaz", "agent", ("service",)),
    ("jonas@nordlicht.example", "Jonas Meier", "agent", ("service", "sales")),
    ("tobias@nordlicht.example", "Tobias Krüger", "light", ("service",)),
    ("maria@nordlicht.example", "Maria Lindqvist", "supervisor", ("sales",)),
)
TEAMS = (("service", "Service"), ("sales", "Sales"))
CUSTOMERS = (
    ("Katrin Vogel", "katrin.vogel@posteo.example"),
    ("Henrik Sørensen", "henrik@sorensen.example"),
    ("Mehmet Aydın", "mehmet.aydin@web.example"),
    ("Lena Brandt", "lena.brandt@mail.example"),
    ("Oliver Grant", "oliver@grant.example"),
    ("Sabine Ohlsen", "sabine.ohlsen@gmx.example"),
    ("Petersen & Söhne OHG", "buero@petersen-soehne.example"),
    ("Julia Hofmann", "julia.hofmann@posteo.example"),
)
MATTERS = (
    (
        "Wechselrichter zeigt Fehler 302",
        "Guten Tag, seit heute Morgen zeigt unser Wechselrichter den Fehler 302. Muss ich etwas ausschalten?",
    ),
    (
        "Invoice 20-1187 doesn’t match the offer",
        "Hi, the offer said 9.8 kWp, the invoice lists 10.4. Could you check, please?",
    ),
    ("Wallbox: 11 oder 22 kW?", "Moin, reicht für unseren Hausanschluss eine Wallbox mit 11 kW, oder lohnen sich 22?"),
    ("Foto vom Zählerschrank", "Anbei das Foto vom Zählerschrank. Passt der Zähler noch hinein?"),
    ("Technician tomorrow 8–10", "Yes, that works. Please call ten minutes before you arrive."),
    (
        "Beratungstermin im Ausstellungsraum",
        "Wir hätten gern eine Beratung zum Speicher mit 10 kWh. Geht Freitag um elf?",
    ),
    ("AW: Wartungsvertrag 2026", "Können wir den Termin auf die zweite Dezemberwoche legen?"),
    ("Frage zur Einspeisevergütung", "Gibt es das Modul auch in Schwarz, und was ändert sich an der Vergütung?"),
)
ANSWERS = (
    "Vielen Dank für die schnelle Antwort! Dann warte ich auf den Techniker.",
    "Perfect, thank you. That solves it.",
    "Alles klar. Soll ich vorher noch etwas vorbereiten?",
    "Danke! Eine Frage noch: Gilt das auch am Wochenende?",
)
REPLIES = (
    "Guten Tag, vielen Dank für Ihre Nachricht. Wir sehen uns das gleich an und melden uns heute noch.",
    "Hello, thank you for writing. We are looking into it and will come back to you today.",
)


class World:
    """The customers and the servers they use."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.smtp = SmtpTwin()
        self.imap = ImapTwin()
        self.messenger = ProviderTwin("demo-secret", Faults(), seed)

    def write_mail(self, who: tuple[str, str], subject: str, text: str, answering: Mail | None = None) -> None:
        """A customer's mail lands in the firm's mailbox."""
        mail = EmailMessage()
        mail["From"], mail["To"] = f"{_quoted(who[0])} <{who[1]}>", "support@nordlicht.example"
        mail["Subject"], mail["Message-ID"] = subject, f"<{self.random.getrandbits(64):x}@{who[1].partition('@')[2]}>"
        mail["Date"] = format_datetime(_today())
        if answering is not None:
            before = _headers(answering)
            mail.replace_header("To", before.get("Reply-To", before.get("From", "")))
            mail["In-Reply-To"] = mail["References"] = before.get("Message-ID", "")
            mail.replace_header("Subject", "Re: " + before.get("Subject", "").removeprefix("Re: "))
        mail.set_content(text)
        self.imap.deliver(mail.as_bytes())

    async def live(self) -> None:
        """Now and then somebody writes; whoever was answered often answers back."""
        answered = 0
        while True:
            await asyncio.sleep(self.random.uniform(4, 12))
            while answered < len(self.smtp.mails):
                mail = self.smtp.mails[answered]
                answered += 1
                who = next((c for c in CUSTOMERS if c[1] in mail.recipients), None)
                if who is not None and self.random.random() < 0.7:
                    await asyncio.sleep(self.random.uniform(2, 5))
                    self.write_mail(who, "", self.random.choice(ANSWERS), mail)
            who, matter = self.random.choice(CUSTOMERS), self.random.choice(MATTERS)
            if self.random.random() < 0.5:
                self.write_mail(who, *matter)
            else:
                await self.chat(who, matter[1])

    async def chat(self, who: tuple[str, str], text: str) -> None:
        """A customer's message by messenger."""
        sender = {"address": who[1].partition("@")[0], "name": who[0]}
        number = f"chat-{self.random.getrandbits(48):x}"
        await self.messenger.push({"messages": [{"id": number, "from": sender, "text": text}]})


def _quoted(name: str) -> str:
    return f'"{name}"'


def _headers(mail: Mail) -> dict[str, str]:
    from email import message_from_bytes

    parsed = message_from_bytes(mail.raw)
    return {name: str(parsed[name]) for name in ("From", "Reply-To", "Message-ID", "Subject") if parsed[name]} | {
        "From": parseaddr(str(parsed["From"]))[1]
    }


def _today() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


async def run(settings: Settings, seed: int = 1) -> None:
    """Serve the demo until SIGINT or SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
        world = World(seed)
        own = msgspec.structs.replace(
            settings, data=folder, database="", redis="", secret_key_file="", company="Nordlicht Solar"
        )
        async with world.smtp, world.imap, world.messenger:
            server = await build(own)
            await _furnish(server.hub, world)
            await server.start()
            world.messenger.targets = [f"http://127.0.0.1:{server.port}/webhooks/api/{_key(server)}"]
            try:
                await _first_day(server, world)
                _greet(server)
                await _until_stopped(world)
            finally:
                await server.stop()


def _key(server: Server) -> str:
    return next(r.config.key for r in server.hub.channels.by_id.values() if r.config.kind == "api")


def _greet(server: Server) -> None:
    lines = [
        f"hub demo listens on http://localhost:{server.port}",
        f"  sign in as  {STAFF[0][0]}  (administrator), {STAFF[1][0]} or {STAFF[2][0]}",
        f"  password    {PASSWORD}",
        "Customers write every few seconds and answer what you send them. Nothing leaves this machine.",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - this is what the command says


async def _until_stopped(world: World) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    life = asyncio.create_task(world.live())
    await stopped.wait()
    life.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await life


async def _furnish(hub: Hub, world: World) -> None:
    password = await asyncio.to_thread(accounts.hash_password, PASSWORD)
    await hub.db.write(_people_and_channels, hub, world, password)


def _people_and_channels(conn: Connection, hub: Hub, world: World, password: str) -> None:
    numbers = dict(zip((slug for slug, _ in TEAMS), allocate(conn, "people", len(TEAMS)), strict=True))
    conn.execute(
        sa.insert(teams),
        [{"id": numbers[slug], "slug": slug, "name": name, "created_at": now()} for slug, name in TEAMS],
    )
    members = [
        {"employee_id": accounts.add_employee(conn, email, name, role, password), "team_id": numbers[team]}
        for email, name, role, slugs in STAFF
        for team in slugs[:1]
    ]
    members += [
        {"employee_id": row.id, "team_id": numbers["sales"]}
        for row in accounts.all_employees(conn)
        for s in STAFF
        if s[0] == row.email and "sales" in s[3][1:]
    ]
    conn.execute(sa.insert(team_members), members)
    mail = {"address": "support@nordlicht.example", **world.imap.settings(), **world.smtp.settings()}
    channels.add(conn, hub.box, "email", "Support mailbox", mail, numbers["service"])
    messenger = {"secret": "demo-secret", "url": world.messenger.url}
    channels.add(conn, hub.box, "api", "Messenger", messenger, numbers["sales"])
    events.append(conn, [events.NewEvent("channel.added")])
    responsibility.set_up(conn, numbers)


async def _first_day(server: Server, world: World) -> None:
    """A morning's mails and messages, some of them answered, noted, assigned and closed."""
    for who, matter in zip(CUSTOMERS, MATTERS, strict=True):
        world.write_mail(who, *matter)
    for who, matter in zip(CUSTOMERS[:4], MATTERS[4:], strict=True):
        await world.chat(who, matter[1])
    await _arrived(server.hub, len(CUSTOMERS) + 4)
    await server.hub.db.write(_first_hour, server.hub, world.random)
    server.hub.bus.publish()


async def _arrived(hub: Hub, count: int) -> None:
    statement = sa.text("SELECT count(*) FROM messages")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while await hub.db.read(lambda c: c.execute(statement).scalar_one()) < count:  # noqa: ASYNC110 - a demo may poll
                await asyncio.sleep(0.1)


def _first_hour(conn: Connection, hub: Hub, dice: random.Random) -> None:
    staff = [a for row in accounts.all_employees(conn) if (a := accounts.actor(conn, row.id))]
    anna, elif_, jonas = staff[0], staff[1], staff[2]
    numbers = list(conn.execute(sa.text("SELECT id FROM conversations ORDER BY id")).scalars())
    for place, number in enumerate(numbers):
        who: Actor = (elif_, jonas, anna)[place % 3]
        if place % 4 != 3:
            collaboration.assign(conn, anna, number, who.id, None)
        if place % 3 == 0:
            outbox.reply(conn, anna, hub.channels, 0, number, outbox.Draft(dice.choice(REPLIES), f"demo-{number}"))
        if place % 5 == 1:
            outbox.note(
                conn,
                anna,
                number,
                "Bitte zuerst den Zählerstand prüfen, dann den Techniker schicken.",
                f"note-{number}",
            )
        if place % 5 == 2:
            collaboration.set_tags(conn, anna, number, ["Inverter", "Warranty"])
    for number in numbers[-2:]:
        collaboration.set_status(conn, anna, number, "closed")
    responsibility.give_owner(conn, "Katrin Vogel", "maria@nordlicht.example")
