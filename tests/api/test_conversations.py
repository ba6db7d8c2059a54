"""Conversations by API: lists, timeline, answering, notes, decisions."""

import asyncio
from typing import Any

from tests.api.conftest import House, wire_only
from tests.fakes import until


async def first(house: House, who: str = "agent") -> dict[str, Any]:
    """The conversation of the north channel."""
    page = await house.get("/conversations?sort=newest", who)
    return next(c for c in page["items"] if c["customer_name"] == "Nora North")


@wire_only
async def test_a_conversation_has_everything_the_contract_names(house: House) -> None:
    conversation = await first(house)

    assert {
        "id", "number", "subject", "status", "assignee", "team", "customer", "channels", "tags", "priority",
        "waiting_since", "last_message_at", "unread", "sla", "reason",
    } <= set(conversation)  # fmt: skip
    assert conversation["status"] == "open"
    assert conversation["team"] == str(house.teams["north"])
    assert conversation["channels"] == [str(house.channels["north"].config.id)]
    assert conversation["waiting_since"].endswith("Z")
    assert (
        conversation["reason"] == "Team of the channel: north → Nobody in north is free → Waits in the queue of north"
    )
    assert conversation["unread"] == 1


async def test_lists_filter_by_each_field_and_refuse_what_they_do_not_know(house: House) -> None:
    mine = await first(house)
    await house.ask("agent", "PUT", f"/conversations/{mine['id']}/assignee", {"employee": str(house.people["agent"])})
    await house.ask("agent", "PUT", f"/conversations/{mine['id']}/tags", {"tags": ["urgent"]})

    async def found(query: str) -> list[str]:
        return [c["id"] for c in (await house.get(f"/conversations?{query}"))["items"]]

    for query in (
        "assignee=" + str(house.people["agent"]),
        "team=" + str(house.teams["north"]),
        "channel=" + str(house.channels["north"].config.id),
        "customer=" + mine["customer"],
        "tag=urgent",
        "q=parcel",
        "q=PARC&status=open",
    ):
        assert await found(query) == [mine["id"]], query
    assert mine["id"] not in await found("assignee=none")
    assert await found("status=closed") == []
    assert [c["id"] for c in (await house.get("/conversations?assignee=me", "agent"))["items"]] == [mine["id"]]
    for query, status in (
        ("status=lost", 422),
        ("limit=0", 422),
        ("limit=101", 422),
        ("limit=x", 422),
        ("nonsense=1", 422),
        ("assignee=you", 422),
        ("team=x", 422),
        ("cursor=!", 422),
        ("cursor=bnVsbA", 422),
        ("cursor=" + "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjE", 422),
        ("limit=5&limit=6", 400),
    ):
        answer = await house.ask("admin", "GET", f"/conversations?{query}")
        assert (query, answer.status) == (query, status)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json["detail"]


async def test_pages_hold_every_conversation_once_by_both_orders(house: House) -> None:
    for number in range(5):
        await house.receive("north", f"p{number}", f"person{number}", f"question {number}")

    for sort in ("newest", "waiting"):
        seen: list[str] = []
        cursor = ""
        while True:
            page = await house.get(f"/conversations?limit=2&sort={sort}" + (f"&cursor={cursor}" if cursor else ""))
            seen += [c["id"] for c in page["items"]]
            if (cursor := page["next"]) is None:
                break
        assert len(seen) == len(set(seen)) == 7
        times = [(await house.get(f"/conversations/{n}"))["waiting_since"] for n in seen]
        assert times == sorted(times, reverse=sort == "newest")


