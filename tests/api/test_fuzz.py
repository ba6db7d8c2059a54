"""Nonsense in every field of every route: never our fault, always an answer that says what to do."""

import json
import typing
from typing import Any

import msgspec
import pytest

from hub.api.wire import ROUTES
from tests.api.conftest import House, wire_only
from tests.api.test_access import own_ids

#: Values that have broken somebody's server.
NONSENSE: list[Any] = [
    None, True, 0, -1, 2**53, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, 1e308, "", " ", "\x00", "a\x00b", "\u202e\u200b", "\ud83d\ude00",
    "' OR 1=1 --", "{{7*7}}", "%00", "../../etc/passwd", "x" * 70_000, [], [None], [[]], ["\x00"], {}, {"": ""}, {"$ne": 1},
    {"a": {"b": {"c": []}}},
    "9" * 25, "-1", "1e5", "NaN", "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59", "<script>", "a@b", "tel:", "email:",
]  # fmt: skip


def bodies(kind: Any) -> list[Any]:
    """A body that is nearly right, with nonsense in each of its fields in turn."""
    if typing.get_origin(kind) is not None or not hasattr(kind, "__struct_fields__"):
        kind = next(k for k in typing.get_args(kind) if hasattr(k, "__struct_fields__"))
    fields = msgspec.structs.fields(kind)
    good = {f.encode_name: "1" for f in fields if f.required}
    return [good | {f.encode_name: value} for f in fields for value in NONSENSE] + NONSENSE


@wire_only
@pytest.mark.rest
async def test_nonsense_in_any_field_of_any_body_is_never_our_fault(house: House) -> None:
    ids = await own_ids(house)
    bad: list[Any] = []
    count = 0
    for r in ROUTES:
        if r.body is None:
            continue
        path = r.path.removeprefix("/api/v1").replace("{mode}", "reply")
        path = path.replace("{id}", ids.get(path.split("/")[1], "1")).replace("{identity}", "1").replace("{merge}", "1")
        for body in bodies(r.body):
            data = json.dumps(body).encode("utf-8", "surrogatepass")
            answer = await house.ask("admin", r.method, path, headers={"Content-Type": "application/json"}, data=data)
            count += 1
            if answer.status >= 500 or (answer.status >= 400 and not answer.json["detail"]):
                bad.append((r.method, r.path, str(body)[:80], answer))

    assert count > 1000
    assert bad == []


@pytest.mark.rest
async def test_nonsense_in_any_parameter_is_never_our_fault(house: House) -> None:
    ids = await own_ids(house)
    bad: list[Any] = []
    for r in ROUTES:
        if r.query is None:
            continue
        path = r.path.removeprefix("/api/v1")
        path = path.replace("{id}", ids.get(path.split("/")[1], "1"))
        for field in msgspec.structs.fields(r.query):
            for value in NONSENSE:
                if isinstance(value, str) and len(value) < 5000:
                    answer = await house.ask("agent", r.method, path, params={field.encode_name: value})
                    if answer.status >= 500:
                        bad.append((r.path, field.name, value, answer))
    for query in (
        "limit=%ff",
        "q=%ED%A0%80",
        "q=%00",
        "a=1&a=2",
        "=",
        "&&&",
        "limit=1&limit=1",
        "%00=1",
        "q=" + "%F0%9F" * 50,
    ):
        if (answer := await house.ask("admin", "GET", f"/conversations?{query}")).status >= 500:
            bad.append((query, answer))

    assert bad == []


@wire_only
async def test_the_openapi_document_names_every_route_and_every_type(house: House) -> None:
    document = await house.get("/api/openapi.json", "")

    operations = {(m.upper(), path) for path, by_method in document["paths"].items() for m in by_method}
    names = [o["operationId"] for by_method in document["paths"].values() for o in by_method.values()]
    assert operations == {(r.method, r.path) for r in ROUTES}
    assert len(names) == len(set(names))
    assert document["openapi"] == "3.1.0"
    text = json.dumps(document)
    references = set(
        json.loads(
            f"[{','.join(part.split(',')[0].split('}')[0] for part in text.split(chr(34) + '$ref' + chr(34) + ': ')[1:])}]"
        )
    )
    assert {r.removeprefix("#/components/schemas/") for r in references} <= set(document["components"]["schemas"])
