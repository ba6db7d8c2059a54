"""The main job end to end, told by a shell script that knows only the command line, curl and a mail client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import need

HERE = Path(__file__).parent


@pytest.mark.rest
@pytest.mark.timeout(180)
def test_the_story_is_true(dovecot: Any, corpora: Path) -> None:
    need("curl")
    env = {**os.environ, "IMAP_PORT": str(dovecot.port), "CORPORA": str(corpora), "PYTHON": sys.executable}
    run = subprocess.run(
        ["bash", str(HERE / "story.sh")], env=env, cwd=HERE.parent.parent, capture_output=True, text=True, timeout=170
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "story: all true" in run.stdout