async def test_a_reply_is_made_once_however_often_it_is_sent(house: House) -> None:
    conversation = await first(house)
    path = f"/conversations/{conversation['id']}/messages"

    answers = await asyncio.gather(
        *(house.ask("agent", "POST", path, {"text": "On its way", "client_id": "c1"}) for _ in range(5))
    )
    by_header = [
        await house.ask("agent", "POST", path, {"text": "Second"}, headers={"Idempotency-Key": "k1"}) for _ in range(2)
    ]

    assert sorted(a.status for a in answers) == [200, 200, 200, 200, 201]
    assert len({a.json["id"] for a in answers}) == 1
    assert [a.status for a in by_header] == [201, 200]
    message = answers[0].json
    assert message["direction"] == "out"
    assert message["author"] == str(house.people["agent"])
    assert message["to"] == [{"address": "api:nora", "name": "Nora North"}]
    assert message["delivery"]["state"] in ("queued", "sending", "sent", "failed")
    timeline = await house.get(f"/conversations/{conversation['id']}/timeline", "agent")
    assert [i["text"] for i in timeline["items"] if i["direction"] == "out"] == ["On its way", "Second"]


async def test_a_stale_reply_is_told_what_is_new(house: House) -> None:
    conversation = await first(house)
    await house.receive("north", "n2", "nora", "Hello? Anybody?")
    timeline = await house.get(f"/conversations/{conversation['id']}/timeline", "agent")
    said = [i for i in timeline["items"] if i["type"] == "message"]
    path = f"/conversations/{conversation['id']}/messages"

    stale = await house.ask("agent", "POST", path, {"text": "late", "client_id": "a", "seen": said[0]["id"]})
    fresh = await house.ask("agent", "POST", path, {"text": "late", "client_id": "a", "seen": said[1]["id"]})

    assert stale.status == 409
    assert [m["text"] for m in stale.json["newer"]] == ["Hello? Anybody?"]
    assert fresh.status == 201


@wire_only
async def test_what_a_reply_may_not_be_is_said_with_the_field(house: House) -> None:
    conversation = await first(house)
    path = f"/conversations/{conversation['id']}/messages"

    for body, field in (
        ({"text": 5}, "text"),
        ({"txt": "x"}, "txt"),
        ({"text": "x", "via": "first"}, "via"),
        ({"text": "x", "to": ["a\nb"]}, "to"),
        ({"text": "x", "attachments": [1]}, "attachments[0]"),
        ({"text": "x", "client_id": ""}, "client_id"),
    ):
        answer = await house.ask("agent", "POST", path, body)
        assert (answer.status, answer.json["field"]) == (422, field)
    for body in (
        {"text": ""},
        {"text": "x", "via": "999"},
        {"text": "x", "cc": ["y"]},
        {"text": "x", "attachments": ["77"]},
    ):
        answer = await house.ask("agent", "POST", path, body)
        assert answer.status == 422, answer
    wrong = [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"text": "\\ud800"}', "application/json", 400),
        (b'{"text": "\xff"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"text": "x"}', "text/plain", 415),
        (b"text=x", "application/x-www-form-urlencoded", 415),
        (b'{"text": "' + b"x" * 4_100_000 + b'"}', "application/json", 413),
    ]
    for data, kind, status in wrong:
        answer = await house.ask("agent", "POST", path, headers={"Content-Type": kind}, data=data)
        assert (data[:20], answer.status) == (data[:20], status)


@wire_only
async def test_html_is_made_harmless_and_its_text_is_sent_where_none_was_given(house: House) -> None:
    conversation = await first(house)
    html = '<p>Hello <b>you</b></p><script>alert(1)</script><img src=x onerror="alert(2)"><p>Bye</p>'

    made = (
        await house.ask(
            "agent", "POST", f"/conversations/{conversation['id']}/messages", {"html": html, "client_id": "h"}
        )
    ).json
    page = await house.ask("agent", "GET", made["html_url"])

    assert made["text"].split() == ["Hello", "you", "Bye"]
    assert b"<b>you</b>" in page.body
    assert b"script" not in page.body
    assert b"onerror" not in page.body
    assert page.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"


