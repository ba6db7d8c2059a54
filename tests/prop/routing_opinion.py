"""A second opinion on who gets what in a world of `tests.prop.routing_world`.

It is written from what the house promises to its people and shares no code with `hub.routing`: plain loops, nothing prepared.
"""

from __future__ import annotations

import re
from typing import Any

from hub.routing import Situation
from tests.prop.routing_world import SPOT, WEIGHTS, World


def fits(w: World, c: Situation, number: int, line: dict[str, Any]) -> bool:
    """May this person have it now? Here, not absent, skilled, not full (who has this very one keeps it), on the spot if it is a call."""
    person = w.people[number]
    if person.gone or person.role == "light" or number in c.excluded or w.absent(number):
        return False
    if not set(line.get("skills", ())) <= person.skills:
        return False
    if line.get("speaks") and c.language and c.language not in person.languages:
        return False
    if c.kind in SPOT and person.state != "available":
        return False
    return (c.held and number == c.assignee_id) or w.load(number) + WEIGHTS[c.kind] <= person.capacity


def fitting(w: World, c: Situation, team: int, line: dict[str, Any]) -> list[int]:
    """Those of a team who may have it and are available."""
    return [m for m in w.teams[team]["members"] if w.people[m].state == "available" and fits(w, c, m, line)]


def team_open(w: World, c: Situation, team: int) -> bool:
    """Is the team open now? For its own channel's contacts the channel's hours come first."""
    own = w.channels[c.channel_id]["hours"] if team == c.team_id else None
    return w.is_open(own or w.teams[team]["hours"])


def opinion(w: World, c: Situation) -> tuple[int | None, int | None, int | None]:
    """(assignee, team, for whom the assignee stands in) as the house promises it."""
    home = c.team_id if c.team_id in w.teams else None
    for line in w.table:
        person, team = _asked(w, c, line) if line["on"] else (None, None)
        if person is not None and (found := stand_in(w, c, person, line)) is not None:
            back = found != person and w.absent(person) and not _out(w, c, person)
            return found, team if team is not None else home, person if back else None
        if team is not None:
            able = fitting(w, c, team, line)
            if not able or not team_open(w, c, team) or w.teams[team]["strategy"] == "queue":
                return None, team, None
            return _first(w, c, team, able), team, None
    return None, home, None


def _out(w: World, c: Situation, number: int) -> bool:
    person = w.people[number]
    return person.gone or person.role == "light" or number in c.excluded


def stand_in(w: World, c: Situation, number: int, line: dict[str, Any]) -> int | None:
    """The person, or else the first of their deputies who may have it, however long the chain; a circle ends it."""
    path: list[int] = []
    while number not in path:
        if fits(w, c, number, line):
            return number
        path.append(number)
        after = deputy(w, number)
        if after is None:
            return None
        number = after
    return None


def deputy(w: World, number: int) -> int | None:
    """Whom the absence of now names (the longest of several that name somebody), or the standing deputy."""
    person = w.people[number]
    named = [
        (float("inf") if b is None else b, -place, who)
        for place, (a, b, who) in enumerate(person.away)
        if a <= w.at and (b is None or w.at < b) and who in w.people
    ]
    return max(named)[2] if named else person.deputy


def _first(w: World, c: Situation, team: int, able: list[int]) -> int:
    if c.last_agent_id in able:
        return c.last_agent_id
    if w.teams[team]["strategy"] == "round_robin":
        return min(able, key=lambda n: (w.people[n].given, n))
    return min(able, key=lambda n: (max(w.people[n].given, w.people[n].did), n))


def _asked(w: World, c: Situation, line: dict[str, Any]) -> tuple[int | None, int | None]:
    """(person, team) that the line of the table leads to; of those who are known."""
    kind = line["kind"]
    if kind == "channel":
        return None, c.team_id if c.team_id in w.teams else None
    if kind in ("rule", "fallback"):
        if kind == "rule" and not all(_holds(w, c, name, value) for name, value in line["if"].items()):
            return None, None
        person, team = line["person"], line["team"]
    else:
        known = {"assignee": c.assignee_id, "owner": c.owner_id, "company": c.company_owner_id, "last": c.last_agent_id}
        person, team = known[kind], None
    return person if person in w.people else None, team if team in w.teams else None


def _plain(text: str) -> str:
    return text.lower().replace("ß", "ss").translate(str.maketrans("äöü", "aou"))


def _spoken(text: str, keyword: str) -> bool:
    """Is there a word that begins so? Letter by letter, nothing prepared."""
    wanted = r"\b" + r"[^a-z0-9]+".join(map(re.escape, _plain(keyword).split()))
    return re.search(wanted, _plain(text)) is not None


def _holds(w: World, c: Situation, name: str, value: Any) -> bool:
    match name:
        case "keywords":
            return any(_spoken(f"{c.subject} {c.text}", keyword) for keyword in value)
        case "subject":
            return any(_spoken(c.subject, keyword) for keyword in value)
        case "kinds":
            return c.kind in value
        case "languages":
            return c.language in value
        case "regions":
            return any((c.region + "-").startswith(region + "-") for region in value)
        case "fields":
            return all(c.fields.get(key) == wanted for key, wanted in value.items())
        case "attributes":
            return all(c.attributes.get(key) == wanted for key, wanted in value.items())
        case "domains":
            return c.sender.split("@")[-1] in value
    team = w.teams.get(c.team_id or 0)
    opened = w.channels[c.channel_id]["hours"] or (team["hours"] if team else None)
    return bool(w.is_open(opened) == value)
