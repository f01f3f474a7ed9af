"""Trials under Ray Tune's own controller, for what only Tune has.

That is: Tune's callbacks (Weights & Biases, MLflow, TensorBoard ...), its stop rules, and its
trial directories, tables and page in the dashboard. What to try and whom to stop early is decided
by the sweep as everywhere else, so Tune sees every job as a trial of its own; a configuration that
is promoted to more questions is another one.

What it costs: about 100 ms a trial (measured, with actors that are re-used), where the pool of
`backend: ray` needs a few. And where the sweep ends early, a batch that runs is not told, but has
10 seconds to end.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytuner.backends.inprocess import run_feeders
from raytuner.backends.ray_address import checked_address
from raytuner.backends.ray_capacity import check_resources
from raytuner.backends.ray_pool import RayBackend
from raytuner.component import ConfigError, nearest
from raytuner.sweep import Sweep

if TYPE_CHECKING:
    from raytuner.backends import Setting
    from raytuner.backends.ray_tune_bridge import Bridge
    from raytuner.backends.ray_worker import Plan

FIELDS = (
    "callbacks", "checkpoint_config", "log_to_file", "name", "progress_reporter", "stop",
    "storage_filesystem", "storage_path", "sync_config", "verbose",
)  # fmt: skip
"""Fields of Ray's RunConfig that are handed on; retries are the sweep's, not Tune's."""
_CLEANUP = "5"
"""Seconds that Tune gives an actor to end, once its trial is over."""


@dataclass
class RayTuneBackend(RayBackend):
    """Runs sweeps as experiments of Ray Tune; see `raytuner.backends.Backend`.

    Attributes:
        run_config: fields of `ray.tune.RunConfig`.
    """

    run_config: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, sweep: Sweep) -> None:
        """Run every job of a sweep.

        Raises:
            ConfigError: the cluster, the plugins, the objective or the run config is unusable.
            WorkerStartError: workers die before they are ready.
        """
        from raytuner.backends.ray_session import connected
        from raytuner.backends.ray_tune_bridge import Bridge

        with connected(self.address, self.setting.folder) as session, _plain_tune():
            size = self._size(session)
            with self._planned(sweep, session) as plan:
                bridge = Bridge(sweep, size, self.setting.timeout)
                with _experiments(self.setting.folder) as folder, _quick(size):
                    fit = self._controller(plan, bridge, folder)
                    # Not in this thread: there Tune would take Ctrl-C for itself.
                    run_feeders(sweep, [lambda: _run(fit, bridge)])

    def _controller(self, plan: Plan, bridge: Bridge, folder: Path) -> Callable[[], object]:
        """Set up Tune's controller.

        Raises:
            ConfigError: a field of the run config has a value that Tune does not take.
        """
        from ray import tune

        from raytuner.backends.ray_capacity import options_of
        from raytuner.backends.ray_tune_parts import Jobs, Results, ending
        from raytuner.backends.ray_tune_trial import JobTrainable

        given = dict(self.run_config)
        name = given.setdefault("name", time.strftime("%Y-%m-%d_%H-%M-%S"))
        given.setdefault("storage_path", str(folder))
        given.setdefault("verbose", 0)
        given["stop"] = ending(bridge, given.get("stop"))
        given["callbacks"] = [Results(bridge), *(given.get("callbacks") or ())]
        trainable = tune.with_parameters(JobTrainable, plan=plan, timeout=self.setting.timeout)
        try:
            tuner = tune.Tuner(
                tune.with_resources(trainable, _bundle(options_of(self.setting.resources))),
                run_config=tune.RunConfig(**given),
                tune_config=tune.TuneConfig(
                    search_alg=Jobs(bridge),
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=_trial_name,
                    trial_dirname_creator=_trial_name,
                ),
            )
        except (TypeError, ValueError, OSError) as error:
            raise ConfigError(f"run_config: Ray Tune refuses {name!r}: {error}") from error
        fit: Callable[[], object] = tuner.fit
        return fit


def ray_tune_backend(
    setting: Setting, run_config: Mapping[str, Any] | None = None
) -> RayTuneBackend:
    """Make the backend that runs trials under Ray Tune's controller; see the module.

    Args:
        setting: what the study says.
        run_config: fields of `ray.tune.RunConfig`; by default experiments are kept in `ray_tune`
            in the run folder, and Tune prints nothing.

    Raises:
        ConfigError: what can be known to be wrong without a cluster.
    """
    check_resources(setting.resources, setting.workers)
    address = checked_address(setting.address)
    if address.startswith("ray://"):
        raise ConfigError(
            f"address: Ray Tune's controller cannot run over {address}; submit the study as a job, "
            "or use `backend: ray`",
            ("address",),
        )
    for name in run_config or {}:
        if name not in FIELDS:
            raise ConfigError(
                f"run_config: it has no field {name!r}; known: {', '.join(FIELDS)}."
                f"{nearest(str(name), FIELDS)}",
                ("run_config", str(name)),
            )
    return RayTuneBackend(setting, address, run_config=dict(run_config or {}))


def _run(fit: Callable[[], object], bridge: Bridge) -> None:
    """Run the controller; what the sweep had to say comes before what Tune makes of it."""
    try:
        fit()
    except BaseException as error:  # noqa: BLE001 - raised by `close`
        bridge.error = bridge.error or error
    bridge.close()


def _trial_name(trial: Any) -> str:
    from raytuner.backends.ray_tune_trial import JOB

    return f"{trial.config[JOB].job.key[:8]}_{trial.trial_id}"


def _bundle(options: Mapping[str, Any]) -> Any:
    """Give the resources of a trial as Tune wants them."""
    from ray import tune

    bundle = {"CPU": options["num_cpus"], "GPU": options["num_gpus"]}
    if "memory" in options:
        bundle["memory"] = options["memory"]
    bundle |= options.get("resources", {})
    return tune.PlacementGroupFactory([{name: n for name, n in bundle.items() if n}])


@contextlib.contextmanager
def _experiments(folder: Path | None) -> Iterator[Path]:
    """Give the folder for Tune's files."""
    if folder is not None:
        yield (folder / "ray_tune").resolve()
        return
    with tempfile.TemporaryDirectory(prefix="raytuner-") as temporary:
        yield Path(temporary)


@contextlib.contextmanager
def _quick(size: int) -> Iterator[None]:
    """Have Tune do nothing that is not asked for: no log files, no change of folder, no snapshots.

    Tune has no other way to be told than the environment.
    """
    wanted = {
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_FORCE_TRIAL_CLEANUP_S": _CLEANUP,
        "TUNE_GLOBAL_CHECKPOINT_S": "3600",
        "TUNE_MAX_PENDING_TRIALS_PG": str(size),
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
        "TUNE_WARN_SLOW_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "3600",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: text for name, text in wanted.items() if before[name] is None})
    try:
        yield
    finally:
        for name in wanted:
            if before[name] is None:
                os.environ.pop(name, None)


@contextlib.contextmanager
def _plain_tune() -> Iterator[None]:
    """Keep Tune from copying the driver's cloud credentials into the actors' `runtime_env`.

    That is shown by the dashboard; workers have secrets from their own nodes.
    """
    from ray.tune.execution import class_cache

    before = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = {n for n in before if not n.startswith("AWS_")}
    try:
        yield
    finally:
        class_cache.ENV_VARS_TO_PROPAGATE = before
