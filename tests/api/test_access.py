"""Who may do what by API: a matrix over every route of the router, and what strangers are told."""

import re
from typing import Any

import pytest
from msgspec import Struct

from hub import accounts, sessions
from hub.api.wire import ROUTES
from tests.api.conftest import Answer, House, wire_only

#: Statuses by who asks: stranger to the house, light agent and agent of the team, agent of another team, administrator.
WHO = ("", "light", "agent", "stranger", "admin")


class Row(Struct, frozen=True):
    """What a request for something of the north team is answered with, by each of `WHO`; ``body`` goes with it."""

    statuses: tuple[int, int, int, int, int]
    body: Any = None


_SEEN = (401, 200, 200, 404, 200)
_ALL = (401, 200, 200, 200, 200)
MATRIX: dict[str, Row] = {
    "GET /conversations": Row(_ALL),
    "POST /conversations": Row(
        (401, 403, 201, 404, 201), {"channel": "{channel}", "customer": "{customer}", "text": "x"}
    ),
    "GET /conversations/{id}": Row(_SEEN),
    "GET /conversations/{id}/timeline": Row(_SEEN),
    "POST /conversations/{id}/messages": Row((401, 403, 201, 404, 201), {"text": "x"}),
    "POST /conversations/{id}/notes": Row((401, 201, 201, 404, 201), {"text": "x"}),
    "PUT /conversations/{id}/assignee": Row((401, 403, 200, 404, 200), {"team": "{team}"}),
    "PUT /conversations/{id}/status": Row((401, 403, 200, 404, 200), {"status": "waiting"}),
    "POST /conversations/{id}/handover": Row((401, 403, 201, 404, 201)),
    "PUT /conversations/{id}/tags": Row((401, 403, 200, 404, 200), {"tags": []}),
    "POST /conversations/{id}/tags": Row((401, 403, 200, 404, 200), {"add": ["x"]}),
    "PUT /conversations/{id}/priority": Row((401, 403, 200, 404, 200), {"priority": "high"}),
    "PUT /conversations/{id}/unread": Row((401, 200, 200, 404, 200), {"unread": True}),
    "POST /conversations/{id}/merges": Row((401, 403, 404, 404, 404), {"into": "999"}),
    "POST /conversations/{id}/splits": Row((401, 403, 404, 404, 404), {"message": "999"}),
    "POST /bulk": Row((401, 403, 201, 201, 201), {"do": "tags", "add": ["y"], "filter": {}}),
    "GET /bulk/{id}": Row((401, 404, 404, 404, 200)),
    "GET /actions": Row(_ALL),
    "GET /actions/{id}": Row((401, 404, 404, 404, 200)),
    "POST /actions/{id}/undo": Row((401, 404, 404, 404, 200)),
    "DELETE /actions/{id}": Row((401, 404, 404, 404, 204)),
    "GET /messages/{id}": Row(_SEEN),
    "GET /messages/{id}/raw": Row(_SEEN),
    "GET /messages/{id}/html": Row((401, 404, 404, 404, 404)),
    "POST /messages/{id}/retry": Row((401, 403, 422, 404, 422)),
    "DELETE /messages/{id}": Row((401, 403, 403, 404, 403)),
    "GET /conversations/{id}/planned": Row(_SEEN),
    "POST /conversations/{id}/planned": Row(
        (401, 403, 201, 404, 201), {"text": "x", "send_at": "2030-01-01T09:00:00Z"}
    ),
    "GET /planned/{id}": Row(_SEEN),
    "PATCH /planned/{id}": Row((401, 403, 200, 404, 200), {"send_at": "2030-01-02T09:00:00Z"}),
    "DELETE /planned/{id}": Row((401, 403, 200, 404, 409)),
    "POST /planned/{id}/now": Row((401, 403, 409, 404, 409)),
    "GET /drafts": Row(_ALL),
    "GET /conversations/{id}/saved_replies": Row(_SEEN),
    "GET /saved_replies": Row(_ALL),
    "POST /saved_replies": Row((401, 403, 201, 201, 201), {"name": "x", "text": "y"}),
    "GET /saved_replies/{id}": Row(_ALL),
    "PATCH /saved_replies/{id}": Row((401, 403, 403, 403, 200), {"name": "y"}),
    "DELETE /saved_replies/{id}": Row((401, 403, 403, 403, 204)),
    "PUT /conversations/{id}/drafts/{mode}": Row((401, 403, 200, 404, 200), {"text": "x"}),
    "GET /conversations/{id}/drafts/{mode}": Row((401, 404, 200, 404, 200)),
    "DELETE /conversations/{id}/drafts/{mode}": Row((401, 404, 204, 404, 204)),
    "GET /customers": Row(_ALL),
    "POST /customers": Row((401, 403, 201, 201, 201), {"name": "x"}),
    "GET /customers/{id}": Row(_SEEN),
    "PATCH /customers/{id}": Row((401, 403, 200, 404, 200), {"attributes": {"a": 1}}),
    "GET /customers/{id}/timeline": Row(_SEEN),
    "GET /customers/{id}/identities": Row(_SEEN),
    "POST /customers/{id}/identities": Row((401, 403, 201, 404, 201), {"address": "new@x.example"}),
    "DELETE /customers/{id}/identities/{identity}": Row((401, 403, 404, 404, 404)),
    "GET /customers/{id}/merges": Row(_SEEN),
    "POST /customers/{id}/merges": Row((401, 403, 422, 404, 422), {"other": "{customer}"}),
    "DELETE /customers/{id}/merges/{merge}": Row((401, 403, 404, 404, 404)),
    "GET /customers/{id}/tasks": Row(_SEEN),
    "POST /customers/{id}/tasks": Row((401, 201, 201, 404, 201), {"text": "x"}),
    "GET /tasks": Row(_ALL),
    "PATCH /tasks/{id}": Row((401, 200, 200, 404, 200), {"text": "y"}),
    "GET /customers/{id}/consents": Row(_SEEN),
    "POST /customers/{id}/consents": Row((401, 403, 200, 404, 200), {"kind": "sms", "state": "out"}),
    "GET /customers/{id}/orders": Row(_SEEN),
    "POST /customers/{id}/orders": Row((401, 403, 200, 404, 200), {"number": "1", "at": "2026-01-02T09:00:00Z"}),
    "DELETE /customers/{id}/orders/{order}": Row((401, 403, 404, 404, 404)),
    "POST /conversations/{id}/moves": Row((401, 403, 404, 404, 404), {"message": "999"}),
    "GET /channels": Row(_ALL),
    "POST /channels": Row((401, 403, 403, 403, 201), {"kind": "api", "name": "x", "settings": {"secret": "s"}}),
    "GET /channels/kinds": Row(_ALL),
    "GET /channels/{id}": Row(_ALL),
    "PATCH /channels/{id}": Row((401, 403, 403, 403, 200), {"name": "x"}),
    "DELETE /channels/{id}": Row((401, 403, 403, 403, 204)),
    "POST /channels/{id}/test": Row((401, 403, 403, 403, 200)),
    "GET /channels/{id}/health": Row(_ALL),
    "GET /channels/{id}/templates": Row((401, 403, 200, 200, 200)),
    "GET /journal": Row((401, 403, 403, 403, 200)),
    "GET /journal/{id}/raw": Row((401, 403, 403, 403, 200)),
    "POST /journal/{id}/replay": Row((401, 403, 403, 403, 200)),
    "POST /attachments": Row((401, 403, 415, 415, 415), {}),
    "GET /attachments/{id}": Row((401, 404, 404, 404, 404)),
    "GET /events": Row(_ALL),
    "GET /me": Row(_ALL),
    "GET /employees": Row(_ALL),
    "GET /employees/{id}": Row(_ALL),
    "POST /employees": Row((401, 403, 403, 403, 201), {"email": "z@house.example"}),
    "PATCH /employees/{id}": Row((401, 403, 403, 403, 200), {"name": "x"}),
    "GET /teams": Row(_ALL),
    "POST /teams": Row((401, 403, 403, 403, 201), {"name": "east"}),
    "GET /teams/{id}": Row(_ALL),
    "PATCH /teams/{id}": Row((401, 403, 403, 403, 200), {"silent_minutes": 0}),
    "DELETE /teams/{id}": Row((401, 403, 403, 403, 409)),
    "GET /absences": Row(_ALL),
    "GET /employees/{id}/absences": Row(_ALL),
    "POST /employees/{id}/absences": Row((401, 201, 403, 403, 201), {"starts_at": "2031-12-24"}),
    "PATCH /absences/{id}": Row((401, 403, 403, 403, 200), {"note": "x"}),
    "DELETE /absences/{id}": Row((401, 403, 403, 403, 204)),
    "GET /presence": Row(_ALL),
    "PUT /employees/{id}/presence": Row((401, 200, 403, 403, 200), {"state": "away"}),
    "GET /offers": Row(_ALL),
    "PUT /conversations/{id}/offer": Row((401, 403, 404, 404, 404)),
    "DELETE /conversations/{id}/offer": Row((401, 404, 404, 404, 404)),
    "PUT /conversations/{id}/claim": Row((401, 403, 200, 404, 409)),
    "POST /queue/next": Row((401, 403, 204, 200, 204)),
    "GET /directory.csv": Row((401, 403, 403, 403, 200)),
    "PUT /directory.csv": Row((401, 403, 403, 403, 415)),
    "GET /owners.csv": Row((401, 403, 403, 403, 200)),
    "PUT /owners.csv": Row((401, 403, 403, 403, 415)),
    "PUT /teams/{id}/members": Row((401, 403, 403, 403, 200), {"members": []}),
    "GET /routing/rules": Row(_ALL),
    "POST /routing/rules": Row((401, 403, 403, 403, 201), {"name": "x", "target": {"team": "{team}"}}),
    "GET /routing/rules/{id}": Row(_ALL),
    "PATCH /routing/rules/{id}": Row((401, 403, 403, 403, 200), {"enabled": True}),
    "DELETE /routing/rules/{id}": Row((401, 403, 403, 403, 422)),
    "PUT /routing/rules/order": Row((401, 403, 403, 403, 422), {"ids": []}),
    "GET /routing/settings": Row(_ALL),
    "PUT /routing/settings": Row((401, 403, 403, 403, 200), {"capacity": 30, "weights": {}}),
    "POST /routing/decisions": Row((401, 403, 403, 403, 200), {"channel": "{channel}"}),
    "GET /routing/simulations": Row((401, 403, 403, 403, 200)),
    "POST /routing/simulations": Row((401, 403, 403, 403, 201), {"days": 1, "rules": []}),
    "GET /routing/simulations/{id}": Row((401, 403, 403, 403, 404)),
    "DELETE /routing/simulations/{id}": Row((401, 403, 403, 403, 404)),
    "GET /hours": Row(_ALL),
    "POST /hours": Row((401, 403, 403, 403, 201), {"name": "x", "zone": "UTC"}),
    "GET /hours/{id}": Row(_ALL),
    "PATCH /hours/{id}": Row((401, 403, 403, 403, 200), {"name": "y"}),
    "DELETE /hours/{id}": Row((401, 403, 403, 403, 204)),
    "GET /sla_policies": Row(_ALL),
    "POST /sla_policies": Row((401, 403, 403, 403, 201), {"name": "x", "first_minutes": 60}),
    "GET /sla_policies/{id}": Row(_ALL),
    "PATCH /sla_policies/{id}": Row((401, 403, 403, 403, 200), {"position": 1}),
    "DELETE /sla_policies/{id}": Row((401, 403, 403, 403, 204)),
    "GET /views": Row(_ALL),
    "GET /views/{id}": Row(_ALL),
    "POST /views": Row((401, 201, 201, 201, 201), {"name": "x"}),
    "PATCH /views/{id}": Row((401, 403, 403, 403, 200), {"name": "y"}),
    "DELETE /views/{id}": Row((401, 403, 403, 403, 204)),
}
#: What changes something must come after everything that needs it.
LAST = ("PUT /conversations/{id}/assignee", "PATCH /channels/{id}", "DELETE /channels/{id}", "PUT /teams/{id}/members")


