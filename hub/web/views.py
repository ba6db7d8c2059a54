"""The timeline's entries as templates show them: everything decided, nothing left to ask the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from hub import reasons, tongue
from hub.events import Event
from hub.mentions import Spans
from hub.timeline import Item, MessageView
from hub.web import cared, drawn, placing, told
from hub.web.entry import Entry
from hub.web.parts import LOOKS, OTHER, bare
from hub.web.stretches import Extras
from hub.web.when import When

#: Characters of a message that a page shows; the rest is a click away.
LONGEST = 8000
#: Texts of one sender within so many milliseconds stand in one group.
GROUP = 180_000
#: How long a message says by which act it was written (milliseconds).
AWAITED = 86_400_000
#: So many events in a row are folded.
RUN = 3


class Names(Struct, frozen=True):
    """What ids are called: employees, teams, channels (kind and name)."""

    employees: Mapping[int, str]
    teams: Mapping[int, str]
    channels: Mapping[int, tuple[str, str]]


def entries(
    items: Sequence[Item],
    names: Names,
    when: When,
    *,
    subject: str = "",
    before: Item | None = None,
    new_after: int = 0,
    extras: Extras | None = None,
    chapters: bool = False,
) -> list[Entry]:
    """The entries of the items by their time (see `placing`), oldest first.

    ``before`` is the item that stands before the first one, so that a part of the timeline looks as it does in the whole;
    ``new_after`` is the newest message the reader has seen (0: no line). ``chapters``: of several conversations, with headings.
    """
    made: list[Entry] = []
    extras = extras or Extras()
    last = _entry(before, names, when, subject, extras) if before else None
    marked = False
    page = last.page if last else ("", "")
    home = before.event.conversation_id if before else None
    for item in placing.in_order(items, when):
        entry = _entry(item, names, when, subject, extras)
        if chapters and item.event.conversation_id not in (None, home):
            home = item.event.conversation_id
            entry = structs.replace(entry, chapter=extras.heads.get(home or 0))
        page, entry = _paged(page, entry)
        day = when.day(entry.at) if last is None or last.day_key != entry.day_key else ""
        fresh = bool(new_after and not marked and entry.message > new_after and not entry.out)
        marked = marked or fresh
        joined = not (day or fresh or entry.chapter) and last is not None and _continues(last, entry)
        stands = placing.stands(item, when)
        last = structs.replace(entry, day=day, fresh=fresh, joined=joined, stands=stands)
        made.append(last)
    return _folded(made)


def _paged(page: tuple[str, str], entry: Entry) -> tuple[tuple[str, str], Entry]:
    """The page a visitor was on is only said when it is another one."""
    if not entry.page[0]:
        return page, entry
    return entry.page, structs.replace(entry, page=("", "")) if entry.page == page else entry


def _folded(made: list[Entry]) -> list[Entry]:
    """Runs of events as one entry, which has the number of the last."""
    found: list[Entry] = []
    run: list[Entry] = []
    for entry in made:
        if run and (entry.form != "event" or entry.day or entry.chapter):
            found += _run(run)
            run = []
        if entry.form == "event":
            run.append(entry)
        else:
            found.append(entry)
    return found + _run(run)


def _run(run: list[Entry]) -> list[Entry]:
    if len(run) < RUN:
        return run
    first, last = run[0], run[-1]
    bare_members = tuple(structs.replace(e, day="", chapter=None) for e in run)
    told = {"form": "run", "day": first.day, "chapter": first.chapter, "members": bare_members, "icon": "dots"}
    return [structs.replace(last, **told)]


def _continues(last: Entry, entry: Entry) -> bool:
    same = (last.form, last.out, last.who, last.via, last.conversation)
    return (
        entry.form == "text"
        and same == (entry.form, entry.out, entry.who, entry.via, entry.conversation)
        and 0 <= entry.at - last.at < GROUP
    )


def _entry(item: Item, names: Names, when: When, subject: str, extras: Extras) -> Entry:
    said = item.message
    if said is None:
        entry = _happened(item.event, names, when)
        todo = extras.todos.get(int(item.event.data.get("task", 0))) if item.event.kind == "customer.task" else None
        return structs.replace(entry, form="task", out=True, todo=todo) if todo else entry
    at = said.received_at
    kind, via = names.channels.get(said.channel_id or 0, ("", ""))
    if said.kind == "note":
        who = names.employees.get(said.author_id or 0, said.sender_name)
        return Entry(
            item.id,
            said.conversation_id,
            "note",
            at,
            when.day_key(at),
            "lock",
            "note",
            who=who,
            message=said.id,
            shown=said.text[:LONGEST],
            language=tongue.detect(said.text),
            cut=len(said.text) > LONGEST,
            pieces=_pieces(said.text[:LONGEST], said.details.mentions),
            act=_act(said, when),
        )
    entry = _said(item.id, said, LOOKS.get(kind, OTHER), via, names, when, subject)
    return _rich(entry, said, names, when, extras)


def _rich(entry: Entry, said: MessageView, names: Names, when: When, extras: Extras) -> Entry:
    """The entry with what its kind has besides text."""
    d, people = said.details, names.employees
    pictures, sounds, others = drawn.split_files(said)
    call = drawn.call_view(d.call, entry.out, people, when) if said.kind == "call" and d.call else None
    visit = drawn.visit_view(d.visit, people, when) if said.kind == "visit" and d.visit else None
    quote = extras.quotes.get(said.reply_to_id or 0) if said.kind == "text" else None
    height = extras.heights.get(said.id, 0)
    designed = entry.html and (drawn.is_designed(said.html) or not entry.shown)
    icon, colour = entry.icon, entry.colour
    if call or visit:
        icon, colour = LOOKS["voice" if call else "visit"]
    if call:
        icon = "phonemiss" if call.missed else icon if entry.out else "phonein"
    return structs.replace(
        entry,
        form="call" if call else "visit" if visit else entry.form,
        icon=icon,
        colour="bad" if call and call.missed else colour,
        designed=designed,
        coloured=designed and drawn.is_coloured(said.html),
        pictured=said.sender in extras.senders,
        height=height,
        tall=entry.form == "email" and (height if designed else drawn.text_height(entry.shown)) > drawn.TALL,
        **placing.flags(said, when),
        page=drawn.page_of(said),
        pictures=pictures,
        sounds=sounds,
        files=others,
        call=call,
        visit=visit,
        spot=d.spot,
        quote=drawn.quote_view(quote, people) if quote else None,
        reactions=d.reactions[:20],
        edited=d.edited_at is not None,
        deleted=d.deleted_at is not None,
        act=_act(said, when),
    )


def _act(said: MessageView, when: When) -> str:
    """By which the screen it was written on knows it: only while that screen may still wait for it."""
    return said.client_key if said.received_at > when.now - AWAITED else ""


def _pieces(text: str, mentions: Spans) -> tuple[tuple[str, str], ...]:
    """A note's text with who is mentioned in it: each piece with "e7" or "t3", empty for mere words. None: nobody is mentioned."""
    pieces: list[tuple[str, str]] = []
    at = 0
    for begin, end, mark in mentions:
        if at <= begin < end <= len(text):  # of several with one name the first
            pieces += [(text[at:begin], ""), (text[begin:end], mark)]
            at = end
    return (*pieces, (text[at:], "")) if pieces else ()


