"""Prepared texts that a provider has approved: what there is of them, and one filled in."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from hub.adapter import Adapter
from hub.channels import Ready
from hub.fitting import CannotSend
from hub.messages import Filled, Refused, Template, TryLater
from hub.text import clean, clean_line

#: How long a provider may take to list them, and how long its answer is believed (seconds).
PATIENCE, FRESH = 10, 300.0
#: Characters of what is put into one place.
LONGEST = 1000

_PLACE = re.compile(r"\{\{\s*(\w{1,60})\s*\}\}")
_known: WeakKeyDictionary[Adapter, tuple[float, tuple[Template, ...]]] = WeakKeyDictionary()


def places(body: str) -> tuple[str, ...]:
    """The numbers or names of the places of a template, each once, as they come."""
    return tuple(dict.fromkeys(_PLACE.findall(body)))


async def listed(ready: Ready) -> tuple[Template, ...]:
    """The templates of a channel; the provider is asked every five minutes at most. Raises `CannotSend` in its words."""
    if not ready.adapter.traits.templates:
        return ()
    at, found = _known.get(ready.adapter, (0.0, ()))
    if at and time.monotonic() - at < FRESH:
        return found
    try:
        async with asyncio.timeout(PATIENCE):
            found = await ready.adapter.templates()
    except (TryLater, Refused) as error:
        why = clean_line(error.reason, 300)
        raise CannotSend(f"The templates of “{ready.config.name}” cannot be had now: {why}.") from error
    except TimeoutError as error:
        raise CannotSend(f"The templates of “{ready.config.name}” cannot be had now: no answer in time.") from error
    _known[ready.adapter] = (time.monotonic(), found)
    return found


async def chosen(ready: Ready, name: str, language: str, values: Mapping[str, str]) -> tuple[Filled, str]:
    """A template of the channel with its values, and how it reads. Raises `CannotSend`."""
    for template in await listed(ready):
        if (template.name, template.language) == (name, language):
            return fill(template, values)
    raise CannotSend(
        f"“{ready.config.name}” has no template “{clean_line(name, 100)}” ({clean_line(language, 20)}) any more."
    )


def fill(template: Template, values: Mapping[str, str]) -> tuple[Filled, str]:
    """The values for the template's places, and how it reads with them. Raises `CannotSend` when one is missing."""
    wanted = places(template.body)
    given = {place: clean_line(values.get(place, ""), LONGEST) for place in wanted}
    if missing := [place for place in wanted if not given[place]]:
        raise CannotSend(f"Something has to be filled in before this can be sent: {', '.join(missing)}.")
    text = _PLACE.sub(lambda found: given[found[1]], clean(template.body))
    return Filled(template.name, template.language, given), text
