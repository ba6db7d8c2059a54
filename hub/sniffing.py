"""What a file is by its own first bytes; what its sender calls it decides nothing."""

from __future__ import annotations

#: Bytes that are looked at.
ENOUGH = 32

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
    (b"#!AMR", "audio/amr"),
)


def kind_of(beginning: bytes) -> str:
    """The type of a picture, PDF or sound that browsers can show harmlessly; "" for everything else."""
    for signature, kind in _BEGINNINGS:
        if beginning.startswith(signature):
            return kind
    if beginning[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(beginning[8:12], "")
    if beginning[4:8] == b"ftyp" and beginning[8:11] in (b"M4A", b"mp4", b"iso", b"3gp"):
        return "audio/mp4"
    return ""
