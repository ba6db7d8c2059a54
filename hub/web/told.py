"""What people did to a conversation, as sentences of its timeline and of the bar that offers to undo it."""

from __future__ import annotations

from hub import blocking
from hub.actions import Action
from hub.events import Event
from hub.i18n import Catalogue
from hub.web.when import When


def priority_word(words: Catalogue, priority: str) -> str:
    """A priority as people say it."""
    _ = words.text
    return {"low": _("Low"), "high": _("High"), "urgent": _("Urgent")}.get(priority, _("Normal"))


def status(event: Event, who: str, when: When, setter: str) -> str:
    """What became of the status; ``setter``: who had put it away when it comes back."""
    words, now = when.words, event.data.get("status")
    if event.data.get("undo"):
        return words.text("{who} undid this: the status is as it was before", who=who)
    if now == "closed" and event.data.get("as") == "spam":
        return words.text("{who} closed this as spam", who=who)
    if now == "closed" and event.data.get("as") == "blocked":
        return words.text("{who} blocked the sender and closed this", who=who)
    if now == "closed":
        return words.text("{who} closed the conversation", who=who)
    if now == "waiting":
        return words.text("{who} set this to waiting", who=who)
    if now == "snoozed":
        until = event.data.get("until")
        if not until:
            return words.text("{who} snoozed this until the customer replies", who=who)
        return words.text("{who} snoozed this until {time}", who=who, time=when.full(until))
    if not who and event.data.get("failed"):
        return words.text("Opened again: a message could not be delivered")
    if not who:
        return _back(event, when, setter)
    return words.text("{who} opened this again", who=who)


def _back(event: Event, when: When, setter: str) -> str:
    words, at = when.words, event.data.get("set_at")
    if not at:
        return words.text("Back from snooze: the time has come")
    if event.data.get("reply"):
        return words.text(
            "Back from snooze, the customer replied; set by {who} on {time}", who=setter, time=when.full(at)
        )
    return words.text("Back from snooze, set by {who} on {time}", who=setter, time=when.full(at))


def other(event: Event, who: str, words: Catalogue) -> str:
    """Priorities and what is undone of tags."""
    if event.kind == "conversation.priority":
        said = priority_word(words, str(event.data.get("priority")))
        if event.data.get("undo"):
            return words.text("{who} undid this: the priority is {priority} again", who=who, priority=said)
        return words.text("{who} set the priority to {priority}", who=who, priority=said)
    tags = ", ".join(map(str, event.data.get("tags", ())))
    return words.text("{who} undid this: the tags are as they were before: {tags}", who=who, tags=tags or "–")


def joined(event: Event, who: str, words: Catalogue) -> str:
    """Merged, split, and put back."""
    data = event.data
    if event.kind == "conversation.merged" and "into" in data:
        return words.text("{who} merged this into conversation #{number}", who=who, number=data["into"])
    other = data.get("other", data.get("from", "?"))
    if event.kind == "conversation.merged" and data.get("across"):
        return words.text("{who} merged another customer’s conversation #{number} into this one", who=who, number=other)
    if event.kind == "conversation.merged":
        return words.text("{who} merged conversation #{number} into this one", who=who, number=other)
    if event.kind == "conversation.unmerged":
        return words.text("{who} took apart what was merged with #{number}", who=who, number=other)
    if event.kind == "conversation.moved" and data.get("undo"):
        return words.text("{who} undid this: what was moved to or from #{number} is back", who=who, number=other)
    if event.kind == "conversation.moved" and "from" in data:
        return words.plural(
            "{who} moved {n} message here from conversation #{number}",
            "{who} moved {n} messages here from conversation #{number}",
            data.get("messages", 1),
            who=who,
            number=other,
        )
    if event.kind == "conversation.moved":
        return words.plural(
            "{who} moved {n} message to conversation #{number}",
            "{who} moved {n} messages to conversation #{number}",
            data.get("messages", 1),
            who=who,
            number=other,
        )
    if "from" in data:
        return words.text("{who} split this off conversation #{number}", who=who, number=other)
    return words.text("{who} split off conversation #{number}", who=who, number=other)