def routes() -> dict[str, Any]:
    """Every route of the API by method and path."""
    return {f"{r.method} {r.path.removeprefix('/api/v1')}": r for r in ROUTES}


def test_every_route_has_a_row_in_the_matrix() -> None:
    assert sorted(routes()) == sorted(MATRIX)


async def own_ids(house: House) -> dict[str, str]:
    """Ids of what belongs to the north team, by the first word of a path."""
    conversation = next(c for c in (await house.get("/conversations"))["items"] if c["customer_name"] == "Nora North")
    hours = await house.ask("admin", "POST", "/hours", {"name": "Office", "zone": "Europe/Berlin"})
    policy = await house.ask("admin", "POST", "/sla_policies", {"name": "Gold", "next_minutes": 60})
    away = await house.ask("admin", "POST", f"/employees/{house.people['admin']}/absences", {"starts_at": "2031-12-24"})
    saved = {"name": "Hi", "text": "Hello", "visibility": "everyone"}
    reply = await house.ask("admin", "POST", "/saved_replies", saved)
    close = {"do": "status", "status": "waiting", "conversations": [conversation["id"]]}
    bulk = await house.ask("admin", "POST", "/bulk", close)
    view = await house.ask("admin", "POST", "/views", {"name": "All of it", "visibility": "everyone"})
    later = {"text": "x", "send_at": "2030-01-01T09:00:00Z"}
    planned = await house.ask("admin", "POST", f"/conversations/{conversation['id']}/planned", later)
    task = await house.ask("admin", "POST", f"/customers/{conversation['customer']}/tasks", {"text": "x"})
    return {
        "planned": planned.json["id"],
        "tasks": task.json["id"],
        "views": view.json["id"],
        "bulk": bulk.json["id"],
        "actions": bulk.json["id"],
        "saved_replies": reply.json["id"],
        "absences": away.json["id"],
        "conversations": conversation["id"],
        "messages": conversation["last_message"],
        "customers": conversation["customer"],
        "channels": str(house.channels["north"].config.id),
        "journal": (await house.get("/journal"))["items"][-1]["id"],
        "attachments": "999",
        "employees": str(house.people["light"]),
        "teams": str(house.teams["north"]),
        "routing": "1",
        "hours": hours.json["id"],
        "sla_policies": policy.json["id"],
    }


