"""The parts of a sweep: what to try next, how far every trial goes, who meets in the finals."""
