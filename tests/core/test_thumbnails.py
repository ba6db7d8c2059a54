"""Small pictures: made once, of nothing dangerous, and gone with what they show."""

from __future__ import annotations

import asyncio
import io
import os
import zlib
from pathlib import Path

import pytest

from hub import blobs as blobs_module
from hub import thumbnails
from hub.blobs import Blobs
from hub.thumbnails import Thumbnails

Image = pytest.importorskip("PIL.Image")


def photograph(width: int = 900, height: int = 600) -> bytes:
    """Noise, which no format makes small, turned on its side, with the place it was taken at."""
    picture = Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))
    exif = Image.Exif()
    exif[274] = 6
    exif[0x010E] = "at home"
    data = io.BytesIO()
    picture.save(data, "JPEG", exif=exif)
    return data.getvalue()


def bomb() -> bytes:
    """20 kB that want to be 13,000 pixels square, and some more that nobody looks at."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = (13_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + b"\x01\x00\x00\x00\x00") + chunk(b"tEXt", b"x\x00" + bytes(40_000))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(13_000 * 1626))) + chunk(b"IEND", b"")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


async def test_a_photograph_becomes_small_once_and_loses_what_the_camera_wrote(blobs: Blobs) -> None:
    name = blobs.put(photograph())

    first, again = await asyncio.gather(*(Thumbnails().of(blobs, name) for _ in range(2)))

    assert first == again == blobs.small(name)
    with Image.open(first) as small:
        assert (small.format, small.size, len(small.getexif())) == ("WEBP", (320, 240), 0)
    assert first.stat().st_size < blobs.path(name).stat().st_size
    assert sorted(p.name for p in first.parent.iterdir()) == sorted((first.name, blobs.path(name).name))


@pytest.mark.parametrize("data", [bomb(), b"\xff\xd8\xff\xe0" + bytes(50_000), b"GIF89a" + os.urandom(50_000)])
async def test_what_is_dangerous_or_no_picture_is_tried_once_and_shown_as_it_is(
    blobs: Blobs, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = blobs.put(data)

    assert await Thumbnails().of(blobs, name) is None
    monkeypatch.setattr(thumbnails, "_make", None)  # a second try would fail
    assert await Thumbnails().of(blobs, name) is None


async def test_small_pictures_and_houses_without_the_extra_show_them_as_they_are(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await Thumbnails().of(blobs, blobs.put(b"tiny")) is None
    monkeypatch.setattr(thumbnails, "possible", lambda: False)
    assert await Thumbnails().of(blobs, blobs.put(photograph())) is None


async def test_with_the_picture_its_small_one_goes(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    name = blobs.put(photograph())
    made = await Thumbnails().of(blobs, name)
    assert made
    monkeypatch.setattr(blobs_module, "GRACE", -1)

    assert blobs.remove([name]) == [name]
    assert not made.exists()
    assert await Thumbnails().of(blobs, name) is None


async def test_who_hangs_up_leaves_no_half_picture_and_the_next_one_gets_it(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, begun = blobs.put(photograph()), asyncio.Event()
    original = thumbnails._work

    async def half(source: Path, part: Path) -> bool:
        part.write_bytes(b"half")
        begun.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(thumbnails, "_work", half)
    asked = asyncio.create_task(Thumbnails().of(blobs, name))
    await begun.wait()
    asked.cancel()
    await asyncio.wait([asked])
    assert [p.name for p in blobs.path(name).parent.iterdir()] == [blobs.path(name).name]

    monkeypatch.setattr(thumbnails, "_work", original)
    assert await Thumbnails().of(blobs, name)


@pytest.mark.parametrize("trouble", ["no process", "too slow", "disk full"])
async def test_when_the_machine_cannot_now_the_picture_is_shown_as_it_is_and_tried_again(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    name = blobs.put(photograph())

    async def refused(*_: object, **__: object) -> None:
        raise OSError(11, "no process to be had")

    def full(*_: object) -> None:
        raise OSError(28, "disk full")

    with monkeypatch.context() as patch:
        if trouble == "no process":
            patch.setattr(asyncio, "create_subprocess_exec", refused)
        elif trouble == "too slow":
            patch.setattr(thumbnails, "DEADLINE", 0.0)
        else:
            patch.setattr(thumbnails, "_keep", full)
        assert await Thumbnails().of(blobs, name) is None
    assert [p.name for p in blobs.path(name).parent.iterdir()] == [blobs.path(name).name]

    assert await Thumbnails().of(blobs, name)


def test_what_a_crash_left_is_tidied_up_once_it_is_old(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    name, lonely = blobs.put(b"a blob"), blobs.path("0" * 64)
    small, part = blobs.small(name), blobs.path(name).with_name(".0123")
    lonely.parent.mkdir(exist_ok=True)
    for path in (small, part, blobs.small("0" * 64)):
        path.touch()
    assert blobs.tidy() == 0
    monkeypatch.setattr(blobs_module, "GRACE", -1)

    assert blobs.tidy() == 2
    assert (blobs.path(name).exists(), small.exists(), part.exists()) == (True, True, False)
    assert not blobs.small("0" * 64).exists()
