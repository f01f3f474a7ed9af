"""The deployment files as `raytuner cluster template` writes them, for its tests."""

import re
from pathlib import Path

import yaml  # YAML 1.1, as Ray and kubectl read it
from click.testing import CliRunner

from cluster.templates import template_command

ROOT = Path(__file__).resolve().parents[2]
PINS = (ROOT / "constraints.txt").read_text()
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)$", PINS, re.MULTILINE))
FILES = {
    "aws": "aws.yaml",
    "gcp": "gcp.yaml",
    "kuberay-cluster": "kuberay-cluster.yaml",
    "kuberay-job": "kuberay-job.yaml",
    "dockerfile": "Dockerfile",
}
NEEDED = {"gcp": ["--project", "your-project"]}
MACHINES, PODS = ["aws", "gcp"], ["kuberay-cluster", "kuberay-job"]


def written(kind, *options):
    result = CliRunner().invoke(
        template_command, [kind, *NEEDED.get(kind, []), *options], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def launcher(kind, *options):
    return yaml.safe_load(written(kind, *options))


def manifests(kind, *options):
    return {d["kind"]: d for d in yaml.safe_load_all(written(kind, *options))}


def cluster_of(documents):
    if "RayJob" in documents:
        return documents["RayJob"]["spec"]["rayClusterSpec"]
    return documents["RayCluster"]["spec"]


def pods(documents):
    """The pods that the operator would make, as core/v1 Pods."""
    spec = cluster_of(documents)
    found = {
        "head": spec["headGroupSpec"]["template"],
        "worker": spec["workerGroupSpecs"][0]["template"],
    }
    if "RayJob" in documents:
        found["submitter"] = documents["RayJob"]["spec"]["submitterPodTemplate"]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **pod["metadata"]},
         "spec": pod["spec"]}
        for name, pod in found.items()
    ]  # fmt: skip
