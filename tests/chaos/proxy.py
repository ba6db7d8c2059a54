"""A TCP proxy with switchable faults: silence, refusal, resets."""

import asyncio
import contextlib
import socket
import struct
from typing import Literal


class ChaosProxy:
    """Stands between the hub and a server. ``mode`` may change at any time.

    ``ok``: passes on; ``silence``: keeps connections and passes nothing on; ``refuse``: new connections are reset.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.mode: Literal["ok", "silence", "refuse"] = "ok"
        self.accepted = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._speak = asyncio.Event()
        self._speak.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on the loopback."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> None:
        """From now on nothing passes, in either direction; connections stay."""
        self.mode = "silence"
        self._speak.clear()

    def speak(self) -> None:
        """All is well again."""
        self.mode = "ok"
        self._speak.set()

    def refuse(self) -> None:
        """From now on new connections are reset."""
        self.mode = "refuse"

    def reset(self) -> None:
        """Reset (RST) every connection there is."""
        for writer in list(self._open):
            peer = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._open.clear()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):  # asyncio.streams would only complain aloud
            await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.mode == "refuse":
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._speak.wait()
                target.write(data)
                await target.drain()
        with contextlib.suppress(OSError):
            target.close()
