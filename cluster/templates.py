"""`raytuner cluster template`: write deployment files, filled in for one case.

Only prints or writes a file; starting things is left to `ray up`, `kubectl` and `docker`.
Guide: docs/deploy.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cluster.deployment import PYTHONS, dockerfile, kuberay, this_python
from cluster.machines import AUTH_FILE, Machines, aws, gcp
from raytuner.commands.flags import deliver
from raytuner.component import ConfigError

Check = Callable[[click.Context, click.Parameter, str | None], str | None]


def checked(pattern: str, wanted: str) -> Check:
    """Want text that may stand in YAML, in a shell command and in a resource's name as it is."""

    def check(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        del context, parameter
        if value is not None and not re.fullmatch(pattern, value):
            raise click.BadParameter(f"{value[:80]!r} is not {wanted}")
        return value

    return check


NAME = checked(
    r"(?!(y|n|yes|no|on|off|true|false|null)$)[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
    "a name of small letters, digits and hyphens, with a letter first (and no yes or no)",
)
IMAGE = checked(r"[\w][\w./:@-]{0,254}", "the name of a container image")
PLACE = checked(r"[a-z][a-z0-9-]{2,39}", "a region, zone or project such as us-west-2")
MACHINE = checked(r"[a-z][a-z0-9.-]{2,39}", "a machine type such as m5.xlarge")
AMI = checked(r"ami-[0-9a-f]{8,17}", "an AMI such as ami-0123456789abcdef0")
GROUP = checked(r"sg-[0-9a-f]{8,17}", "a security group such as sg-0123456789abcdef0")
PATH = checked(r"[\w~./@ +-]{1,255}", "a path")
COUNT = click.IntRange(0, 1000)

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def options(*chosen: Decorator) -> Decorator:
    """Apply several options, first one first in the help."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(chosen):
            command = option(command)
        return command

    return decorate


_output = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE."
)
_python = click.option(
    "--python",
    type=click.Choice(PYTHONS),
    default=this_python,
    help="Python of the cluster; default: as here.",
)
_gpus = click.option("--gpus", type=COUNT, default=0, help="NVIDIA GPUs of a worker.")
_common = options(
    click.option(
        "--name", callback=NAME, default="raytuner", show_default=True, help="Of the cluster."
    ),
    click.option("--image", callback=IMAGE, help="Your image with raytuner (template dockerfile)."),
    click.option(
        "--workers", type=click.IntRange(1, 1000), default=4, show_default=True, help="At most."
    ),
    click.option("--min-workers", type=COUNT, default=1, show_default=True, help="At least."),
    _gpus,
    _python,
    _output,
)
_machines = options(
    _common,
    click.option("--instance", callback=MACHINE, help="Machine type of the workers."),
    click.option("--spot/--on-demand", default=True, help="Spot workers cost less and may go."),
    click.option(
        "--wheel",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="raytuner's wheel, to install on Ray's image; default: the release.",
    ),
    click.option("--secrets", type=click.Path(path_type=Path), help="File of API keys, mode 600."),
    click.option(
        "--token", callback=PATH, default=AUTH_FILE, show_default=True, help="Token file here."
    ),
)


@click.group("template")
def template_command() -> None:
    """Write a filled-in file that starts a Ray cluster elsewhere."""


@template_command.command("aws")
@_machines
@click.option("--region", callback=PLACE, default="us-west-2", show_default=True)
@click.option("--ami", callback=AMI, help="Machine image; default: Ray's for the region.")
@click.option("--security-group", callback=GROUP, help="Your own; default: Ray makes one.")
def aws_command(
    output: Path | None,
    region: str,
    instance: str | None,
    ami: str | None,
    security_group: str | None,
    **given: Any,
) -> None:
    """Machines on AWS, for `ray up`."""
    text = aws(
        machines(given), region=region, instance=instance, ami=ami, security_group=security_group
    )
    deliver(text, output)


@template_command.command("gcp")
@_machines
@click.option("--project", callback=PLACE, required=True, help="Google Cloud project.")
@click.option("--zone", callback=PLACE, default="us-west1-a", show_default=True)
@click.option("--cpus", type=click.IntRange(1, 1000), help="Processors of --instance.")
def gcp_command(
    output: Path | None,
    project: str,
    zone: str,
    instance: str | None,
    cpus: int | None,
    **given: Any,
) -> None:
    """Machines on Google Cloud, for `ray up`."""
    text = gcp(machines(given), project=project, zone=zone, instance=instance, cpus=cpus)
    deliver(text, output)


_pods = options(
    _common,
    click.option(
        "--cpus", type=click.IntRange(1, 1000), default=4, show_default=True, help="Of a worker."
    ),
    click.option(
        "--memory",
        type=click.IntRange(2, 10_000),
        default=16,
        show_default=True,
        help="GiB of a worker.",
    ),
)


@template_command.command("kuberay-cluster")
@_pods
def kuberay_cluster_command(output: Path | None, **given: Any) -> None:
    """A RayCluster that stays, for `kubectl apply`."""
    check_range(given)
    deliver(kuberay("kuberay-cluster.yaml", **given), output)


@template_command.command("kuberay-job")
@_pods
def kuberay_job_command(output: Path | None, **given: Any) -> None:
    """A RayJob: one study with a cluster of its own, for `kubectl apply`."""
    check_range(given)
    deliver(kuberay("kuberay-job.yaml", **given), output)


@template_command.command("dockerfile")
@_gpus
@_python
@_output
def dockerfile_command(output: Path | None, gpus: int, python: str) -> None:
    """The image that all of them run; build it from a checkout."""
    deliver(dockerfile(gpu=gpus > 0, python=python), output)


def machines(given: dict[str, Any]) -> Machines:
    """Gather the options that AWS and Google Cloud share.

    Raises:
        ConfigError: options that contradict each other.
    """
    check_range(given)
    wheel: Path | None = given["wheel"]
    if wheel is not None and given["image"] is not None:
        raise ConfigError("--wheel: --image has raytuner in it already; give one of the two")
    if wheel is not None and not re.fullmatch(r"raytuner-[\w.+-]+\.whl", wheel.name):
        raise ConfigError(f"--wheel: {wheel.name!r} is no wheel of raytuner; make one: pip wheel .")
    return Machines(**given)


def check_range(given: dict[str, Any]) -> None:
    """Refuse fewer workers at most than at least."""
    if given["min_workers"] > given["workers"]:
        raise ConfigError(
            f"--min-workers: {given['min_workers']} is more than --workers, {given['workers']}"
        )
