"""Makes the study of a run again, and its objective, from what the journal says."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.component import import_plugins
from raytuner.journal import read
from raytuner.objective import Objective
from raytuner.study import Study


class Recorded(NamedTuple):
    """A study as a journal has it.

    The modules that it names may lie beside it, wherever this process has been started.

    Attributes:
        config: the study.
        root: folder that its paths start from.
    """

    config: Mapping[str, Any]
    root: str

    def study(self) -> Study:
        """Make the study.

        Raises:
            ConfigError: its code is no longer there.
        """
        if self.root not in sys.path:
            sys.path.append(self.root)
        import_plugins(self.config.get("plugins") or [])
        return Study.parse(self.config)

    def objective(self) -> Objective:
        """Make the objective.

        Raises:
            ConfigError: its data or code is no longer there.
        """
        return self.study().build_objective(Path(self.root))


def recorded(folder: Path | None) -> Recorded | None:
    """Read which study a run is of, as its latest session had it.

    Args:
        folder: of the run; None: it is in memory.

    Returns:
        None where its objective is a Python object, which no journal can hold, or there is no run.

    Raises:
        JournalError: the journal cannot be read.
    """
    events = [] if folder is None else read(folder / "journal.jsonl")[0]
    opened = next((event for event in reversed(events) if event["event"] == "opened"), {})
    config, root = opened.get("config"), opened.get("root")
    return Recorded(config, root) if config and config.get("objective") and root else None
