"""A thousand real and broken mails of others: all are read, and mostly as other parsers read them."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from adapters import _html, _quotes
from hub.clock import parse_time
from hub.messages import Envelope, Message, Reading
from hub.sandbox import Sandbox

#: Measured, and not to fall: how many of the fields on which two of three foreign parsers agree we read the same. (What
#: differs is mostly their mojibake, mails with bare CR, and forwarded mails, which we show as files.)
FLOOR = {"subject": 0.955, "from": 0.985, "message_id": 0.983, "date": 0.99, "to": 0.985, "attachment_count": 0.89}


def differences(message: Message, agreed: dict[str, Any]) -> dict[str, bool]:
    """Field → whether we read the same."""
    same: dict[str, bool] = {}
    if "subject" in agreed:
        same["subject"] = " ".join(message.subject.split()) == " ".join((agreed["subject"] or "").split())
    if agreed.get("from"):
        same["from"] = message.sender.address == "email:" + agreed["from"][0].lower()
    if "message_id" in agreed:
        same["message_id"] = message.external_id == (agreed["message_id"] or "")
    if agreed.get("to"):
        same["to"] = [party.address for party in message.to] == ["email:" + one.lower() for one in agreed["to"]]
    if agreed.get("date"):
        wanted = parse_time(agreed["date"])
        same["date"] = message.at is not None and wanted is not None and message.at // 1000 == wanted // 1000
    if "attachment_count" in agreed:
        same["attachment_count"] = len(message.files) == agreed["attachment_count"]
    return same


async def test_all_mails_of_the_corpora_are_read_and_mostly_as_others_read_them(corpora: Path) -> None:
    paths = [path for path in sorted((corpora / "email").rglob("*")) if path.is_file() and path.suffix != ".json"]
    sandbox = Sandbox(size=1)
    begun = time.perf_counter()
    try:
        outcomes = await sandbox.read_many("email", [Envelope(1, path.read_bytes(), "lmtp", 0) for path in paths])
    finally:
        await sandbox.close()
    took = time.perf_counter() - begun
    unread = {path.name: str(one) for path, one in zip(paths, outcomes, strict=True) if not isinstance(one, Reading)}
    assert unread == {}
    assert len(paths) > 900 and took < 15
    good: Counter[str] = Counter()
    all_: Counter[str] = Counter()
    for path, outcome in zip(paths, outcomes, strict=True):
        beside = path.with_name(path.name + ".expected.json")
        if not beside.exists() or not isinstance(outcome, Reading):
            continue
        agreed = json.loads(beside.read_text()).get("reference", {}).get("consensus", {})
        for field, same in differences(outcome.messages[0], agreed).items():
            all_[field] += 1
            good[field] += same
    shares = {field: round(good[field] / all_[field], 3) for field in FLOOR}
    assert {field for field in FLOOR if shares[field] < FLOOR[field]} == set(), shares


#: So many of the replies are cut where their collections say (acceptance S2); what is left are mostly forwards and answers below
#: the quotation, which we show whole.
FOLDED = 0.85


def folded(text: str) -> str:
    return " ".join(text.split())


def test_the_quotation_of_the_corpora_s_replies_begins_where_it_does(corpora: Path) -> None:
    """Plain-text replies of some twenty mail programs, in both of our languages and others."""
    right: dict[str, bool] = {}
    for path in sorted((corpora / "email" / "visible-reply").rglob("*.txt")):
        beside = path.with_name(path.name + ".expected.json")
        told = (json.loads(beside.read_text("utf-8")).get("expect") or {}) if beside.exists() else {}
        if wanted := told.get("visible_reply"):
            found = _quotes.visible(path.read_text("utf-8", "replace").replace("\r\n", "\n"))
            right[f"{path.parent.name}/{path.name}"] = folded(found) == folded(wanted)
    share = sum(right.values()) / len(right)

    assert len(right) >= 60
    assert share >= FOLDED, (share, [name for name, same in right.items() if not same])


#: All that may be left of a stranger's HTML.
ATTRIBUTES = {
    *(
        "dir",
        "lang",
        "style",
        "align",
        "valign",
        "bgcolor",
        "width",
        "height",
        "title",
        "href",
        "src",
        "alt",
        "colspan",
    ),
    *("rowspan", "start", "type", "cellpadding", "cellspacing", "border", "color", "size", "face", "rel", "target"),
    "data-remote-src",
}


def test_nothing_that_runs_or_fetches_is_left_of_the_hostile_html_of_the_corpora(corpora: Path) -> None:
    vectors = [
        entry
        for path in sorted((corpora / "html" / "xss").glob("*.json"))
        for entry in json.loads(path.read_text()).get("entries", [])
    ]
    left = []
    for vector in vectors:
        source = vector.get("input") or next(value for value in vector.values() if isinstance(value, str))
        for node in LexborHTMLParser(_html.sanitise(source)).css("body *"):
            said = {name: value or "" for name, value in node.attributes.items()}
            fetches = not said.get("src", "cid:").startswith("cid:")
            leads = not said.get("href", "https:").lower().startswith(("https:", "http:", "mailto:", "tel:"))
            if set(said) - ATTRIBUTES or fetches or leads or node.tag in ("script", "style", "form", "svg", "iframe"):
                left.append((source[:100], node.html))
    assert len(vectors) > 300 and left == []
