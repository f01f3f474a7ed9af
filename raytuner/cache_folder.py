"""Where things lie that are too dear to make twice."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache_dir() -> Path:
    """Give the directory named by RAYTUNER_CACHE, or `~/.cache/raytuner`."""
    named = os.environ.get("RAYTUNER_CACHE")
    return Path(named or "~/.cache/raytuner").expanduser()
