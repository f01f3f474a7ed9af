"""Tests of pipelines.golden; a package, since other folders have tests of the same name."""
