"""To whom does a contact go, and why? The order of questions, for now: the customer's owner, then the channel's team."""

from __future__ import annotations

from msgspec import Struct


class Decision(Struct, frozen=True):
    """Who it is and the reason, as a code that the screens put into words (see `REASONS`)."""

    assignee_id: int | None
    team_id: int | None
    reason: str


#: The reasons in words. A reason stored as ``text:…`` was written by a person.
REASONS = {
    "owner": {"en": "responsible for this customer", "de": "für diesen Kunden zuständig"},
    "team": {"en": "team of the channel", "de": "Team des Kanals"},
    "nobody": {
        "en": "no team is set for the channel: open to everybody",
        "de": "kein Team am Kanal eingestellt: offen für alle",
    },
    "assigned": {"en": "assigned by hand", "de": "von Hand zugewiesen"},
    "started": {"en": "started this conversation", "de": "hat dieses Gespräch begonnen"},
}


def decide(owner_id: int | None, team_id: int | None) -> Decision:
    """The decision for a new conversation."""
    if owner_id is not None:
        return Decision(owner_id, team_id, "owner")
    return Decision(None, team_id, "team" if team_id is not None else "nobody")


def in_words(reason: str, language: str = "en") -> str:
    """The reason as a sentence part in the language."""
    known = REASONS.get(reason)
    return known.get(language, known["en"]) if known else reason.removeprefix("text:")
