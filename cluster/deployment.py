"""What every deployment file shares: versions, reading a template, editing it; and Kubernetes.

The files in `templates/` are complete and valid as they are. Filling one in sets what differs
from case to case and the versions that are installed here, and keeps its comments. No secret is
ever written into a file: tokens and keys are named by path or by the name of a Secret.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

PYTHONS = ("3.11", "3.12", "3.13")


@dataclass(frozen=True)
class Release:
    """The versions that a cluster has to share with whoever submits to it."""

    ray: str
    raytuner: str
    python: str

    def ray_image(self, *, gpu: bool) -> str:
        """Name Ray's own image; Source: docker/ray/README.md of the Ray repository."""
        return f"rayproject/ray:{self.ray}-{self._python}{'-gpu' if gpu else ''}"

    def own_image(self, *, gpu: bool) -> str:
        """Name the image that `templates/Dockerfile` makes."""
        return f"raytuner:{self.raytuner}-ray{self.ray}-{self._python}{'-gpu' if gpu else ''}"

    @property
    def _python(self) -> str:
        return "py" + self.python.replace(".", "")


def installed(python: str) -> Release:
    """Read the versions of this environment, without importing Ray."""
    version = importlib.metadata.version
    return Release(version("ray"), version("raytuner"), python)


def template(name: str) -> str:
    """Read one file of `templates/`."""
    folder = importlib.resources.files("cluster") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def edited(text: str, edit: Callable[[list[Any]], None]) -> str:
    """Change the documents of a YAML file; comments and layout stay."""
    yaml = YAML()
    yaml.width = 100
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    documents = list(yaml.load_all(text))
    edit(documents)
    out = io.StringIO()
    yaml.dump_all(documents, out)
    return out.getvalue()


# ---- Kubernetes


def kuberay(
    file: str,
    *,
    name: str,
    image: str | None,
    workers: int,
    min_workers: int,
    cpus: int,
    memory: int,
    gpus: int,
    python: str,
) -> str:
    """Fill in `kuberay-cluster.yaml` or `kuberay-job.yaml`."""
    release = installed(python)

    def edit(documents: list[Any]) -> None:
        spec = documents[-1]["spec"]
        cluster = spec.get("rayClusterSpec", spec)
        cluster["rayVersion"] = release.ray
        (group,) = cluster["workerGroupSpecs"]
        group["replicas"] = group["minReplicas"] = min_workers
        group["maxReplicas"] = workers
        pods = [cluster["headGroupSpec"]["template"]["spec"], group["template"]["spec"]]
        if "submitterPodTemplate" in spec:
            pods.append(spec["submitterPodTemplate"]["spec"])
        for pod in pods:
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                container["image"] = image or release.own_image(gpu=gpus > 0)
        resources = group["template"]["spec"]["containers"][0]["resources"]
        for amounts in resources.values():
            amounts["cpu"], amounts["memory"] = str(cpus), f"{memory}Gi"
            if gpus:
                amounts["nvidia.com/gpu"] = gpus
        if gpus:
            taint = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
            group["template"]["spec"]["tolerations"] = [taint]

    return edited(renamed(template(file), name), edit)


def renamed(text: str, name: str) -> str:
    """Put the name of the cluster where the template says `raytuner`, in its comments too."""
    text = re.sub(r"\braytuner-(secrets|env|study|script|runs|head-svc)\b", rf"{name}-\1", text)
    own = r"(name: |cluster: |job-name=)raytuner(?=[\s}])"
    return re.sub(own, rf"\g<1>{name}", text)


# ---- the image


def dockerfile(*, gpu: bool, python: str) -> str:
    """Fill in the Dockerfile."""
    release = installed(python)
    values = {"RAY_VERSION": release.ray, "PYTHON": "py" + python.replace(".", "")}
    if gpu:
        values |= {"PLATFORM": "-gpu", "EXTRAS": "gpu"}
    text = template("Dockerfile")
    for argument, value in values.items():
        text = re.sub(rf"^ARG {argument}=.*$", f"ARG {argument}={value}", text, flags=re.MULTILINE)
    tag = release.own_image(gpu=gpu)
    return re.sub(r"raytuner:\S+-ray\S+-py\d+", tag, text)


def this_python() -> str:
    """Give the version of this interpreter as `3.12`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
