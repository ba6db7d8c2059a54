"""OpenAPI 3.1 of the routes, written from the types that validate them."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec
from aiohttp import web
from msgspec import Struct

from hub.api.wire import Made, Route


class ProblemDetails(Struct):
    """An error (RFC 9457): ``detail`` says what to do; ``field`` names what was wrong where one field was."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


def document(routes: list[Route], version: str) -> dict[str, Any]:
    """The whole document."""
    kinds = _types(routes)
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    refs = {repr(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for r in routes:
        paths.setdefault(r.path, {})[r.method.lower()] = _operation(r, refs, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Omnichannel hub", "version": version},
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _types(routes: list[Route]) -> list[Any]:
    found: dict[str, Any] = {repr(ProblemDetails): ProblemDetails}
    for r in routes:
        for kind in (r.query, r.body, _shown(r)):
            if kind is not None:
                found[repr(kind)] = kind
    return list(found.values())


def _shown(r: Route) -> Any:
    """The type of the JSON answer, None where there is none."""
    if getattr(r.out, "__origin__", None) is Made:
        return get_args(r.out)[0]
    if r.out is type(None) or (isinstance(r.out, type) and issubclass(r.out, web.StreamResponse)):
        return None
    return r.out


def _operation(r: Route, refs: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    words = (r.handler.__doc__ or r.handler.__name__).strip()
    told: dict[str, Any] = {
        "operationId": r.handler.__name__,
        "summary": words.split("\n")[0],
        "description": re.sub(r"\s*\n\s*", " ", words),
        "parameters": [_path_parameter(name, r.words.get(name)) for name in r.ids],
        "responses": _responses(r, refs),
    }
    if r.query is not None:
        told["parameters"] += _query_parameters(r.query, components)
    if r.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[repr(r.body)]}}}
    if r.accepts:
        told["requestBody"] = {"required": True, "content": {r.accepts: {"schema": {"type": "string"}}}}
    return told


def _path_parameter(name: str, words: tuple[str, ...] | None) -> dict[str, Any]:
    schema = {"enum": list(words)} if words else {"pattern": "^[0-9]{1,18}$"}
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **schema}}


def _query_parameters(kind: Any, components: dict[str, Any]) -> list[dict[str, Any]]:
    properties = components[kind.__name__]["properties"]
    return [
        {"name": f.encode_name, "in": "query", "required": f.required, "schema": properties[f.encode_name]}
        for f in msgspec.structs.fields(kind)
    ]


def _responses(r: Route, refs: dict[str, Any]) -> dict[str, Any]:
    shown = _shown(r)
    good: dict[str, Any] = {"description": "done"}
    if shown is not None:
        good["content"] = {"application/json": {"schema": refs[repr(shown)]}}
    elif r.status != 204:
        good["content"] = {r.media: {}}
    problem = {
        "description": "a problem; “detail” says what to do",
        "content": {"application/problem+json": {"schema": refs[repr(ProblemDetails)]}},
    }
    answers = {str(r.status): good, "4XX": problem, "5XX": problem}
    if type(None) in get_args(r.out):
        answers["204"] = {"description": "there is nothing"}
    if r.status == 201:
        answers["200"] = good | {"description": "the same request had been done before: its result"}
    return answers
