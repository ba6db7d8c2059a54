"""The forms in which people say when something counts and to whom it goes: conditions and targets, as fields and back."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from hub import adapter
from hub.directory import Conditions, Directory, Target
from hub.http import Form
from hub.i18n import Catalogue
from hub.text import by_name
from hub.web import forms

#: Fields of the form by the names that refusals use.
FIELDS = (
    "name", "kinds", "channels", "teams", "keywords", "subject", "domains", "languages", "regions", "attributes", "fields",
    "priorities", "open", "hours", "employee", "team", "skills", "speaks",
)  # fmt: skip
#: Where a refusal belongs that names the same word for conditions and target.
OTHER = {"target": "team", "target.team": "team", "target.employee": "employee", "target.skills": "skills"}
PRIORITIES = ("low", "normal", "high", "urgent")


class Choices(Struct, frozen=True):
    """What can be chosen, each (value, name)."""

    kinds: list[tuple[str, str]]
    channels: list[tuple[str, str]]
    teams: list[tuple[str, str]]
    people: list[tuple[str, str]]
    hours: list[tuple[str, str]]


def choices(d: Directory, words: Catalogue) -> Choices:
    """Everything that is there, by name."""
    able = [e for e in d.employees.values() if not e.disabled and e.role != "light"]
    return Choices(
        sorted(((kind, kind_name(kind, words)) for kind in adapter.kinds()), key=lambda pair: by_name(pair[1])),
        [(str(c.id), c.name) for c in sorted(d.channels.values(), key=lambda c: (by_name(c.name), c.id))],
        [(str(t.id), t.name) for t in sorted(d.teams.values(), key=lambda t: (by_name(t.name), t.id))],
        [(str(e.id), e.name) for e in sorted(able, key=lambda e: (by_name(e.name), e.id))],
        [(str(h.id), h.name) for h in sorted(d.hours.values(), key=lambda h: (by_name(h.name), h.id))],
    )


def kind_name(kind: str, words: Catalogue) -> str:
    """What a kind of channel is called."""
    labels = adapter.load(kind).labels
    return labels.get(words.language) or labels.get("en", kind)


def as_fields(c: Conditions, t: Target = Target()) -> dict[str, Any]:  # noqa: B008 - frozen
    """What the form's fields hold."""
    return {
        "kinds": list(c.kinds),
        "channels": list(c.channels),
        "teams": list(c.teams),
        "keywords": ", ".join(c.keywords),
        "subject": ", ".join(c.subject),
        "domains": ", ".join(c.domains),
        "languages": ", ".join(c.languages),
        "regions": ", ".join(c.regions),
        "priorities": list(c.priorities),
        "attributes": "\n".join(f"{name} = {value}" for name, value in c.attributes.items()),
        "fields": "\n".join(f"{name} = {value}" for name, value in c.fields.items()),
        "open": {None: "", True: "open", False: "closed"}[c.open],
        "hours": c.hours or "",
        "employee": t.employee or "",
        "team": t.team or "",
        "skills": ", ".join(t.skills),
        "speaks": "yes" if t.speaks else "",
    }


def read_conditions(form: Form) -> Conditions:
    """What the form says. Raises `forms.Wrong`."""
    opened = {"open": True, "closed": False}.get(forms.word(form, "open", 10))
    return Conditions(
        kinds=forms.words(form, "kinds"),
        channels=forms.words(form, "channels"),
        teams=forms.words(form, "teams"),
        keywords=_listed(form, "keywords"),
        subject=_listed(form, "subject"),
        domains=_listed(form, "domains"),
        languages=_listed(form, "languages"),
        regions=_listed(form, "regions"),
        attributes=forms.pairs(form, "attributes"),
        fields=forms.pairs(form, "fields"),
        priorities=forms.words(form, "priorities"),
        open=opened,
        hours=(forms.word(form, "hours", 20) or None) if opened is not None else None,
    )


def read_target(form: Form) -> Target:
    """To whom it goes, as the form says."""
    return Target(
        forms.word(form, "employee", 20) or None,
        forms.word(form, "team", 20) or None,
        _listed(form, "skills"),
        forms.word(form, "speaks", 5) == "yes",
    )


def _listed(form: Form, name: str) -> tuple[str, ...]:
    return forms.parts(forms.text(form, name))


def typed(form: Form) -> dict[str, Any]:
    """The form as it was sent, lists as lists."""
    many = ("kinds", "channels", "teams", "priorities")
    return {**forms.kept(form), **{name: list(forms.words(form, name)) for name in many}}