def linked(event: Event, who: str, words: Catalogue) -> str:
    """Linked with another one, or not any more."""
    other = event.data.get("other", "?")
    if event.kind == "conversation.linked":
        return words.text("{who} linked this with conversation #{number}", who=who, number=other)
    return words.text("{who} removed the link with conversation #{number}", who=who, number=other)


def done(action: Action, words: Catalogue) -> str:
    """What was just done, for the bar that offers to undo it."""
    if action.undo_of:
        return _undone(action, words)
    if action.running:
        return words.text("Working: {done} of {total} …", done=action.done + action.skipped, total=action.total)
    if action.state == "failed":
        return words.text("This could not be finished; {n} of {total} are done.", n=action.done, total=action.total)
    if action.total == 1 and action.conversation:
        return _single(action, words)
    said = _many(action, words)
    if action.skipped:
        said += " · " + words.plural("{n} stayed as it was", "{n} stayed as they were", action.skipped)
    return said


def _undone(action: Action, words: Catalogue) -> str:
    if action.running:
        return words.text("Undoing: {done} of {total} …", done=action.done + action.skipped, total=action.total)
    if not action.done and action.skipped:
        return words.text("Not undone: somebody has changed it since.")
    if action.skipped:
        return words.text(
            "Undone for {n} of {total}; the others were changed since.", n=action.done, total=action.total
        )
    return words.text("Undone")


def _single(action: Action, words: Catalogue) -> str:
    _, deed, number = words.text, action.deed, action.conversation
    match deed.kind:
        case "status" if deed.closed_as == "spam":
            return _("#{number} closed as spam", number=number)
        case "status" if deed.closed_as == blocking.REASON:
            return _("Closed #{number}, the sender is blocked", number=number)
        case "status":
            return {
                "closed": _("Closed #{number}", number=number),
                "open": _("Opened #{number}", number=number),
                "waiting": _("#{number} waits for the customer", number=number),
                "snoozed": _("Snoozed #{number}", number=number),
            }[deed.status]
        case "assign":
            return _("Assigned #{number}", number=number)
        case "tags":
            return _("Tags of #{number} changed", number=number)
        case "priority":
            said = priority_word(words, deed.priority)
            return _("Priority of #{number}: {priority}", number=number, priority=said)
        case "unread":
            return _("#{number} marked as unread", number=number)
        case "merge":
            return _("Merged #{number} into #{other}", number=number, other=deed.other)
        case "split":
            return _("Split off #{other}", other=deed.other)
        case "move":
            return _("Moved to #{other}", other=deed.other)
    return _("#{number} marked as read", number=number)


def _many(action: Action, words: Catalogue) -> str:
    n_, deed, n = words.plural, action.deed, action.done
    match deed.kind:
        case "status" if deed.closed_as == "spam":
            return n_("{n} conversation closed as spam", "{n} conversations closed as spam", n)
        case "status" if deed.status == "closed":
            return n_("{n} conversation closed", "{n} conversations closed", n)
        case "status" if deed.status == "snoozed":
            return n_("{n} conversation snoozed", "{n} conversations snoozed", n)
        case "status" if deed.status == "waiting":
            return n_("{n} conversation waits for its customer", "{n} conversations wait for their customers", n)
        case "status":
            return n_("{n} conversation opened", "{n} conversations opened", n)
        case "assign":
            return n_("{n} conversation assigned", "{n} conversations assigned", n)
        case "tags":
            return n_("Tags of {n} conversation changed", "Tags of {n} conversations changed", n)
        case "priority":
            return n_("Priority of {n} conversation changed", "Priority of {n} conversations changed", n)
        case "unread":
            return n_("{n} conversation marked as unread", "{n} conversations marked as unread", n)
    return n_("{n} conversation marked as read", "{n} conversations marked as read", n)


def level(event: Event, when: When) -> str:
    """A promise that is due soon, or was not kept."""
    due, solved = event.data.get("due_at"), event.data.get("target") == "resolution"
    time = when.full(due) if due else "?"
    if event.kind == "sla.warned" and solved:
        return when.words.text("A solution is promised by {time}", time=time)
    if event.kind == "sla.warned":
        return when.words.text("An answer is promised by {time}", time=time)
    if solved:
        return when.words.text("The time for a solution was up: {time}", time=time)
    return when.words.text("The time for an answer was up: {time}", time=time)
