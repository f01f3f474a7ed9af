"""What an objective can say of its golden questions, whatever the pipeline does with them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from pipelines.explaining import contents, groups, strata
from pipelines.workspace import Workspace
from raytuner.objective import Objective


class GoldenObjective(Objective):
    """An objective whose units are the questions of a golden set."""

    @property
    @abstractmethod
    def workspace(self) -> Workspace:
        """Documents and questions."""

    def groups(self) -> Mapping[str, str]:
        """Name the group or the source document of every question that has one."""
        return groups(self.workspace)

    def strata(self) -> Mapping[str, str]:
        """Name the tags of every question."""
        return strata(self.workspace)

    def contents(self) -> Mapping[str, str]:
        """Digest text, reference answer and evidence of every question."""
        return contents(self.workspace)
