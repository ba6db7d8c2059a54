"""The prepared texts of a channel, as its provider has approved them."""

from __future__ import annotations

from msgspec import Struct

from hub import templating
from hub.access import require
from hub.api.wire import Call, Page, route
from hub.messages import Template
from hub.outbox import NotFound


class PreparedText(Struct, frozen=True):
    """One template in one language. ``body`` has places like {{1}} or {{name}}; ``places`` are their numbers or names."""

    name: str
    language: str
    category: str
    body: str
    places: list[str]


@route("GET", "/channels/{id}/templates")
async def list_templates(call: Call, id: int) -> Page[PreparedText]:
    """The templates that may be sent at any time; none where the channel knows no such thing. 422 when the provider cannot tell."""
    require(call.actor, "reply")
    ready = call.hub.channels.by_id.get(id)
    if ready is None:
        raise NotFound
    return Page([_shown(template) for template in await templating.listed(ready)])


def _shown(template: Template) -> PreparedText:
    places = list(templating.places(template.body))
    return PreparedText(template.name, template.language, template.category, template.body, places)
