"""The mail client of story.sh: sends, reads and compares mails with Python's own mail libraries, and nothing of the hub's."""

from __future__ import annotations

import email
import email.policy
import hashlib
import html.parser
import imaplib
import json
import mailbox
import pathlib
import re
import shutil
import smtplib
import socket
import sys
import urllib.request
from email.message import EmailMessage, Message
from email.utils import formatdate, make_msgid, parseaddr

HEADERS = ("From", "To", "Reply-To", "Message-ID", "In-Reply-To", "References", "Subject")


def crlf(data: bytes) -> bytes:
    """As mail libraries put it on the wire."""
    return re.sub(rb"\r\n|\n|\r(?!\n)", b"\r\n", data)


def ports(count: str) -> None:
    """Free ports."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(count))]
    print(*(s.getsockname()[1] for s in held))


def get(key: str) -> None:
    """A field of the JSON on standard input."""
    print(json.load(sys.stdin)[key])


def choose(folder: str, count: str, into: str) -> None:
    """So many different mails of many makers, small ones, always the same."""
    target = pathlib.Path(into)
    target.mkdir()
    found = [
        p for p in sorted(pathlib.Path(folder).rglob("*")) if p.suffix in (".eml", ".txt", ".box", "") and p.is_file()
    ]
    chosen: dict[str, pathlib.Path] = {}
    for path in found:
        data = path.read_bytes()
        fits = (
            200 < len(data) < 300_000 and b"\0" not in data and re.search(rb"(?mi)^(from|subject|received|date):", data)
        )
        if fits and not data.startswith(b"From "):
            chosen.setdefault(hashlib.sha256(crlf(data).rstrip()).hexdigest(), path)
    step = max(1, len(chosen) // int(count))
    for number, path in enumerate(list(chosen.values())[::step][: int(count)]):
        shutil.copyfile(path, target / f"{number:02}")


def slice_of(folder: str, start: str, end: str) -> list[bytes]:
    """Some of the chosen mails."""
    return [p.read_bytes() for p in sorted(pathlib.Path(folder).iterdir())[int(start) : int(end)]]


def append(port: str, user: str, folder: str, start: str, end: str) -> None:
    """Put mails into the IMAP mailbox; prints the hashes of what another client reads there."""
    box = imaplib.IMAP4("127.0.0.1", int(port))
    box.login(user, "p")
    for raw in slice_of(folder, start, end):
        assert box.append("INBOX", None, None, raw)[0] == "OK"  # type: ignore[arg-type]
    box.select("INBOX", readonly=True)
    for number in box.search(None, "ALL")[1][0].split():
        print(hashlib.sha256(box.fetch(number, "(BODY.PEEK[])")[1][0][1]).hexdigest())  # type: ignore[index]
    box.logout()


def lmtp(port: str, recipient: str, folder: str, start: str, end: str) -> None:
    """Send mails by LMTP; prints the hashes of what went over the wire."""
    with smtplib.LMTP("127.0.0.1", int(port)) as client:
        for raw in slice_of(folder, start, end):
            sent = crlf(raw)  # the library adds the last line break, but mends no others in bytes
            client.sendmail("bounce@world.example", [recipient], sent, mail_options=["BODY=8BITMIME"])
            print(hashlib.sha256(sent if sent.endswith(b"\r\n") else sent + b"\r\n").hexdigest())


def ask(port: str, sender: str, recipient: str, subject: str) -> None:
    """A customer's first mail."""
    deliver(port, sender, recipient, subject, f"{subject}, please?")


