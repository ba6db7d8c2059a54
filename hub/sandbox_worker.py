"""The killable process in which heavy mails and files are read: ``python -P -m hub.sandbox_worker``.

It takes questions on stdin and gives answers on stdout, each a length (4 bytes, big endian) and MessagePack; no pickle.
Memory is limited for the whole process, processor time anew for every question. It ends when stdin closes.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import struct
from typing import BinaryIO, Literal

import msgspec
from msgspec import Struct

from hub.adapter import load
from hub.messages import Envelope, Reading, Unreadable

#: Bytes of address space; a 60 MB mail needs about 250 MB.
MEMORY = 768 * 1024 * 1024
#: Bytes one frame may have.
MAX_FRAME = 512 * 1024 * 1024


class Question(Struct, frozen=True):
    """What does this say? ``seconds`` of processor time are allowed for the answer."""

    kind: str
    seconds: float
    envelope: Envelope


class Answer(Struct, frozen=True):
    """A reading, or in words why there is none. ``trouble`` is the kind of reason; after "memory" the worker ends."""

    reading: Reading | None = None
    reason: str = ""
    trouble: Literal["", "unreadable", "error", "memory"] = ""


def answer(question: Question) -> Answer:
    """Read one envelope. Raises nothing: whatever goes wrong with a stranger's bytes is an answer."""
    try:
        return Answer(reading=load(question.kind).read(question.envelope))
    except Unreadable as no:
        return Answer(reason=str(no), trouble="unreadable")
    except MemoryError:
        return Answer(reason="it needs too much memory", trouble="memory")
    except Exception as error:
        return Answer(reason=f"it confuses the program: {type(error).__name__}", trouble="error")


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the questions end."""
    decoder = msgspec.msgpack.Decoder(Question)
    encoder = msgspec.msgpack.Encoder()
    while (length := questions.read(4)) and len(length) == 4:
        (size,) = struct.unpack(">I", length)
        if size > MAX_FRAME:
            return
        try:
            question = decoder.decode(questions.read(size))
            _allow(question.seconds)
            said = answer(question)
            frame = encoder.encode(said)
        except MemoryError:
            said = Answer(reason="it needs too much memory", trouble="memory")
            frame = encoder.encode(said)
        except UnicodeEncodeError:  # half a character: the adapter has not cleaned its text
            said = Answer(reason="it holds text that is none", trouble="error")
            frame = encoder.encode(said)
        answers.write(struct.pack(">I", len(frame)))
        answers.write(frame)
        answers.flush()
        if said.trouble == "memory":
            return


def _allow(seconds: float) -> None:
    """Move the end of our processor time forward; the kernel kills us when it is reached."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _confine() -> None:
    """Give up what reading does not need: memory without end, core files, writing files, being interrupted."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the hub, which then closes our stdin


def main() -> None:
    """Serve on stdin and stdout until stdin closes, with as little as possible at hand."""
    _confine()
    questions = os.fdopen(os.dup(0), "rb", buffering=262_144)
    answers = os.fdopen(os.dup(1), "wb", buffering=262_144)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # whatever prints does not speak our language
    with contextlib.suppress(BrokenPipeError):
        serve(questions, answers)
    os._exit(0)  # without tidying up: nothing of ours outlives us


if __name__ == "__main__":
    main()
