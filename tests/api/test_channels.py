"""Channels, journal, files, the feed, people: the rest of the API."""

import io
from typing import Any

import aiohttp

from hub.api.attachments import sniffed
from hub.files import CAGE, disposition
from tests.api.conftest import House, wire_only


async def test_a_channel_is_made_changed_tested_and_removed_without_showing_its_secret(house: House) -> None:
    body = {"kind": "api", "name": "Shop", "settings": {"secret": "canary-5577", "url": "http://127.0.0.1:1/x"}}
    made = await house.ask("admin", "POST", "/channels", body | {"client_id": "c"})
    again = await house.ask("admin", "POST", "/channels", body | {"client_id": "c"})
    path = f"/channels/{made.json['id']}"

    changed = await house.ask(
        "admin", "PATCH", path, {"name": "Shop 2", "settings": {"url": None}, "team": str(house.teams["north"])}
    )
    tested = await house.ask("admin", "POST", f"{path}/test")
    health = await house.get(f"{path}/health", "agent")
    as_agent = await house.get(path, "agent")
    kinds = await house.get("/channels/kinds")
    removed = await house.ask("admin", "DELETE", path)

    assert (made.status, again.status, again.json["id"]) == (201, 200, made.json["id"])
    assert made.json["webhook_url"].endswith(f"/webhooks/api/{made.json['key']}")
    assert made.json["settings"] == {"secret": {"set": True}, "url": "http://127.0.0.1:1/x"}
    assert (changed.json["name"], changed.json["settings"]) == ("Shop 2", {"secret": {"set": True}})
    assert changed.json["team"] == str(house.teams["north"])
    assert (tested.status, tested.json["ok"]) == (200, True)
    assert (health["state"], health["queued"], health["journal_failed"], health["last_message_at"]) == (
        "ok",
        0,
        0,
        None,
    )
    assert (as_agent["key"], as_agent["settings"], as_agent["webhook_url"]) == (None, None, None)
    assert {"api", "email"} <= {k["kind"] for k in kinds["items"]}
    assert removed.status == 204
    assert all(b"canary-5577" not in a.body for a in (made, again, changed, tested))
    for gone in (await house.ask("admin", "GET", path), await house.ask("admin", "DELETE", path)):
        assert gone.status == 404
    feed = await house.get("/events?limit=100")
    kinds_told = [e["kind"] for e in feed["items"] if e["channel"] == made.json["id"]]
    assert kinds_told == ["channel.added", "channel.changed", "channel.removed"]


@wire_only
async def test_a_channel_that_cannot_work_is_refused_in_words(house: House) -> None:
    for body, word in (
        ({"kind": "pigeon", "name": "x"}, "pigeon"),
        ({"kind": "api", "name": "x"}, "secret"),
        ({"kind": "api", "name": "x", "settings": {"secret": "s", "colour": "red"}}, "colour"),
        ({"kind": "api", "name": "x", "settings": {"secret": "s", "url": "ftp://x"}}, "url"),
        ({"kind": "api", "name": " ", "settings": {"secret": "s"}}, "name"),
        ({"kind": "api", "name": "x", "settings": {"secret": "s"}, "team": "999"}, "999"),
        ({"kind": "api", "name": "x", "settings": {"secret": ["s"]}}, "settings"),
    ):
        answer = await house.ask("admin", "POST", "/channels", body)
        assert (answer.status, word in answer.json["detail"]) == (422, True), answer
    dead = {"kind": "api", "name": "x", "settings": {"secret": "s", "url": "http://127.0.0.1:1/"}}
    made = (await house.ask("admin", "POST", "/channels", dead)).json
    tested = await house.ask("admin", "POST", f"/channels/{made['id']}/test")
    assert (tested.status, tested.json["ok"]) == (200, False)


async def test_the_journal_holds_what_arrived_and_reads_it_again(house: House) -> None:
    page = await house.get("/journal?state=read&limit=1", "boss")
    rest = await house.get(f"/journal?state=read&cursor={page['next']}", "boss")
    entry = page["items"][0]

    raw = await house.ask("boss", "GET", f"/journal/{entry['id']}/raw")
    refused = await house.ask("boss", "POST", f"/journal/{entry['id']}/replay")
    replayed = await house.ask("admin", "POST", f"/journal/{entry['id']}/replay")

    assert len(page["items"]) == len(rest["items"]) == 1
    assert entry["size"] == len(raw.body)
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert (refused.status, replayed.status, replayed.json) == (403, 200, {"replayed": 1})
    assert (await house.ask("admin", "POST", "/journal/999/replay")).status == 404
    assert (await house.ask("agent", "GET", "/journal")).status == 403


def form(data: bytes, name: str | None = "x.png", kind: str = "image/png") -> aiohttp.FormData:
    """A form as a browser sends it."""
    fields = aiohttp.FormData(default_to_multipart=True)
    fields.add_field("comment", "no file")
    if name is not None:
        fields.add_field("file", io.BytesIO(data), filename=name, content_type=kind)
    return fields