def _said(
    number: int, said: MessageView, look: tuple[str, str], via: str, names: Names, when: When, subject: str
) -> Entry:
    out = said.direction == "out"
    address = "" if out else bare(said.sender)
    first = said.visible_text.strip() or said.text.strip()
    whole = said.text.strip().removeprefix(first).strip()
    return Entry(
        number,
        said.conversation_id,
        "email" if said.kind == "email" else "text",
        placing.moment(said, when),
        when.day_key(said.received_at),
        *look,
        out=out,
        who=(names.employees.get(said.author_id or 0) or said.sender_name) if out else said.sender_name or address,
        address=address,
        via=via,
        message=said.id,
        subject=said.subject if said.subject != subject else "",
        shown=first[:LONGEST],
        whole=whole[:LONGEST],
        language=said.details.language or tongue.detect(first),
        cut=max(len(first), len(whole)) > LONGEST,
        html=bool(said.html),
        blocked="data-remote-src" in said.html,
        unreadable="unreadable" in said.details.flags,
        automatic="auto_reply" in said.details.flags,
        failed_checks=", ".join(check.upper() for check in said.details.failed_checks),
        original=said.journal_id is not None and not out,
        to=tuple(_party(*p) for p in said.details.to),
        cc=tuple(_party(*p) for p in said.details.cc),
        bcc=tuple(_party(*p) for p in said.details.bcc),
        forwarded=bool(said.details.forwarded),
        delivery=said.delivery,
    )


def _party(address: str, name: str) -> str:
    return f"{name} <{bare(address)}>" if name and name != bare(address) else bare(address)


_ICONS = {
    "conversation.created": "route",
    "conversation.assigned": "user",
    "conversation.tagged": "tag",
    "conversation.related": "link",
    "conversation.priority": "star",
    "conversation.linked": "link",
    "conversation.unlinked": "link",
    "conversation.merged": "link",
    "conversation.unmerged": "undo",
    "conversation.split": "route",
    "conversation.moved": "route",
    "conversation.customer": "users",
    "conversation.rated": "star",
    "customer.merged": "users",
    "customer.task": "listb",
    "customer.task_done": "check",
    "customer.task_open": "undo",
    "customer.consent": "shield",
    "customer.unmerged": "users",
    "sla.warned": "clock",
    "sla.breached": "alert",
}
_STATUS_ICONS = {"closed": "check", "snoozed": "snooze", "open": "inbox", "waiting": "clock"}


