"""The command line. Commands are async functions found by name, so that only what a command needs is loaded."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from hub.cli.parser import make_parser


class Failed(Exception):
    """It cannot be done; one sentence says why and what to do. Exit code 1."""


def run(argv: Sequence[str], front: Any) -> int:
    """Run the command in ``argv`` with the help of ``front`` (see hub/__main__.py); the exit code."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if not getattr(args, "run", ""):
        (getattr(args, "group", None) or parser).print_help(sys.stderr)
        return 2
    module, _, name = args.run.partition(":")
    command = getattr(importlib.import_module(f"hub.cli.{module}"), name)
    try:
        return _finish(command, front, args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our list has gone: nobody to complain to
        return 1


def _finish(command: Any, front: Any, args: argparse.Namespace) -> int:
    serving = args.run.startswith("serving:")
    if serving:
        gc.disable()  # what is loaded now stays: to look through it again and again costs a tenth of the start
    from hub.cli.house import in_words, is_expected

    try:
        loop = _loop_factory() if serving else None
        with asyncio.Runner(loop_factory=loop) as runner:
            code = runner.run(command(front, args))
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        raise
    except Exception as error:
        if not isinstance(error, Failed) and not is_expected(error):
            raise
        sys.stderr.write(f"hub: {in_words(error)}\n")
        return 1


def _loop_factory() -> Any:
    """uvloop where it is installed."""
    try:
        return importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return None
