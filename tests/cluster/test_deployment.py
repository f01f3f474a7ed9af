import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.templates import template_command
from tests.cluster.filled import PODS, cluster_of, manifests, pods


@pytest.mark.parametrize("kind", PODS)
def test_pods_take_secrets_by_reference(kind):
    documents = manifests(kind)
    assert "Secret" not in documents
    for pod in pods(documents):
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                assert not re.search("KEY|TOKEN|PASSWORD", variable["name"])
    for pod in pods(documents)[:2]:
        (volume,) = [v for v in pod["spec"]["volumes"] if v["name"] == "secrets"]
        assert volume["secret"] == {"secretName": "raytuner-secrets", "defaultMode": 0o440}
        environment = {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"]}
        assert environment["RAYTUNER_SECRETS_FILE"] == "/etc/raytuner/secrets.env"


# ---- fields


def complaints(value, kind, path):
    """Compare with the models of the Kubernetes client: unknown fields and wrong shapes."""
    from kubernetes.client import models

    if kind.startswith("list["):
        if not isinstance(value, list):
            return [f"{path}: no list"]
        inner = kind.removeprefix("list[").removesuffix("]")
        return [c for i, v in enumerate(value) for c in complaints(v, inner, f"{path}[{i}]")]
    if kind.startswith("dict["):
        return [] if isinstance(value, dict) else [f"{path}: no mapping"]
    model = getattr(models, kind, None)
    if model is None:
        types = {"str": str, "int": int, "bool": bool, "object": object, "datetime": str}
        return [] if isinstance(value, types[kind]) else [f"{path}: {value!r} is no {kind}"]
    fields = {name: field for field, name in model.attribute_map.items()}
    found = [f"{path}.{name}: no such field" for name in value if name not in fields]
    for name, inner in value.items():
        if name in fields:
            found += complaints(inner, model.openapi_types[fields[name]], f"{path}.{name}")
    return found


MODELS = {
    "NetworkPolicy": "V1NetworkPolicy",
    "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "ConfigMap": "V1ConfigMap",
    "Pod": "V1Pod",
}


@pytest.mark.parametrize("kind", PODS)
@pytest.mark.parametrize("options", [[], ["--gpus", "2", "--image", "registry:5000/a/b@sha256:0"]])
def test_every_field_is_one_of_kubernetes(kind, options):
    documents = manifests(kind, *options)
    plain = [d for d in documents.values() if d["kind"] in MODELS] + pods(documents)
    assert len(plain) >= 4
    for document in plain:
        assert complaints(document, MODELS[document["kind"]], document["kind"]) == []


def test_the_check_of_fields_finds_slips():
    pod = {"spec": {"containers": [{"name": "x", "image": "y", "prots": []}], "volumes": 3}}
    assert complaints(pod, "V1Pod", "pod") == [
        "pod.spec.containers[0].prots: no such field",
        "pod.spec.volumes: no list",
    ]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("kind", PODS)
def test_kubectl_understands_every_field_of_the_pods(kind):
    """`set env --local` reads a pod into kubectl's own types and asks no server."""
    for pod in pods(manifests(kind, "--gpus", "1")):
        ran = subprocess.run(
            ["kubectl", "set", "env", "--local", "-f", "-", "-o", "json", "CHECKED=yes"],
            input=json.dumps(pod), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert lost(pod, json.loads(ran.stdout)) == []


def lost(given, kept, path=""):
    if isinstance(given, dict):
        gone = [f"{path}.{name}" for name in given if name not in kept and given[name]]
        both = [name for name in given if name in kept]
        return gone + [c for n in both for c in lost(given[n], kept[n], f"{path}.{n}")]
    if isinstance(given, list):
        return [c for a, b in zip(given, kept, strict=False) for c in lost(a, b, path)]
    return []


# Fields of ray.io/v1, from KubeRay's API reference (v1.5 and newer), as far as the files use them.
CLUSTER_FIELDS = {
    "rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec",
    "workerGroupSpecs",
}  # fmt: skip
AUTOSCALER_FIELDS = {
    "version", "upscalingMode", "idleTimeoutSeconds", "resources", "securityContext",
}  # fmt: skip
GROUP_FIELDS = {
    "groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template",
}  # fmt: skip
JOB_FIELDS = {
    "submissionMode", "entrypoint", "backoffLimit", "submitterConfig", "activeDeadlineSeconds",
    "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "submitterPodTemplate",
    "rayClusterSpec",
}  # fmt: skip


@pytest.mark.parametrize("kind", PODS)
def test_ray_resources_have_known_fields_only(kind):
    documents = manifests(kind)
    spec = cluster_of(documents)
    assert set(spec) <= CLUSTER_FIELDS
    assert set(spec["autoscalerOptions"]) <= AUTOSCALER_FIELDS
    assert set(spec["headGroupSpec"]) <= {"serviceType", "rayStartParams", "template"}
    (group,) = spec["workerGroupSpecs"]
    assert set(group) <= GROUP_FIELDS
    for params in (spec["headGroupSpec"]["rayStartParams"], group["rayStartParams"]):
        assert all(isinstance(value, str) for value in params.values())
    if kind == "kuberay-job":
        assert documents["RayJob"]["apiVersion"] == "ray.io/v1"
        assert set(documents["RayJob"]["spec"]) <= JOB_FIELDS


@pytest.mark.parametrize("kind", PODS)
def test_nobody_else_reaches_the_pods(kind):
    documents = manifests(kind)
    spec = cluster_of(documents)
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    policy = documents["NetworkPolicy"]["spec"]
    for pod in pods(documents):
        assert pod["metadata"]["labels"].items() >= policy["podSelector"]["matchLabels"].items()
    host = spec["headGroupSpec"]["rayStartParams"]["dashboard-host"]
    if kind == "kuberay-cluster":
        assert host == "127.0.0.1"
        assert len(policy["ingress"]) == 1
    else:  # the operator has to ask the job server
        assert host == "0.0.0.0"  # inside the pod network, behind the policy
        others = policy["ingress"][1]
        assert [port["port"] for port in others["ports"]] == [8265]


@pytest.mark.parametrize("kind", PODS)
def test_pods_run_unprivileged_within_limits(kind):
    for pod in pods(manifests(kind)):
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            for amounts in ("requests", "limits"):
                assert set(container["resources"][amounts]) >= {"cpu", "memory"}


def test_sizes_and_gpus_reach_the_workers():
    spec = cluster_of(manifests(
        "kuberay-cluster", "--workers", "7", "--min-workers", "2", "--cpus", "12",
        "--memory", "40", "--gpus", "2",
    ))  # fmt: skip
    (group,) = spec["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (2, 2, 7)
    container = group["template"]["spec"]["containers"][0]
    wanted = {"cpu": "12", "memory": "40Gi", "nvidia.com/gpu": 2}
    assert container["resources"] == {"requests": wanted, "limits": wanted}
    assert container["image"].endswith("-gpu")
    assert group["template"]["spec"]["tolerations"][0]["key"] == "nvidia.com/gpu"


@pytest.mark.slow
@given(name=st.from_regex(r"[a-z][-a-z0-9]{0,12}[a-z0-9]", fullmatch=True))
@settings(max_examples=25, deadline=None)
def test_names_are_put_everywhere(name):
    result = CliRunner().invoke(template_command, ["kuberay-job", "--name", name])
    if result.exit_code:
        assert isinstance(yaml.safe_load(name), bool | None)
        return
    documents = list(yaml.safe_load_all(result.stdout))
    names = {d["kind"]: d["metadata"]["name"] for d in documents}
    assert names["RayJob"] == names["NetworkPolicy"] == name
    assert names["PersistentVolumeClaim"] == f"{name}-runs"
    assert names["ConfigMap"] == f"{name}-script"
    assert not [text for text in texts(documents) if re.match(r"raytuner(-\w+)?$", text)]
    assert f"secret generic {name}-secrets" in result.stdout  # the comments follow


def texts(value):
    """Every text in a document, names of fields left out."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


# ---- the script of the job


@pytest.fixture
def script(tmp_path):
    """Run run.sh with a stand-in for raytuner that leaves a trace and exits as told."""
    path = tmp_path / "run.sh"
    path.write_text(manifests("kuberay-job")["ConfigMap"]["data"]["run.sh"])
    study, tools, runs = (tmp_path / name for name in ("study", "tools", "runs"))
    for folder in (study, tools, tmp_path / "content/docs"):
        folder.mkdir(parents=True)
    program = tools / "raytuner"
    program.write_text('#!/bin/sh\necho "$PWD $*" >> "$TRACE"\nexit "$CODE"\n')
    program.chmod(0o755)

    def run(code):
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}", "CODE": str(code), "STUDY": str(study),
            "RAYTUNER_RUNS": str(runs), "TRACE": str(tmp_path / "trace"),
        }  # fmt: skip
        return subprocess.run(
            ["bash", str(path)], env=environment, capture_output=True, text=True, check=False
        )

    return tmp_path, run


def pack(folder, journal, at):
    content = folder / "content"
    (content / "study.yaml").write_text("name: x")
    (content / "journal.jsonl").write_text(journal)
    os.utime(content / "journal.jsonl", (at, at))
    with tarfile.open(folder / "study/study.tar.gz", "w:gz") as archive:
        archive.add(content, ".")


def test_the_script_runs_the_study_on_ray_and_passes_failures_on(script):
    folder, run = script
    pack(folder, "old", 1_000_000_000)
    assert [run(code).returncode for code in (0, 1, 2, 3, 4, 130)] == [0, 1, 2, 0, 0, 130]
    trace = (folder / "trace").read_text().splitlines()
    assert set(trace) == {f"{folder}/runs/study run study.yaml --backend ray"}


def test_another_attempt_keeps_what_the_first_one_wrote(script):
    folder, run = script
    pack(folder, "as it was packed", 1_000_000_000)
    assert run(1).returncode == 1
    (folder / "runs/study/journal.jsonl").write_text("three trials later")
    assert run(0).returncode == 0
    assert (folder / "runs/study/journal.jsonl").read_text() == "three trials later"