def _happened(event: Event, names: Names, when: When) -> Entry:
    icon = _ICONS.get(event.kind) or _STATUS_ICONS.get(str(event.data.get("status")), "dots")
    return Entry(
        event.id,
        event.conversation_id,
        "event",
        event.at,
        when.day_key(event.at),
        icon,
        "ev",
        who=names.employees.get(event.actor_id or 0, ""),
        words=in_words(event, names, when),
    )


def in_words(event: Event, names: Names, when: When) -> str:
    """What happened, as a sentence."""
    words = when.words
    who = names.employees.get(event.actor_id or 0, "")
    match event.kind:
        case "conversation.created":
            return _created(event, names, when)
        case "conversation.assigned":
            return _assigned(event, who, names, when)
        case "conversation.status":
            return told.status(event, who, when, names.employees.get(int(event.data.get("set_by") or 0), "?"))
        case "conversation.priority":
            return told.other(event, who, words)
        case "conversation.tagged" if event.data.get("undo"):
            return told.other(event, who, words)
        case "conversation.tagged":
            tags = ", ".join(map(str, event.data.get("tags", ())))
            if not tags:
                return words.text("{who} removed all tags", who=who)
            return words.text("{who} set the tags: {tags}", who=who, tags=tags)
        case "conversation.related":
            return words.text("Seems to belong with conversation #{number}", number=event.data.get("other", "?"))
        case "conversation.linked" | "conversation.unlinked":
            return told.linked(event, who, words)
        case "conversation.merged" | "conversation.unmerged" | "conversation.split" | "conversation.moved":
            return told.joined(event, who, words)
        case "conversation.customer":
            return words.text("{who} gave this conversation to another customer", who=who)
        case "conversation.rated":
            return words.text("The customer gave {n} of 5", n=event.data.get("score", "?"))
        case "customer.task" | "customer.task_done" | "customer.task_open" | "customer.consent":
            return cared.line(event, who, names.employees, names.channels.values(), when)
        case "customer.merged":
            return words.text("Two customers were found to be one and merged")
        case "customer.unmerged":
            return words.text("The merge of two customers was undone")
        case "sla.warned" | "sla.breached":
            return told.level(event, when)
    return words.text("Something happened ({kind})", kind=event.kind)


def acted(actions: Sequence[str], names: Names, when: When) -> list[tuple[str, str]]:
    """What a saved reply wants done when it is sent: each with its words."""
    words = when.words
    said = []
    for action in actions:
        kind, _, value = action.partition(":")
        if kind == "tag":
            label = words.text("Tag: {tag}", tag=value)
        elif kind == "status":
            label = {"open": words.text("Keep open"), "waiting": words.text("Then wait")}.get(value, "")
            label = label or words.text("Then close")
        elif kind == "snooze":
            label = words.text("Then snooze: {until}", until=_snoozed(value, when))
        elif value == "me":
            label = words.text("Assign to me")
        else:
            known = names.employees if value[:1] == "e" else names.teams
            label = words.text("Assign to {name}", name=known.get(int(value[1:] or 0), "?"))
        said.append((action, label))
    return said


def _snoozed(said: str, when: When) -> str:
    """A snooze's end as it was said: a moment in ms, or words."""
    if said == "reply":
        return when.words.text("Until the customer replies")
    return when.until(int(said)) if said.isascii() and said.isdecimal() and len(said) < 16 else said


def _holder(event: Event, names: Names) -> tuple[str, str]:
    """(employee, team) an event speaks of, by name."""
    found = []
    for key, known in (("assignee", names.employees), ("team", names.teams)):
        number = event.data.get(key)
        found.append(known.get(int(number), "?") if number else "")
    return found[0], found[1]


def _created(event: Event, names: Names, when: When) -> str:
    employee, team = _holder(event, names)
    words = when.words
    reason = reasons.in_words(str(event.data.get("reason", "")), words.language, when.until)
    number = event.conversation_id
    holder = employee or team
    if holder and reason:
        return words.text(
            "Conversation #{number} begun, goes to {who}: {reason}", number=number, who=holder, reason=reason
        )
    if reason:
        return words.text("Conversation #{number} begun: {reason}", number=number, reason=reason)
    return words.text("Conversation #{number} begun", number=number)


def _assigned(event: Event, who: str, names: Names, when: When) -> str:
    employee, team = _holder(event, names)
    reason, words = str(event.data.get("reason", "")), when.words
    if event.data.get("undo"):
        holder = employee or team or words.text("nobody")
        return words.text("{who} undid this: {holder} has it again", who=who, holder=holder)
    if not who:
        said = reasons.in_words(reason, words.language, when.until)
        return words.text("Goes to {holder}: {reason}", holder=employee or team or words.text("everybody"), reason=said)
    why = f" ({reason.removeprefix('text:')})" if reason.startswith("text:") else ""
    if employee and event.data.get("assignee") == str(event.actor_id):
        return words.text("{who} took this conversation", who=who) + why
    if employee or team:
        return words.text("{who} assigned this to {holder}", who=who, holder=employee or team) + why
    return words.text("{who} gave this back: nobody is assigned", who=who) + why
