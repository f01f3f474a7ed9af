"""The parts of a report, each a function from `Report` to markup; empty where it has nothing."""
