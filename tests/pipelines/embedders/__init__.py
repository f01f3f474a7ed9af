"""Tests of the embedders, with a loopback server for the remote ones."""
