"""The job server of a Ray cluster, over HTTP: what it knows of jobs, and the files of its nodes.

Jobs go through Ray's own `JobSubmissionClient`. What a job has written comes by the dashboard's
log service, which streams any file below a node's log folder, bytes as they are.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cluster.address import job_server, token
from raytuner.component import ConfigError, RaytunerError, require

_CONNECT, _ANSWER = 4.0, 8.0
"""Seconds for a connection, and for the first byte of an answer."""
ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
"""States that a job does not leave."""


class ConnectionLostError(RaytunerError):
    """The job server did not answer, this time."""


class ServerError(RaytunerError):
    """The job server answered, but not with what was asked for."""


class JobFacts(NamedTuple):
    """What the server knows of a job.

    Attributes:
        id: submission id.
        status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        message: Ray's own words on the status.
        started, ended: seconds since the epoch, or None.
        exit_code: of the driver, or None.
        node: id of the node that the driver runs on, or None.
        driver: Ray's id of the driver's connection, or None.
        package: URI of the archive that it runs in, or None.
        metadata: what the submission said of itself.
    """

    id: str
    status: str
    message: str
    started: float | None
    ended: float | None
    exit_code: int | None
    node: str | None
    driver: str | None
    package: str | None
    metadata: Mapping[str, str]

    @property
    def over(self) -> bool:
        """Whether it has come to an end."""
        return self.status in ENDED


class JobServer:
    """A connection to one job server, opened after it was found to answer.

    Args:
        address: its URL; None: `RAY_API_SERVER_ADDRESS`.

    Attributes:
        ray_version: of the cluster.

    Raises:
        ConfigError: no server there, another kind of server, no token or a wrong one.
    """

    def __init__(self, address: str | None) -> None:
        self._http = require("requests", extra="ray")
        self.address = job_server(address)
        self._headers = {"Authorization": f"Bearer {known}"} if (known := token()) else {}
        self.ray_version = self._version()
        self._jobs = self._client()

    def _client(self) -> Any:
        submission = require("ray.job_submission", extra="ray")
        for name in (
            submission.JobSubmissionClient.__module__,
            "ray.dashboard.modules.dashboard_sdk",
        ):
            logging.getLogger(name).setLevel(logging.WARNING)  # Ray would report every step
        with self._translated("connect"):
            return submission.JobSubmissionClient(self.address, headers=dict(self._headers))

    def _version(self) -> str:
        """Ask for Ray's version: the cheapest proof of address and token."""
        try:
            answer = self._get("/api/version")
        except ConnectionLostError as error:
            raise ConfigError(
                f"--address: no Ray job server answers at {self.address} ({error}); start one "
                "with `raytuner cluster local`, or see the cluster's documentation"
            ) from None
        if answer.status_code in {401, 403}:
            raise ConfigError(self._refusal())
        try:
            return str(answer.json()["ray_version"])
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f"--address: what answers at {self.address} is no Ray job server (status "
                f"{answer.status_code})"
            ) from None

    def _refusal(self) -> str:
        if self._headers:
            return (
                f"the cluster at {self.address} does not accept this token; set "
                "RAY_AUTH_TOKEN_PATH to the file with the cluster's own"
            )
        return (
            f"the cluster at {self.address} wants a token; set RAY_AUTH_TOKEN_PATH to the file "
            "that holds it"
        )

    # ---- jobs

    def submit(self, entrypoint: str, *, job: str, **more: Any) -> None:
        """Submit a job under an id of our own; `more` goes to Ray's client.

        Raises:
            ServerError: refused, with the server's reason.
            ConnectionLostError: the connection broke; the job may have been taken.
        """
        with self._translated("submit"):
            self._jobs.submit_job(entrypoint=entrypoint, submission_id=job, **more)

    def job(self, job: str) -> JobFacts:
        """Say how a job is.

        Raises:
            ConfigError: the server knows no such job.
            ConnectionLostError: no answer.
        """
        answer = self._get(f"/api/jobs/{self._segment(job)}")
        if answer.status_code == 404:
            raise ConfigError(
                f"the cluster at {self.address} knows no job {job!r}; see: raytuner jobs"
            )
        return _facts(self._json(answer))

    def jobs(self) -> list[JobFacts]:
        """List all jobs that were submitted, latest first."""
        found = self._json(self._get("/api/jobs/"))
        facts = [_facts(entry) for entry in found if entry.get("submission_id")]
        return sorted(facts, key=lambda job: job.started or 0.0, reverse=True)

    def stop(self, job: str) -> None:
        """Ask a job to end; returns before it has."""
        with self._translated("stop"):
            self._jobs.stop_job(self._segment(job))

    def living_actors(self, driver: str) -> int:
        """Count the actors of a driver that have not ended."""
        question = {"filter_keys": "job_id", "filter_predicates": "=", "filter_values": driver}
        answer = self._json(self._get("/api/v0/actors", params={**question, "limit": "10000"}))
        rows = answer["data"]["result"]["result"]
        return sum(row["state"] != "DEAD" for row in rows)

    # ---- files

    def stream(
        self, node: str, name: str, *, follow: bool = False, lines: int = -1
    ) -> Iterator[bytes]:
        """Read a file below a node's log folder; with `follow`, go on as it grows.

        Args:
            node: Ray's id of the node.
            name: path of the file from the log folder.
            follow: wait for more at the end of the file.
            lines: only the last so many; -1: all, bytes as they are.

        Raises:
            FileNotFoundError: there is none.
            ConnectionLostError: the connection broke, or nothing came for 30 seconds.
        """
        kind = "stream" if follow else "file"
        asked = {"node_id": node, "filename": name, "lines": str(lines), "timeout": "3600"}
        if follow:
            asked["interval"] = "0.5"
        try:
            answer = self._http.get(
                f"{self.address}/api/v0/logs/{kind}",
                params=asked,
                auth=self._sign,
                stream=True,
                timeout=(_CONNECT, 30.0),
            )
            with contextlib.closing(answer):
                if answer.status_code != 200:
                    self._explain(answer, name)
                yield from answer.iter_content(None)
        except (self._http.RequestException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ConnectionLostError(_reason(error)) from error

    def read(self, node: str, name: str, *, lines: int = -1) -> bytes:
        """Read a file below a node's log folder; see `stream`."""
        return b"".join(self.stream(node, name, lines=lines))

    # ---- how

    def _explain(self, answer: Any, name: str) -> None:
        text = answer.text[:300]
        if "not found" in text:
            raise FileNotFoundError(name)
        raise ServerError(f"the cluster does not give {name}: {answer.status_code} {text}")

    def _get(self, path: str, **more: Any) -> Any:
        try:
            return self._http.get(
                f"{self.address}{path}", auth=self._sign, timeout=(_CONNECT, _ANSWER), **more
            )
        except (self._http.RequestException, OSError) as error:
            raise ConnectionLostError(_reason(error)) from error

    def _json(self, answer: Any) -> Any:
        if answer.status_code in {401, 403}:
            raise ConfigError(self._refusal())
        if answer.status_code != 200:
            raise ServerError(f"the job server answers {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def _sign(self, request: Any) -> Any:
        """Add the token; as a callable, so that a ~/.netrc cannot put another in its place."""
        request.headers.update(self._headers)
        return request

    @staticmethod
    def _segment(job: str) -> str:
        """Refuse what would be more than a name inside a URL."""
        if not job or not all(letter.isalnum() or letter in "._-" for letter in job):
            raise ConfigError(f"{job!r} is no job: a job's id is letters, digits, `.`, `_` and `-`")
        return job

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Turn what Ray's client raises into our errors."""
        try:
            yield
        except (self._http.RequestException, ConnectionError) as error:
            raise ConnectionLostError(_reason(error)) from error
        except RuntimeError as error:
            raise ServerError(f"the cluster refuses to {what}: {str(error)[:300]}") from error


def _reason(error: BaseException) -> str:
    """Say in a few words why a connection failed."""
    text = str(error)
    for sign, words in (
        ("refused", "connection refused"),
        ("Name or service not known", "no such host"),
        ("nodename nor servname", "no such host"),
        ("Temporary failure in name resolution", "no such host"),
        ("timed out", "no answer in time"),
        ("Timeout", "no answer in time"),
        ("unreachable", "network unreachable"),
    ):
        if sign in text:
            return words
    return type(error).__name__


def _facts(entry: Mapping[str, Any]) -> JobFacts:
    return JobFacts(
        id=entry["submission_id"],
        status=str(entry["status"]),
        message=str(entry.get("message") or ""),
        started=_seconds(entry.get("start_time")),
        ended=_seconds(entry.get("end_time")),
        exit_code=entry.get("driver_exit_code"),
        node=entry.get("driver_node_id"),
        driver=entry.get("job_id"),
        package=(entry.get("runtime_env") or {}).get("working_dir"),
        metadata=entry.get("metadata") or {},
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if not milliseconds else milliseconds / 1000
