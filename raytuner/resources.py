"""What one trial may use of a machine, and where the machines are."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Resources(BaseModel):
    """What one trial occupies while it runs. Fractions share: `gpu: 0.25` puts four on a GPU."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    cpu: float = Field(default=1.0, ge=0, description="processor cores; 0.5: two trials a core")
    gpu: float = Field(default=0.0, ge=0, description="GPUs; 0.25: four trials a GPU")
    memory: int | None = Field(default=None, ge=1, description="bytes of memory to reserve")
    custom: dict[str, float] = Field(
        default_factory=dict, description="resources that nodes were started with, by name"
    )
