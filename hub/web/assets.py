"""Style, script and icons: read once, served under an address that holds a hash of the content, so they are kept for ever."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from importlib import resources

from aiohttp import web
from msgspec import Struct

#: The cascade layers, the weakest first.
LAYERS = ("tokens", "base", "parts", "layout", "util")
#: The files, in which a later one may add to any layer.
FILES = (
    "tokens",
    "base",
    "parts",
    "layout",
    "timeline",
    "pages",
    "finding",
    "live",
    "people",
    "work",
    "drawers",
    "util",
    "targets",
)
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


_IMPORT = re.compile(r"^import \{ (.+) \} from '\./(\w+)\.js'\n", re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) ([\w$]+))", re.M)


def joined(first: str, read: Callable[[str], str]) -> str:
    """The module ``first`` and all it imports as one script, each in a scope of its own, so that a page asks for one file.

    Understands what our modules use: one-line imports of names from the same folder, exports of functions, classes and constants.
    Raises ValueError for modules that import each other in a circle, and for an import that is not understood.
    """
    done: dict[str, str] = {}

    def take(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"these scripts import each other: {' → '.join((*above, name))}")
        if name in done:
            return
        source = read(name)
        for _, other in _IMPORT.findall(source):
            take(other, (*above, name))
        exported = ", ".join(_EXPORT.findall(source))
        inside = _EXPORT.sub(
            "", _IMPORT.sub(lambda m: f"const {{ {m[1].replace(' as ', ': ')} }} = {m[2]}_js\n", source)
        )
        if re.search(r"^(import|export)\b", inside, re.M):
            raise ValueError(f"{name}.js imports or exports in a way that is not understood here")
        done[name] = f"const {name}_js = (() => {{\n{inside}return {{ {exported} }}\n}})()\n"

    take(first, ())
    return "".join(done.values())


class Asset(Struct, frozen=True):
    """One file as sent."""

    body: bytes
    packed: bytes
    type: str


class Assets:
    """The static files. ``assets["app.css"]`` is the address to write into pages."""

    def __init__(self) -> None:
        folder = resources.files("templates") / "static"
        self.by_address: dict[str, Asset] = {}
        self._addresses: dict[str, str] = {}
        layers = [(folder / f"{name}.css").read_text("utf-8") for name in FILES]
        self._add("app.css", f"@layer {','.join(LAYERS)};\n{''.join(layers)}".encode())
        self._add("app.js", joined("app", lambda name: (folder / f"{name}.js").read_text("utf-8")).encode())
        self._add("shared.js", joined("shared", lambda name: (folder / f"{name}.js").read_text("utf-8")).encode())
        self._add("frame.css", (folder / "frame.css").read_bytes())
        self._add("widget.css", b"".join((folder / f"{name}.css").read_bytes() for name in ("tokens", "widget")))
        self._add("widget.js", b"".join((folder / f"{name}.js").read_bytes() for name in ("widget", "widget_view")))
        self._add("icons.svg", (folder / "icons.svg").read_bytes())

    def _add(self, name: str, body: bytes) -> None:
        stem, _, ending = name.rpartition(".")
        address = f"/static/{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{ending}"
        self._addresses[name] = address
        self.by_address[address] = Asset(body, gzip.compress(body, mtime=0), _TYPES[ending])

    def __getitem__(self, name: str) -> str:
        return self._addresses[name]

    async def serve(self, request: web.Request) -> web.Response:
        """GET /static/<name>.<hash>.<ending>"""
        asset = self.by_address.get(request.path)
        if asset is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = asset.packed if packed else asset.body
        return web.Response(body=body, content_type=asset.type, charset="utf-8", headers=headers)