def filled(tree: Any, ids: dict[str, str]) -> Any:
    """The body with the ids it refers to."""
    words = {"{channel}": ids["channels"], "{customer}": ids["customers"], "{team}": ids["teams"]}

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(inner) for key, inner in value.items()}
        return words.get(value, value) if isinstance(value, str) else value

    return put(tree)


async def ask(house: House, who: str, name: str, ids: dict[str, str]) -> Answer:
    method, path = name.split(" ")
    path = re.sub(r"\{(identity|merge|order)\}", "999", path.replace("{mode}", "reply")).replace(
        "{id}", ids.get(path.split("/")[1], "0")
    )
    row = MATRIX[name]
    return await house.ask(who, method, path, filled(row.body, ids) if row.body is not None else None)


@pytest.mark.rest
async def test_every_route_answers_everybody_as_the_matrix_says(house: House) -> None:
    ids = await own_ids(house)
    names = [n for n in MATRIX if n not in LAST] + [n for n in MATRIX if n in LAST]

    said, wanted = {}, {}
    for name in names:
        for who, status in zip(WHO, MATRIX[name].statuses, strict=True):
            if name.startswith("POST /customers/{id}/identities"):
                MATRIX[name].body["address"] = f"{who or 'x'}@new.example"
            answer = await ask(house, who, name, ids)
            said[name, who], wanted[name, who] = answer.status, status
            if status == 401:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            if status >= 400:
                assert answer.headers["Content-Type"] == "application/problem+json", name
                assert len(answer.json["detail"]) > 20, name

    assert {k: v for k, v in said.items() if wanted[k] != v} == {}


