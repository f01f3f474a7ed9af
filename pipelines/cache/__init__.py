"""What was computed once and is needed again: stage artifacts and per-text vectors.

A cache is a convenience: a damaged entry is computed again, a full disk means working from
memory. Neither is ever an error for the user.
"""

from pipelines.cache.artifacts import Cache
from pipelines.cache.disk import Sidecar
from pipelines.cache.memory import Arrays
from pipelines.cache.prune import Usage
from pipelines.cache.vectors import VectorCache
from raytuner.cache_folder import default_cache_dir

__all__ = ["Arrays", "Cache", "Sidecar", "Usage", "VectorCache", "default_cache_dir"]
