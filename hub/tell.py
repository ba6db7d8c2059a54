"""A notice in the words of whom it is for."""

from __future__ import annotations

from hub.i18n import catalogue
from hub.notify import Told


def words_of(told: Told) -> tuple[str, str]:
    """(title, text): whom it is about, and what happened."""
    _ = catalogue(told.language).text
    name = told.title or "?"
    match told.case.kind:
        case "message":
            return name, told.text
        case "queue":
            return _("New in the queue"), f"{name}: {told.text}" if told.text else name
        case "failed":
            return _("Not delivered: {name}", name=name), told.text
        case "call":
            return _("{name} is calling", name=name), told.text
        case "mention":
            return _("You were mentioned"), f"{name}: {told.text}" if told.text else name
        case "assigned":
            return _("Assigned to you: {name}", name=name), told.text
        case "due":
            return _("Reply due soon: {name}", name=name), told.text
        case "overdue":
            return _("Reply overdue: {name}", name=name), told.text
        case "visitor":
            return _("{name} has arrived", name=name), told.text
        case "channel":
            return _("{name} is down", name=name), told.text
