"""Secrets at rest and signatures of our own, with keys that can be replaced.

The key file holds one key per line, the newest first. Encryption uses the newest; decryption and checks accept all, so that a
rotation (`hub key rotate`) breaks neither stored secrets nor links and reply addresses that are already out in the world.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretBox:
    """Encrypts provider secrets (AES-128-CBC + HMAC, Fernet) and signs short texts."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("there is no secret key")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._signing = [hashlib.sha256(b"hub signing\0" + key).digest() for key in keys]

    def encrypt(self, text: str) -> bytes:
        """Encrypt with the newest key."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """Raises ValueError when no key fits: the key file is not the one this database was made with."""
        try:
            return self._fernet.decrypt(data).decode()
        except InvalidToken as error:
            raise ValueError(
                "a stored secret cannot be decrypted: the secret key is not the one it was kept with"
            ) from error

    def rotate(self, data: bytes) -> bytes:
        """The same secret, encrypted with the newest key."""
        return self._fernet.rotate(data)

    def sign(self, text: str) -> str:
        """16 characters of base32 (80 bits), lower case: fits a mail address and survives changes of case."""
        return _mac(self._signing[0], text)

    def verify(self, text: str, mac: str) -> bool:
        """Was this signed with any of the keys? In constant time."""
        mac = mac.lower()
        return any(
            hmac.compare_digest(_mac(key, text).encode(), mac.encode("utf-8", "replace")) for key in self._signing
        )


def _mac(key: bytes, text: str) -> str:
    return base64.b32encode(hmac.digest(key, text.encode(), "sha256")[:10]).decode().lower()


def load_keys(path: Path, *, create: bool = True) -> list[bytes]:
    """The keys in the file; a new file (mode 0600) with a new key when there is none. Raises ValueError, OSError."""
    if not path.exists():
        if not create:
            raise ValueError(f"{path} does not exist")
        _first_key(path)
    keys = [
        line.strip().encode() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")
    ]
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            raise ValueError(f"{path} holds a line that is no key; restore the file from your backup") from error
    return keys


def _first_key(path: Path) -> None:
    """Make the file unless another process is faster: whoever links first has made the key everybody reads."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    write_keys(part, [Fernet.generate_key()])
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def write_keys(path: Path, keys: Sequence[bytes]) -> None:
    """Replace the file at once, readable by its owner alone, durable before it counts."""
    part = path.with_name(path.name + ".new")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(b"\n".join(keys) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