@wire_only
async def test_a_file_is_kept_sent_and_shown_as_what_its_bytes_say(house: House) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    made = await house.ask("agent", "POST", "/attachments", data=form(picture, "ä\u202e.html", "text/html; x"))
    evil = await house.ask(
        "agent", "POST", "/attachments", data=form(b"<svg onload=alert(1)>", "x.svg", "image/svg+xml")
    )
    conversation = next(c for c in (await house.get("/conversations"))["items"] if c["customer_name"] == "Nora North")
    sent = await house.ask(
        "agent",
        "POST",
        f"/conversations/{conversation['id']}/messages",
        {"text": "see", "attachments": [made.json["id"], evil.json["id"]]},
    )
    twice = await house.ask(
        "agent",
        "POST",
        f"/conversations/{conversation['id']}/messages",
        {"text": "x", "attachments": [made.json["id"]]},
    )

    shown = await house.ask("light", "GET", made.json["url"])
    saved = await house.ask("light", "GET", evil.json["url"])

    assert (made.status, made.json["size"]) == (201, 108)
    assert [a["id"] for a in sent.json["attachments"]] == [made.json["id"], evil.json["id"]]
    assert twice.status == 422
    assert (shown.body, shown.headers["Content-Type"]) == (picture, "image/png")
    assert saved.headers["Content-Type"] == "application/octet-stream"
    assert saved.headers["Content-Disposition"].startswith("attachment; ")
    for answer in (shown, saved):
        assert answer.headers["Content-Security-Policy"] == CAGE
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await house.ask("stranger", "GET", made.json["url"])).status == 404


@wire_only
async def test_an_upload_that_is_none_is_refused(house: House) -> None:
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    big = form(b"x" * 25_000_001)

    assert (await house.ask("agent", "POST", "/attachments", data=form(b"", None))).status == 422
    assert (await house.ask("agent", "POST", "/attachments", {"file": "x"})).status == 415
    assert (await house.ask("agent", "POST", "/attachments", data=big)).status == 413
    for junk in (b"", b"--x\r\n", b"--x\r\n\r\n", b"--x--\r\n", b"nonsense", b"--x\r\nA: b\r\n\r\nunended"):
        answer = await house.ask("agent", "POST", "/attachments", data=junk, headers=boundary)
        assert (junk, answer.status in (400, 422)) == (junk, True), answer
    no_boundary = {"Content-Type": "multipart/form-data"}
    assert (await house.ask("agent", "POST", "/attachments", data=b"x", headers=no_boundary)).status == 400


def test_only_what_the_first_bytes_prove_is_called_by_its_name() -> None:
    assert sniffed(b"RIFF1234WEBPVP8 ") == "image/webp"
    assert sniffed(b"%PDF-1.7") == "application/pdf"
    assert sniffed(b"<svg xmlns=") == "application/octet-stream"
    assert disposition("attachment", 'a"\r\nX: y.pdf').count("\n") == 0
    assert disposition("inline", "ü.png") == "inline; filename=\"_.png\"; filename*=UTF-8''%C3%BC.png"


async def test_the_feed_tells_everything_once_and_agents_only_of_what_they_see(house: House) -> None:
    seen: list[dict[str, Any]] = []
    after = "0"
    while True:
        page = await house.get(f"/events?limit=3&after={after}")
        seen += page["items"]
        after = page["last"]
        if page["next"] is None:
            break
    theirs = await house.get("/events?limit=100", "agent")

    ids = [int(e["id"]) for e in seen]
    assert ids == sorted(set(ids))
    assert {"channel.added", "message.received", "conversation.created"} <= {e["kind"] for e in seen}
    north = next(c["id"] for c in (await house.get("/conversations", "agent"))["items"])
    assert {e["conversation"] for e in theirs["items"]} == {north}
    assert (await house.get(f"/events?after={after}"))["items"] == []
    assert (await house.ask("admin", "GET", "/events?after=x")).status == 422


async def test_employees_and_teams_are_set_up_by_administrators(house: House) -> None:
    body = {"email": "New@House.example", "name": "New", "role": "agent", "password": "long enough 1"}
    made = await house.ask("admin", "POST", "/employees", body)
    taken = await house.ask("admin", "POST", "/employees", body)
    path = f"/employees/{made.json['id']}"

    promoted = await house.ask("admin", "PATCH", path, {"role": "supervisor", "name": "Newer"})
    team = await house.ask("admin", "POST", "/teams", {"name": "Süd-West", "members": [made.json["id"]]})
    members = await house.ask("admin", "PUT", f"/teams/{team.json['id']}/members", {"members": []})
    disabled = await house.ask("admin", "PATCH", path, {"disabled": True})
    last = await house.ask("admin", "PATCH", f"/employees/{house.people['admin']}", {"role": "agent"})

    assert (made.status, made.json["email"], taken.status) == (201, "new@house.example", 422)
    assert (promoted.json["role"], promoted.json["name"]) == ("supervisor", "Newer")
    assert (team.json["slug"], team.json["members"], members.json["members"]) == ("sud-west", [made.json["id"]], [])
    assert disabled.json["disabled"] is True
    assert last.status == 422
    assert (await house.get("/me", "light"))["role"] == "light"
    for wrong in (
        {"email": "x", "name": "y"},
        {"email": "a@b.c", "role": "king"},
        {"email": "a@b.c", "password": "short"},
    ):
        assert (await house.ask("admin", "POST", "/employees", wrong)).status == 422
    assert (await house.ask("admin", "PUT", f"/teams/{team.json['id']}/members", {"members": ["999"]})).status == 422
    assert (await house.ask("admin", "PUT", "/teams/999/members", {"members": []})).status == 404
