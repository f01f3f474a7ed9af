"""Starts Ray clusters and submits jobs; sees only the public face of `raytuner`."""
