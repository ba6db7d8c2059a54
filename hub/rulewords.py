"""A line of the table of questions as a sentence that a team lead reads: If … → team Service, skill billing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub import adapter
from hub.directory import Conditions, Directory, Rule, Target
from hub.i18n import Catalogue, catalogue

#: The built-in questions.
QUESTIONS = {
    "assignee": "The conversation is open → whoever is working on it",
    "owner": "Somebody is responsible for the customer → that person",
    "company": "Somebody is responsible for the customer's company → that person",
    "last": "Somebody has spoken with the customer before → that person",
    "channel": "The channel has a team → that team",
    "fallback": "Otherwise → {0}",
}
#: Conditions, by field; {0} is what is asked for.
CONDITIONS = {
    "kinds": "it comes by {0}",
    "channels": "it comes through {0}",
    "teams": "the channel belongs to {0}",
    "keywords": "subject or text has {0}",
    "subject": "the subject has {0}",
    "domains": "the sender writes from {0}",
    "languages": "the language is {0}",
    "regions": "the region is {0}",
    "priorities": "the priority is {0}",
}
PAIRS = {"attributes": "the customer's “{0}” is “{1}”", "fields": "“{1}” was chosen for “{0}”"}
#: By (are hours named, are they open).
OPEN = {
    (True, True): "it is open by “{0}”",
    (True, False): "it is closed by “{0}”",
    (False, True): "the channel is open",
    (False, False): "the channel is closed",
}
#: The rest: what holds the parts together.
OTHERS = (
    "If {0} → {1}",
    "Always → {0}",
    "open to everybody",
    "team {0}",
    "otherwise team {0}",
    "skill {0}",
    "somebody who speaks the customer's language",
    "“{0}”",
    "and",
    "or",
)


def in_words(d: Directory, rule: Rule, language: str = "en") -> str:
    """The line as one sentence."""
    words = catalogue(language)
    if rule.kind != "rule":
        return words.text(QUESTIONS[rule.kind]).format(_target(d, rule.target, words))
    conditions, target = _conditions(d, rule.conditions, words), _target(d, rule.target, words)
    if not conditions:
        return words.text("Always → {0}").format(target)
    return words.text("If {0} → {1}").format(f" {words.text('and')} ".join(conditions), target)


def _conditions(d: Directory, c: Conditions, words: Catalogue) -> list[str]:
    named: dict[str, Sequence[str]] = {
        "kinds": [_kind(kind, words) for kind in c.kinds],
        "channels": _names(c.channels, {n: channel.name for n, channel in d.channels.items()}),
        "teams": _names(c.teams, {n: team.name for n, team in d.teams.items()}),
        "keywords": _quoted(c.keywords, words),
        "subject": _quoted(c.subject, words),
        "domains": c.domains,
        "languages": c.languages,
        "regions": c.regions,
        "priorities": c.priorities,
    }
    said = [words.text(CONDITIONS[field]).format(_either(items, words)) for field, items in named.items() if items]
    for field, pairs in (("attributes", c.attributes), ("fields", c.fields)):
        said += [words.text(PAIRS[field]).format(name, value) for name, value in pairs.items()]
    if c.open is not None:
        hours = _names([c.hours], {n: hours.name for n, hours in d.hours.items()})[0] if c.hours is not None else ""
        said.append(words.text(OPEN[c.hours is not None, c.open]).format(hours))
    return said


def _target(d: Directory, target: Target, words: Catalogue) -> str:
    parts = _names([target.employee], {n: e.name for n, e in d.employees.items()}) if target.employee else []
    if target.team:
        team = _names([target.team], {n: t.name for n, t in d.teams.items()})[0]
        parts.append(words.text("otherwise team {0}" if parts else "team {0}").format(team))
    parts += [words.text("skill {0}").format(skill) for skill in target.skills]
    if target.speaks:
        parts.append(words.text("somebody who speaks the customer's language"))
    return ", ".join(parts) or words.text("open to everybody")


def _kind(kind: str, words: Catalogue) -> str:
    if kind not in adapter.kinds():
        return kind
    labels = adapter.load(kind).labels
    return labels.get(words.language) or labels.get("en", kind)


def _names(ids: Iterable[str], known: dict[int, str]) -> list[str]:
    """The names behind ids; what is gone stays visible as its number."""
    return [known.get(int(n), f"#{n}") if n.isdecimal() else n for n in ids]


def _quoted(items: Iterable[str], words: Catalogue) -> list[str]:
    return [words.text("“{0}”").format(item) for item in items]


def _either(items: Sequence[str], words: Catalogue) -> str:
    *more, last = items
    return f"{', '.join(more)} {words.text('or')} {last}" if more else last