@wire_only
async def test_notes_are_internal_and_light_agents_may_write_them_but_not_answer(house: House) -> None:
    conversation = await first(house)
    path = f"/conversations/{conversation['id']}"

    note = await house.ask("light", "POST", f"{path}/notes", {"text": "She called.", "client_id": "n"})
    again = await house.ask("light", "POST", f"{path}/notes", {"text": "She called.", "client_id": "n"})
    empty = await house.ask("light", "POST", f"{path}/notes", {"text": " \x00 "})
    reply = await house.ask("light", "POST", f"{path}/messages", {"text": "x"})

    assert (note.status, note.json["kind"], note.json["direction"]) == (201, "note", "internal")
    assert (again.status, again.json["id"]) == (200, note.json["id"])
    assert empty.status == 422
    assert reply.status == 403


async def test_a_conversation_is_given_away_snoozed_closed_and_tagged(house: House) -> None:
    path = f"/conversations/{(await first(house))['id']}"
    agent, north = str(house.people["agent"]), str(house.teams["north"])

    given = await house.ask("agent", "PUT", f"{path}/assignee", {"employee": agent, "why": "knows her"})
    team = await house.ask("agent", "PUT", f"{path}/assignee", {"team": north})
    nobody = await house.ask(
        "agent", "PUT", f"{path}/assignee", None, data=b"null", headers={"Content-Type": "application/json"}
    )
    snoozed = await house.ask(
        "agent", "PUT", f"{path}/status", {"status": "snoozed", "until": "2099-01-01T08:00:00+01:00"}
    )
    closed = await house.ask("agent", "PUT", f"{path}/status", {"status": "closed"})
    tagged = await house.ask("agent", "PUT", f"{path}/tags", {"tags": ["b", "a", "b", " "]})

    assert (given.json["assignee"], given.json["reason"]) == (agent, "knows her")
    assert (team.json["assignee"], team.json["team"]) == (None, north)
    assert nobody.json["assignee"] is None
    assert snoozed.json["snoozed_until"] == "2099-01-01T07:00:00.000Z"
    assert (closed.json["status"], closed.json["snoozed_until"]) == ("closed", None)
    assert tagged.json["tags"] == ["a", "b"]
    for what, body in (
        ("assignee", {}),
        ("assignee", {"employee": "999"}),
        ("assignee", {"team": "999"}),
        ("status", {"status": "snoozed"}),
        ("status", {"status": "snoozed", "until": "2001-01-01T00:00:00Z"}),
        ("status", {"status": "snoozed", "until": "tomorrow"}),
        ("status", {"status": "open", "until": "2099-01-01T00:00:00Z"}),
        ("status", {"status": "lost"}),
        ("tags", {"tags": "a"}),
    ):
        answer = await house.ask("agent", "PUT", f"{path}/{what}", body)
        assert (what, body, answer.status) == (what, body, 422)


async def test_the_timeline_pages_backwards_without_gaps_and_goes_on_after_any_entry(house: House) -> None:
    path = f"/conversations/{(await first(house))['id']}"
    for number in range(6):
        await house.ask("agent", "POST", f"{path}/notes", {"text": f"note {number}"})
    whole = (await house.get(f"{path}/timeline?limit=100", "agent"))["items"]

    pages: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        page = await house.get(f"{path}/timeline?limit=3" + (f"&cursor={cursor}" if cursor else ""), "agent")
        pages.insert(0, page["items"])
        if (cursor := page["next"]) is None:
            break
    middle = next(i for i, entry in enumerate(whole) if entry["text"] == "note 2")
    by_id = await house.get(f"{path}/timeline?after={whole[middle]['id']}", "agent")
    by_seq = await house.get(f"{path}/timeline?after={whole[middle]['seq']}&limit=2", "agent")
    rest = await house.get(f"{path}/timeline?cursor={by_seq['next']}", "agent")

    assert [e for page in pages for e in page] == whole
    assert [int(e["seq"]) for e in whole] == sorted(int(e["seq"]) for e in whole)
    assert by_id["items"] == whole[middle + 1 :]
    assert by_seq["items"] + rest["items"] == whole[middle + 1 :]
    assert {e["type"] for e in whole} == {"message", "event"}
    assert (await house.get(f"{path}/timeline?after=0", "agent"))["items"] == whole
    assert (await house.ask("agent", "GET", f"{path}/timeline?cursor=eHg")).status == 422


