"""The objective-function layer: RAG pipelines built from a configuration, scored on a golden set."""
