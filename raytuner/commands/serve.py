"""The command `raytuner serve`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raytuner.commands.flags import open_results, study_argument
from raytuner.component import ConfigError, require

if TYPE_CHECKING:
    from raytuner.answering import Answerer
    from raytuner.objective import Objective
    from raytuner.serving.app import Asking
    from raytuner.serving.choice import Choice

_SHORTEST_TOKEN = 16
_REPLICAS = 2


@click.command()
@study_argument
@click.option(
    "--trial", type=int, help="Number of the trial; default: what the verdict recommends."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port; 0: any that is free.",
)
@click.option(
    "--backend",
    type=click.Choice(["plain", "ray"]),
    default="plain",
    show_default=True,
    help="Answer in this process, or in replicas under Ray Serve.",
)
@click.option(
    "--replicas", type=click.IntRange(1, 1024), help="Processes that answer; with ray. Default: 2."
)
@click.option("--address", help="Ray cluster: local, auto, host:port; with ray.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="Questions at work at the same time, at most; with ray: in a replica.",
)
@click.option(
    "--queue",
    type=click.IntRange(0, 100_000),
    default=128,
    show_default=True,
    help="Questions that wait, at most; one more is refused with 503.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.01, 3600),
    default=60.0,
    show_default=True,
    help="Seconds from a question to its answer; 504 beyond.",
)
@click.option(
    "--max-body",
    type=click.IntRange(64, 2**30),
    default=262_144,
    show_default=True,
    help="Bytes of a request, at most; 413 beyond.",
)
@click.option("--token-env", help="Environment variable with a token that clients must show.")
def serve(
    study: Path,
    trial: int | None,
    *,
    host: str,
    port: int,
    backend: str,
    replicas: int | None,
    address: str | None,
    concurrency: int,
    queue: int,
    timeout: float,
    max_body: int,
    token_env: str | None,
) -> None:
    """Answer questions over HTTP with the configuration that the verdict of STUDY recommends.

    STUDY is a study file or a run folder. POST /query, POST /v1/chat/completions (OpenAI's
    protocol), GET /config, GET /healthz. Ctrl-C or SIGTERM ends it when what is under way is done.
    """
    for package in ("starlette", "uvicorn"):
        require(package, extra="serve")
    from raytuner.serving.app import Service
    from raytuner.serving.choice import choose, public
    from raytuner.serving.server import WebServer, bound, is_loopback

    for option, given in (("--address", address), ("--replicas", replicas)):
        if given is not None and backend != "ray":
            raise click.UsageError(f"{option} goes with --backend ray")
    count = (replicas or _REPLICAS) if backend == "ray" else 1
    if timeout != timeout:  # noqa: PLR0124 - click lets NaN pass
        raise ConfigError("--timeout nan: give seconds, e.g. 60")
    token = _token(token_env)
    local = is_loopback(host)
    if token is None and not local:
        raise ConfigError(
            f"--host {host}: whoever reaches this machine could ask at your expense; name an "
            "environment variable that holds a token with --token-env"
        )
    choice = choose(open_results(study), trial)
    objective = choice.recipe.objective()
    answerer = choice.recipe.answerer(objective)
    listening = bound(host, port)
    shown = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    click.echo(f"serving {choice.said}")
    if (changed := choice.changed(objective)) is not None:
        click.echo(f"warning: {changed}", err=True)
    click.echo(f"loading; {shown}/healthz tells when it is done")
    sys.stdout.flush()

    def ready() -> None:
        click.echo(f"ready: {shown}; Ctrl-C ends it")
        sys.stdout.flush()

    with _desk(backend, choice, objective, answerer, count, concurrency, queue, address) as desk:
        service = Service(
            desk=desk,
            model=choice.name,
            about=public(choice.about, answerer.about()),
            timeout=timeout,
            max_body=max_body,
            token=token,
            names=frozenset({"127.0.0.1", "localhost", "::1", host}) if token is None else None,
        )
        queries = count * concurrency + queue
        WebServer(service, listening, queries=queries, ready=ready).run()


@contextlib.contextmanager
def _desk(
    backend: str,
    choice: Choice,
    objective: Objective,
    answerer: Answerer,
    replicas: int,
    concurrency: int,
    queue: int,
    address: str | None,
) -> Iterator[Asking]:
    """Open the desk that a backend means."""
    if backend == "plain":
        from raytuner.desk import Desk

        yield Desk(answerer, concurrency=concurrency, waiting=queue)
        return
    from raytuner.backends.ray_serve import replicated

    with replicated(
        objective,
        choice.recipe.params,
        replicas=replicas,
        concurrency=concurrency,
        waiting=queue,
        address=address,
        plugins=choice.recipe.source.config.get("plugins") or (),
        folder=choice.folder,
    ) as desk:
        yield desk


def _token(variable: str | None) -> str | None:
    """Read the token.

    Raises:
        ConfigError: there is none, or it could be guessed; never says what it is.
    """
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"--token-env {variable}: the variable must hold at least {_SHORTEST_TOKEN} visible "
            "ASCII characters, e.g. what `openssl rand -hex 32` prints"
        )
    return token
