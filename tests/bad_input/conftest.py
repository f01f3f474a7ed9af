"""What every refusal has in common."""

import pytest


def files(tiny):
    """Every file but the lock, in which a driver writes its name before it reads the journal."""
    return {path: data for path, data in tiny.files().items() if path.name != "journal.lock"}


@pytest.fixture
def refused(tiny, raytuner):
    """Run a command that must be refused: one sentence, code 2, nothing made, nothing changed."""

    def call(*arguments):
        before = files(tiny)
        outcome = raytuner(*(arguments or ("run",)))
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1
        assert outcome.err.endswith("\n")
        assert "Traceback" not in outcome.err
        assert files(tiny) == before
        return outcome.err

    return call