def deliver(port: str, sender: str, recipient: str, subject: str, text: str, **headers: str) -> None:
    """One mail by LMTP."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"A Customer <{sender}>", recipient, subject
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="world.example")
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    with smtplib.LMTP("127.0.0.1", int(port)) as client:
        client.send_message(mail, sender, [recipient])


def received(folder: str) -> list[Message]:
    """What the mail server took from the hub."""
    return [email.message_from_bytes(m.as_bytes(), policy=email.policy.default) for m in mailbox.Maildir(folder)]  # type: ignore[misc]


def text_of(mail: Message) -> str:
    """The plain text."""
    part = mail.get_body(("plain",))  # type: ignore[attr-defined]
    return str(part.get_content()) if part else ""


def check_answers(folder: str, address: str) -> None:
    """Four answers, each to its customer, from the mailbox, with a signed way back and correctly threaded."""
    mails = received(folder)
    assert len(mails) == 4, f"{len(mails)} mails arrived instead of 4"
    local, _, domain = address.partition("@")
    for n in range(1, 5):
        (mail,) = [m for m in mails if f"Answer {n} by" in text_of(m)]
        assert parseaddr(mail["From"])[1] == address, mail["From"]
        assert "Anna Becker" in mail["From"], mail["From"]
        assert parseaddr(mail["To"])[1] == f"customer{n}@world.example", mail["To"]
        assert re.fullmatch(rf"{local}\+c\d+\.m\d+\.[a-z2-7]{{16}}@{domain}", parseaddr(mail["Reply-To"])[1]), mail[
            "Reply-To"
        ]
        asked = re.fullmatch(r"<[^<>@\s]+@world\.example>", mail["In-Reply-To"])
        assert asked, mail["In-Reply-To"]
        assert mail["References"].split()[-1] == mail["In-Reply-To"], mail["References"]
        assert mail["Subject"] == f"Re: Question {n}", mail["Subject"]
        assert mail["Message-ID"].endswith(f"@{domain}>"), mail["Message-ID"]


def answer(port: str, folder: str, which: str, sender: str, how: str, text: str) -> None:
    """Answer one of the hub's mails; ``forged`` changes a letter of the signature."""
    (mail,) = [m for m in received(folder) if which in text_of(m)]
    back, number = parseaddr(mail["Reply-To"])[1], str(mail["Message-ID"])
    if how == "forged":
        wrong = "a" if back[back.index("@") - 1] != "a" else "b"
        back = back[: back.index("@") - 1] + wrong + back[back.index("@") :]
        number = re.sub(r".@", wrong + "@", number)
    deliver(port, sender, back, "Re: Question 1", text, In_Reply_To=number, References=number)


def fetch(base: str, token: str, path: str) -> dict[str, object]:
    """JSON of the API."""
    request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def conversations(base: str, token: str) -> list[dict[str, object]]:
    """All of them, page by page."""
    found: list[dict[str, object]] = []
    cursor = ""
    while True:
        page = fetch(base, token, f"/api/v1/conversations?limit=20{cursor}")
        found += page["items"]  # type: ignore[arg-type]
        if not page["next"]:
            return found
        cursor = f"&cursor={page['next']}"


def each_message(base: str, token: str) -> list[dict[str, object]]:
    """Every message that came in."""
    found = []
    for conversation in conversations(base, token):
        page = fetch(base, token, f"/api/v1/conversations/{conversation['id']}/timeline?limit=100")
        found += [i for i in page["items"] if i["type"] == "message" and i["direction"] == "in"]  # type: ignore[attr-defined]
    return found


def messages(base: str, token: str) -> None:
    """Ids of the messages that came in, one a line."""
    for message in each_message(base, token):
        print(message["id"], message["conversation"])


def find_conversation(subject: str) -> None:
    """The id of the conversation with this subject in the JSON on standard input; nothing when there is none."""
    for item in json.load(sys.stdin)["items"]:
        if item["subject"] == subject:
            print(item["id"])
            return


def where(base: str, token: str, *texts: str) -> None:
    """The conversations in which these texts came, on one line; an error while one is missing."""
    found = {str(m["text"]).strip(): str(m["conversation"]) for m in each_message(base, token)}
    if any(text not in found for text in texts):
        sys.exit(1)
    print(*(found[text] for text in texts))


class Fields(html.parser.HTMLParser):
    """The hidden fields of a page's first form that has them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.found.setdefault(str(given.get("name")), str(given.get("value")))


def field(name: str) -> None:
    """A hidden field's value in the page on standard input."""
    page = Fields()
    page.feed(sys.stdin.read())
    print(page.found[name])


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    globals()[command.replace("-", "_")](*arguments)
