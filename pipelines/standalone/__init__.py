"""A pipeline as a Python module that builds the same LlamaIndex query engine without raytuner."""

from pipelines.standalone.writing import module_files

__all__ = ["module_files"]
