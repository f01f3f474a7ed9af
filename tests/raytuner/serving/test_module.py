"""`raytuner export --to module`: the files, and one sentence for what cannot be."""

from tests.raytuner.live_probes import ran

__all__ = ["ran"]


def test_the_chosen_trial_becomes_a_module(ran, tiny, raytuner):
    tiny.write(objective__pipeline__chunker={"kind": "sentence", "size": 64}, name="split")
    assert raytuner("run", "study.yaml").code == 0
    found = raytuner("export", "study.yaml", "--to", "module", "-o", "best.py", "--trial", "0")
    assert (found.code, found.out) == (0, "wrote best.py\n")
    source = (tiny.folder / "best.py").read_text()
    assert "# trial 0 of study split, as you asked; there is no verdict" in source
    assert "\nTOP_K = 1\n" in source
    assert str(tiny.folder) not in source
    again = raytuner("export", "study.yaml", "--to", "module", "-o", "best.py")
    assert (again.code, again.err) == (
        2, "error: best.py exists already; name another file or remove it first\n"
    )  # fmt: skip


def test_what_cannot_be_is_one_sentence(ran, raytuner):
    found = raytuner("export", "study.yaml", "--to", "module", "-o", "best.py")
    assert found.code == 2
    assert found.err.startswith("error: chunker: 'fixed' cannot be written as a module; a module")
    for name in ("best.txt", "my-best.py", "none/best.py"):
        assert raytuner("export", "study.yaml", "--to", "module", "-o", name).code == 2
    assert "-o best.py" in raytuner("export", "study.yaml", "--to", "module").err