@wire_only
async def test_ids_that_do_not_exist_or_are_none_are_not_found(house: House) -> None:
    wrong = {}
    for name in MATRIX:
        if "{id}" not in name:
            continue
        for number in ("999999", "0", "abc", "1x", "-1", "9" * 30, "%00", "١", "1%2F2", "' OR 1=1"):
            method, path = name.split(" ")
            path = re.sub(r"\{(identity|merge|order)\}", "1", path.replace("{mode}", "reply")).replace("{id}", number)
            answer = await house.ask("admin", method, path, MATRIX[name].body)
            if answer.status != 404 and not (answer.status == 422 and MATRIX[name].body):
                wrong[name, number] = answer.status

    assert wrong == {}


@wire_only
async def test_a_token_that_ends_opens_nothing_after_two_seconds(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes import until

    assert sessions.REMEMBERED == 2
    monkeypatch.setattr(sessions, "REMEMBERED", 0.2)
    assert (await house.ask("agent", "GET", "/me")).status == 200
    rows = await house.hub.db.read(accounts.all_tokens)
    number = next(r.id for r in rows if r.email == "agent@house.example")
    await house.hub.db.write(accounts.revoke_token, number)

    async def refused() -> Any:
        return (await house.ask("agent", "GET", "/me")).status == 401

    assert await until(refused, 4)


@wire_only
async def test_a_wrong_token_is_nobody_even_with_a_good_cookie(house: House) -> None:
    session = await house.hub.db.write(accounts.open_session, house.people["agent"], "test")

    for header in ("", "Bearer", "Bearer ", "Bearer hub_wrong", "Basic YTpi", "hub_x", "Bearer \u00e4" * 3):
        answer = await house.ask("", "GET", "/me", headers={"Authorization": header, "Cookie": f"sid={session}"})
        assert answer.status == 401, header


@wire_only
async def test_the_browsers_session_counts_but_not_for_other_sites_pages(house: House) -> None:
    session = await house.hub.db.write(accounts.open_session, house.people["agent"], "test")
    conversation = (await house.get("/conversations", "agent"))["items"][0]["id"]
    path = f"/conversations/{conversation}/notes"

    async def note(**headers: str) -> int:
        given = {"Cookie": f"sid={session}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return (await house.ask("", "POST", path, {"text": "x"}, headers=given)).status

    assert (await house.ask("", "GET", "/me", headers={"Cookie": f"sid={session}"})).status == 200
    assert await note(Sec_Fetch_Site="same-origin") == 201
    assert await note(Origin=house.base) == 201
    assert await note(Sec_Fetch_Site="cross-site") == 403
    assert await note(Sec_Fetch_Site="same-site") == 403
    assert await note(Origin="https://evil.example") == 403
    assert await note(Origin="null") == 403
    assert (await house.ask("", "GET", "/me", headers={"Cookie": "sid=nonsense"})).status == 401


@wire_only
async def test_addresses_that_do_not_exist_and_wrong_methods_are_said_so(house: House) -> None:
    nowhere = await house.ask("", "GET", "/api/v1/nothing")
    method = await house.ask("admin", "DELETE", "/conversations/1")
    query = await house.ask("admin", "GET", "/me?verbose=1")

    assert nowhere.status == 404
    assert (method.status, method.headers["Allow"]) == (405, "GET,HEAD")
    assert query.status == 422
    for answer in (nowhere, method, query):
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
