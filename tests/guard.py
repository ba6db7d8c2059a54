"""What the tests watch while they run: nothing leaves the machine, and nothing holds up the event loop."""

import asyncio
import ipaddress
import os
import socket
import time
from typing import Any

#: A step of the event loop that takes longer (seconds) holds up everybody else and fails the test. Waiting for a processor
#: is not counted: on a busy machine that is nobody's fault.
BLOCKING = float(os.environ.get("HUB_TEST_BLOCKING", "1.5"))


class Outside(OSError):
    """A test tried to reach something that is not on this machine's loopback."""


class Guard:
    """Patches sockets, name look-ups and the loop's steps for this process; remembers what must not have happened."""

    def __init__(self) -> None:
        self.outside: list[str] = []
        self.slow: list[str] = []

    def install(self) -> None:
        """From now on. Code of C libraries (uvloop, browsers) is not seen."""
        self._sockets()
        self._names()
        self._steps()

    def forget(self) -> None:
        """Another test begins."""
        self.outside.clear()
        self.slow.clear()

    def complaint(self, may_block: bool = False) -> str:
        """One line per thing that must not have happened; empty when all is well."""
        said = [f"left the machine: {what}" for what in self.outside]
        if not may_block:
            said += [f"held up the event loop: {what}" for what in self.slow]
        return "\n".join(said)

    def _sockets(self) -> None:
        connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto

        def checked_connect(sock: socket.socket, address: Any) -> None:
            self._allow(sock, address)
            connect(sock, address)

        def checked_connect_ex(sock: socket.socket, address: Any) -> int:
            self._allow(sock, address)
            return connect_ex(sock, address)

        def checked_sendto(sock: socket.socket, data: Any, *rest: Any) -> int:
            self._allow(sock, rest[-1])
            return sendto(sock, data, *rest)

        for name, function in (
            ("connect", checked_connect),
            ("connect_ex", checked_connect_ex),
            ("sendto", checked_sendto),
        ):
            setattr(socket.socket, name, function)

    def _allow(self, sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            self.outside.append(f"connect to {address[0]}:{address[1]}")
            raise Outside(f"tests may only reach the loopback, not {address[0]}")

    def _names(self) -> None:
        import aiohttp.connector
        from aiohttp.resolver import ThreadedResolver

        look_up = socket.getaddrinfo

        def checked(host: Any, *rest: Any, **more: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name and name != "localhost" and not name.endswith(".localhost") and not _is_address(name):
                self.outside.append(f"look-up of {name}")
                raise Outside(f"tests may only look up localhost, not {name}")
            return look_up(host, *rest, **more)

        socket.getaddrinfo = checked
        # aiodns asks the name servers from C, past the check above.
        vars(aiohttp.connector)["DefaultResolver"] = ThreadedResolver

    def _steps(self) -> None:
        run = asyncio.Handle._run
        clock = time.perf_counter
        looked, queued = clock(), _queued()

        def timed(handle: asyncio.Handle) -> None:
            nonlocal looked, queued
            started = clock()
            if started - looked > 0.1:
                looked, queued = started, _queued()
            run(handle)
            took = clock() - started
            if took > BLOCKING and (took := took - (_queued() - queued)) > BLOCKING:
                self.slow.append(f"{took:.1f} s in {handle!r}")

        handle_class: Any = asyncio.Handle
        handle_class._run = timed


def _queued() -> float:
    """Seconds in which this thread wanted to run and others had the processors; 0 where the system does not tell."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as told:
            return int(told.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name.partition("%")[0]).is_loopback)
