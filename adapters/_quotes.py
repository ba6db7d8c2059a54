"""The newly written part of a reply: what stands above the quotation and the signature.

Line by line and without backtracking, since both known libraries for this hang on hostile bodies. When in doubt the
text is kept: a quotation too much is a nuisance, a sentence too few is a loss.
"""

from __future__ import annotations

import re

#: Lines that are looked at; a quotation further down stays.
MAX_LINES = 5_000
_MAX_LINE = 400

_HEADER_WORDS = {
    "from": "from von de da van från fra od",
    "sent": "sent gesendet date datum envoyé inviato verzonden skickat sendt dato",
    "to": "to an à a aan till til para",
    "subject": "subject betreff objet oggetto onderwerp ämne emne asunto",
    "cc": "cc kopie kopia kopi",
}
_HEADERS = {word: key for key, words in _HEADER_WORDS.items() for word in words.split()}
_LEAD = re.compile(r"(?:-{2,} )?(?:on|am|le|il|op|el|em|w dniu|dnia|den|på)\b", re.IGNORECASE)
#: "… wrote:" in the languages of the mail programs, with what may still stand behind it.
_WROTE = re.compile(
    r"(?:wrote|schrieb|écrit|escrit|scritto|schreef|geschreven|escribió|escreveu|napisał(?:\(a\))?|pisze|skrev|kirjoitti|"
    r"написал|viết|のメッセージ)(?!\w)(?:.{0,120}:| ?-{2,}|)$",
    re.IGNORECASE,
)
_SENT = re.compile(r"@\S+>? sent:$")
#: "2017-02-05 13:29 GMT+02:00 Name <name@example.com>:"
_DATED = re.compile(r"\d{4}.{0,20}GMT.{0,200}@\S{0,200}>:$")
_SEPARATOR = re.compile(
    r"[-_* ]{0,12}\s?(?:original message|ursprüngliche nachricht|message d'origine|forwarded message|"
    r"weitergeleitete nachricht|original-nachricht|antwort nachricht|reply message|oprindelig meddelelse)\s?[-_* ]{0,12}$",
    re.IGNORECASE,
)
_MOBILE = re.compile(
    r"(?:sent from (?:my |outlook)|von meinem .{1,30} gesendet|gesendet (?:von|mit) |get outlook for |"
    r"diese nachricht wurde von |envoyé (?:depuis|à partir de) |sendt fra min |verzonden met ).{0,35}(?:<https?:\S{1,200}>)?$",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*[_-]{5,}\s*$")
_DIGIT = re.compile(r"\d")


def visible(text: str) -> str:
    """The newly written part of a plain-text mail; the whole text when nothing else would be left."""
    lines = text.split("\n")
    looked_at = lines[:MAX_LINES]
    cut = _cut(looked_at)
    kept = lines if cut == len(looked_at) < len(lines) else looked_at[:cut]
    kept = _without_trailing_quote(kept)
    kept = _without_signature(kept)
    return "\n".join(kept).strip() or text.strip()


def _cut(lines: list[str]) -> int:
    """The number of the first line that belongs to the quotation."""
    for at, line in enumerate(lines):
        bare = line.strip()
        if not bare or len(bare) > _MAX_LINE:
            continue
        if _SEPARATOR.match(bare.lstrip("> ")) or _attribution(lines, at) or _header_block(lines, at):
            while at and (not lines[at - 1].strip() or _RULE.match(lines[at - 1][:_MAX_LINE])):
                at -= 1
            return at
    return len(lines)


def _attribution(lines: list[str], at: int) -> bool:
    """Whether "On … wrote:" begins here, on one line or up to five, with a quotation, a date or an address to prove it."""
    line = lines[at].strip()
    joined = bare = line.lstrip("> ")
    led = _LEAD.match(bare)
    if not (led or bare[:1].isdigit() or "@" in bare):
        return False
    for more in range(5):
        if _WROTE.search(joined[-200:]) or _SENT.search(joined[-200:]) or _DATED.match(joined):
            if not led or not joined.endswith(":"):
                return "@" in joined and (bool(_DIGIT.search(joined)) or joined[-40:].count(">") > 0)
            following = next((x for x in lines[at + more + 1 : at + more + 5] if x.strip()), "")
            quoted = following.lstrip().startswith((">", "|")) or line.startswith(">")
            return quoted or (bool(_DIGIT.search(joined)) and (more == 0 or "@" in joined or not following))
        if at + more + 1 >= len(lines) or len(joined) > _MAX_LINE:
            return False
        joined += " " + lines[at + more + 1].strip().lstrip("> ")
    return False


def _header_block(lines: list[str], at: int) -> bool:
    """Whether Outlook's "From: … Sent: … To: … Subject: …" begins here."""
    if _header(lines[at]) != "from":
        return False
    return len({found for line in lines[at : at + 7] if (found := _header(line))}) >= 3


def _header(line: str) -> str:
    word, colon, _ = line[:60].strip().lstrip("*> ").partition(":")
    return _HEADERS.get(word.strip("* \xa0").lower(), "") if colon else ""


def _without_trailing_quote(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    return lines[:end]


def _without_signature(lines: list[str]) -> list[str]:
    """Without what follows "-- " (RFC 3676 4.3) and without "Sent from my phone"."""
    for at, line in enumerate(lines):
        bare = line.rstrip()
        if at and (bare in ("--", "—") or (len(lines) - at <= 4 and _MOBILE.match(bare[:100].strip()))):
            return lines[:at]
    return lines
