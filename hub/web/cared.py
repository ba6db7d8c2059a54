"""What the customer's panel shows of tasks, consents and orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import caring, consents, directory
from hub.caring import Order, Todo
from hub.consents import Consent
from hub.events import Event
from hub.i18n import Catalogue
from hub.text import by_name
from hub.web.when import When


class Care(Struct, frozen=True):
    """What stands in the panel. ``people`` may be given a task; ``kinds`` are kinds of channels in use with their channels' names."""

    todos: tuple[Todo, ...] = ()
    consents: tuple[Consent, ...] = ()
    orders: tuple[Order, ...] = ()
    people: tuple[tuple[int, str], ...] = ()
    kinds: tuple[tuple[str, str], ...] = ()

    @property
    def open(self) -> int:
        """How many tasks are open."""
        return sum(t.done_at is None for t in self.todos)


def care(conn: Connection, customer_id: int) -> Care:
    """Three statements. The caller has checked who may see the customer."""
    d, known = directory.current(conn), dict[str, list[str]]()
    for channel in d.channels.values():
        known.setdefault(channel.kind, []).append(channel.name)
    people = [(e.id, e.name) for e in d.employees.values() if not e.disabled]
    return Care(
        tuple(caring.todos_of(conn, customer_id)),
        tuple(consents.of_customer(conn, customer_id)),
        tuple(caring.orders_of(conn, customer_id)),
        tuple(sorted(people, key=lambda each: by_name(each[1]))),
        tuple((kind, ", ".join(names)) for kind, names in known.items()),
    )


def money(amount: int, currency: str, words: Catalogue) -> str:
    """An amount in the smallest unit as people of this language write it: 1.234,50 EUR, EUR 1,234.50."""
    said = f"{abs(amount) / 100:,.2f}"
    if words.language == "de":
        return f"{'−' if amount < 0 else ''}{said.translate(str.maketrans(',.', '.,'))} {currency}".rstrip()
    return f"{currency} {'−' if amount < 0 else ''}{said}".lstrip()


def day_due(due_at: int) -> date:
    """The day a task is due: a day is the same everywhere, so it ends with UTC's."""
    return datetime.fromtimestamp((due_at - 1) / 1000, UTC).date()


def line(event: Event, who: str, people: Mapping[int, str], known: Iterable[tuple[str, str]], when: When) -> str:
    """What the timeline says of tasks and consents; ``known`` are the channels' kinds and names."""
    words, data = when.words, event.data
    if event.kind == "customer.consent":
        channel = str(data.get("channel", "?"))
        named = ", ".join(name for kind, name in known if kind == channel) or channel
        if data.get("state") == "out":
            return words.text("{who} wrote down: opted out of {channel}", who=who, channel=named)
        return words.text("{who} wrote down: agreed to {channel}", who=who, channel=named)
    text, due, number = str(data.get("text", "")), data.get("due_at"), data.get("person")
    if event.kind == "customer.task_open":
        return words.text("{who} opened the task again: {what}", who=who, what=text)
    if event.kind == "customer.task_done":
        return words.text("{who} did: {what}", who=who, what=text)
    about = [people.get(int(number), "?")] if number else []
    about += [words.text("until {time}", time=when.dated(day_due(due)))] if isinstance(due, int) else []
    what = f"{text} ({', '.join(about)})" if about else text
    return words.text("{who} noted a task: {what}", who=who, what=what)
