"""The command `hub`: hands the command line what only the composition root may know."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli import Failed, run

if TYPE_CHECKING:
    from config.app import Server
    from config.settings import Settings
    from hub.core import Hub


class Front:
    """What the commands need of config/, loaded when needed: `hub --help` must be quick."""

    def load_settings(self, path: Path | None) -> Settings:
        """Raises `Failed`."""
        from config.settings import SettingsError, load

        try:
            return load(path)
        except SettingsError as error:
            raise Failed(str(error)) from error

    def set_up_logs(self, settings: Settings) -> None:
        """Logs of a server go to standard error, as the settings say."""
        from config.logs import set_up

        set_up(settings.log_format, settings.log_level)

    def open_hub(self, settings: Settings) -> Hub:
        """Raises `Failed`."""
        from config.app import open_hub
        from config.settings import SettingsError

        try:
            return open_hub(settings)
        except SettingsError as error:
            raise Failed(str(error)) from error

    async def build(self, settings: Settings, migrate: bool, roles: Sequence[str]) -> Server:
        """A server ready to start. Raises `Failed`."""
        from config.app import build
        from config.settings import SettingsError

        try:
            return await build(settings, migrate=migrate, roles=roles)
        except SettingsError as error:
            raise Failed(str(error)) from error

    async def start(self, server: Server) -> None:
        """Open the doors. Raises `Failed`."""
        from config.settings import SettingsError

        try:
            await server.start()
        except SettingsError as error:
            await server.stop()
            raise Failed(str(error)) from error

    async def demo(self, settings: Settings, seed: int) -> None:
        """The sample house; ends when it is told to."""
        await importlib.import_module("config.demo").run(settings, seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    return run(sys.argv[1:] if argv is None else argv, Front())


if __name__ == "__main__":
    sys.exit(main())