async def test_a_conversation_is_begun_with_an_address_or_a_customer(house: House) -> None:
    channel = str(house.channels["north"].config.id)
    nora = (await first(house))["customer"]

    new = await house.ask(
        "agent", "POST", "/conversations", {"channel": channel, "to": " Newbie ", "text": "Hello", "client_id": "s"}
    )
    again = await house.ask(
        "agent", "POST", "/conversations", {"channel": channel, "to": "Newbie", "text": "Hello", "client_id": "s"}
    )
    known = await house.ask("agent", "POST", "/conversations", {"channel": channel, "customer": nora, "text": "Hello"})

    assert (new.status, again.status, known.status) == (201, 200, 201)
    assert new.json["id"] == again.json["id"]
    assert new.json["message"]["to"] == [{"address": "api:Newbie", "name": ""}]
    assert new.json["assignee"] == str(house.people["agent"])
    assert known.json["customer"] == nora
    for body in (
        {"channel": channel, "text": "x"},
        {"channel": "999", "to": ["x"], "text": "x"},
        {"channel": channel, "to": ["x"], "customer": nora, "text": "x"},
        {"channel": channel, "to": ["x"]},
        {"to": ["x"], "text": "x"},
    ):
        assert (await house.ask("agent", "POST", "/conversations", body)).status == 422, body
    assert (
        await house.ask("agent", "POST", "/conversations", {"channel": channel, "customer": "999", "text": "x"})
    ).status == 404


async def test_a_message_shows_its_deliveries_and_the_very_bytes_it_came_in(house: House) -> None:
    path = f"/conversations/{(await first(house))['id']}"
    inbound = next(i for i in (await house.get(f"{path}/timeline"))["items"] if i["type"] == "message")
    sent = (await house.ask("agent", "POST", f"{path}/messages", {"text": "x", "client_id": "r"})).json

    raw = await house.ask("agent", "GET", inbound["raw_url"])
    none = await house.ask("agent", "GET", f"/messages/{sent['id']}/raw")
    settled: Any = await until(lambda: _state(house, sent["id"], {"sent", "failed"}))

    assert b'"text": "Where is my parcel?"' in raw.body
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert raw.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert none.status == 404
    assert [d["recipient"] for d in settled["deliveries"]] == ["api:nora"]
    retried = await house.ask("agent", "POST", f"/messages/{sent['id']}/retry")
    if settled["delivery"]["state"] == "failed":
        assert (retried.status, retried.json["retried"]) == (200, 1)
    else:
        assert retried.status == 422


async def _state(house: House, number: str, wanted: set[str]) -> Any:
    message = await house.get(f"/messages/{number}")
    return message if message["delivery"]["state"] in wanted else None


async def test_an_envelope_with_a_hidden_conversations_message_is_not_handed_out(house: House) -> None:
    import hashlib
    import hmac
    import json

    said = [
        {"id": f"both{n}", "from": {"address": a}, "text": f"secret of {a}"} for n, a in enumerate(("nora", "otto"))
    ]
    body = json.dumps({"messages": said}).encode()
    signature = "sha256=" + hmac.digest(b"secret", body, hashlib.sha256).hex()
    url = f"{house.base}/webhooks/api/{house.channels['north'].config.key}"
    async with house.session.post(url, data=body, headers={"X-Hub-Signature-256": signature}):
        pass
    found: Any = await until(lambda: _found(house, "q=secret"))
    otto = next(c for c in found if c["customer_name"] == "otto")
    nora = next(c for c in found if c["customer_name"] == "Nora North")
    await house.ask("admin", "PUT", f"/conversations/{otto['id']}/assignee", {"team": str(house.teams["south"])})

    refused = await house.ask("agent", "GET", f"/messages/{nora['last_message']}/raw")
    allowed = await house.ask("boss", "GET", f"/messages/{nora['last_message']}/raw")

    assert refused.status == 403
    assert allowed.body == body


async def _found(house: House, query: str) -> Any:
    items = (await house.get(f"/conversations?{query}"))["items"]
    return items if len(items) == 2 else None
