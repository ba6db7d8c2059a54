"""What a line of the table of questions may say. Everything that cannot be is refused in one sentence that names the field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from msgspec import structs

from hub import adapter
from hub.accounts import Invalid
from hub.directory import Conditions, Directory, Rule, Target
from hub.text import clean_line, fold, split

MOST_RULES = 500
#: Entries of one condition, and characters of one entry.
MOST_ENTRIES, MOST_CHARACTERS = 100, 100

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_DOMAIN = re.compile(r"([\w-]{1,63}\.)+[\w-]{2,63}")


def checked(d: Directory, rule: Rule, anew: Collection[str] = ("conditions", "target")) -> Rule:
    """The line, tidied up; of conditions and target only those in ``anew`` are looked at. Raises `Invalid`."""
    name = clean_line(rule.name, 120)
    if rule.kind == "rule" and not name:
        raise Invalid("“name”: a rule needs a name.")
    conditions = _conditions(d, rule.conditions) if "conditions" in anew else rule.conditions
    target = _target(d, rule.kind, rule.target) if "target" in anew else rule.target
    return structs.replace(rule, name=name, conditions=conditions, target=target)


def check_built_in(old: Rule, new: Rule) -> None:
    """Raises `Invalid` when more is changed of a built-in question than may be."""
    if new.conditions != old.conditions or new.name != old.name:
        raise Invalid("This question is built in: only rules have a name and conditions.")
    if new.target != old.target and new.kind != "fallback":
        raise Invalid("This question is built in: only rules and the fallback have a target.")


# ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _conditions(d: Directory, c: Conditions) -> Conditions:
    if c.hours is not None and c.open is None:
        raise Invalid("“conditions.hours”: say with “open” whether they are to be open or closed.")
    return structs.replace(
        c,
        kinds=_kinds(c.kinds),
        channels=_known("conditions.channels", "is no channel", c.channels, d.channels),
        teams=_known("conditions.teams", "is no team", c.teams, d.teams),
        keywords=_keywords("conditions.keywords", c.keywords),
        subject=_keywords("conditions.subject", c.subject),
        domains=_domains(c.domains),
        languages=_spelt("conditions.languages", c.languages, _LANGUAGE, "language", "de or en-GB"),
        regions=_spelt("conditions.regions", [r.upper() for r in c.regions], _REGION, "region", "DE or DE-NI"),
        attributes=_pairs("conditions.attributes", c.attributes),
        fields=_pairs("conditions.fields", c.fields),
        priorities=_texts("conditions.priorities", c.priorities),
        hours=_known("conditions.hours", "are no business hours", [c.hours], d.hours)[0]
        if c.hours is not None
        else None,
    )


def _texts(field: str, given: Iterable[str]) -> tuple[str, ...]:
    """Every text once, on one line, without blanks around it."""
    found: dict[str, None] = {}
    for text in given:
        tidy = clean_line(text, MOST_CHARACTERS + 1)
        if not tidy or len(tidy) > MOST_CHARACTERS:
            raise Invalid(f"“{field}”: an entry has 1 to {MOST_CHARACTERS} characters.")
        found[tidy] = None
    if len(found) > MOST_ENTRIES:
        raise Invalid(f"“{field}”: at most {MOST_ENTRIES} entries.")
    return tuple(found)


def _kinds(given: Iterable[str]) -> tuple[str, ...]:
    kinds, known = _texts("conditions.kinds", given), adapter.kinds()
    if wrong := next((kind for kind in kinds if kind not in known), None):
        raise Invalid(f"“conditions.kinds”: there is no kind of channel “{wrong}”; there are {', '.join(known)}.")
    return kinds


def _known(field: str, what: str, given: Iterable[str], known: Collection[int]) -> tuple[str, ...]:
    """Ids as the resolver compares them."""
    found = []
    for text in _texts(field, given):
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
        if number not in known:
            raise Invalid(f"“{field}”: there {what} “{text}”.")
        found.append(str(number))
    return tuple(found)


def _keywords(field: str, given: Iterable[str]) -> tuple[str, ...]:
    keywords = _texts(field, given)
    if empty := next((word for word in keywords if not split(fold(word))), None):
        raise Invalid(f"“{field}”: “{empty}” has neither a letter nor a digit.")
    return keywords


def _domains(given: Iterable[str]) -> tuple[str, ...]:
    domains = _texts("conditions.domains", [text.strip().removeprefix("@").lower() for text in given])
    if wrong := next((domain for domain in domains if not _DOMAIN.fullmatch(domain)), None):
        raise Invalid(f"“conditions.domains”: “{wrong}” is no domain; write it like example.org.")
    return domains


def _spelt(field: str, given: Iterable[str], form: re.Pattern[str], what: str, like: str) -> tuple[str, ...]:
    texts = _texts(field, given)
    if wrong := next((text for text in texts if not form.fullmatch(text)), None):
        raise Invalid(f"“{field}”: “{wrong}” is no {what}; write it like {like}.")
    return texts


def _pairs(field: str, given: Mapping[str, str]) -> dict[str, str]:
    names, values = [_one(field, name) for name in given], [_one(field, value) for value in given.values()]
    if len(names) > MOST_ENTRIES:
        raise Invalid(f"“{field}”: at most {MOST_ENTRIES} entries.")
    return dict(zip(names, values, strict=True))


def _one(field: str, text: str) -> str:
    return _texts(field, [text])[0]


# ── target ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _target(d: Directory, kind: str, target: Target) -> Target:
    if kind == "rule" and target.employee is None and target.team is None:
        raise Invalid("“target”: a rule leads to an employee, a team, or both.")
    employee, team = target.employee, target.team
    if employee is not None:
        (employee,) = _known("target.employee", "is no employee", [employee], d.employees)
        person = d.employees[int(employee)]
        if person.disabled:
            raise Invalid(f"“target.employee”: {person.name} does not work here any more.")
        if person.role == "light":
            raise Invalid(f"“target.employee”: {person.name} does not answer customers.")
    if team is not None:
        (team,) = _known("target.team", "is no team", [team], d.teams)
    return structs.replace(target, employee=employee, team=team, skills=_texts("target.skills", target.skills))
