"""Makes the objective of a run again, from what its journal says of the study."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raytuner.component import import_plugins
from raytuner.objective import Objective
from raytuner.study import Study


def recorded_objective(config: Mapping[str, Any], root: str) -> Objective:
    """Make the objective of a run again, from what its journal says of the study.

    The modules that it names may lie beside the study, wherever this process has been started.

    Args:
        config: the study.
        root: folder that its paths start from.

    Raises:
        ConfigError: its data or code is no longer there.
    """
    if root not in sys.path:
        sys.path.append(root)
    import_plugins(config.get("plugins") or [])
    return Study.parse(config).build_objective(Path(root))
