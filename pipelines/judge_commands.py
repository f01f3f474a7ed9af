"""`raytuner golden calibrate`: how well a study's judges agree with people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raytuner.component import ConfigError, RaytunerError, nearest

if TYPE_CHECKING:
    from pipelines.agreement import Figure
    from pipelines.calibration import Calibration
    from pipelines.roles import Metric
    from pipelines.spec import RagSpec
    from pipelines.workspace import Workspace
    from raytuner.objective import Cost

_PARTIAL, _STOPPED = 3, 4
_LABELS = {
    "agreement": "exact agreement",
    "difference": "mean absolute difference",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "kappa": "Cohen's kappa",
}


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--metric", "names", multiple=True, help="Metric of the study. Default: all graded.")
@click.option("--usd", type=click.FloatRange(0, min_open=True), help="Dollars to spend at most.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calibrate(
    study: Path, names: tuple[str, ...], usd: float | None, seed: int, *, as_json: bool
) -> None:
    """Let the judges of STUDY grade the answers that people have graded, and compare.

    Graded answers stand in the golden set, as `judged` of a question.
    """
    from pipelines.calibration import calibrate as compare
    from pipelines.golden_model import study_spec
    from raytuner.objective import Tally
    from raytuner.paying.turnstile import limited_gate

    spec = study_spec(study)
    workspace = _workspace(spec, study)
    metrics = _chosen(spec, workspace, names)
    _check_models(metrics, usd)
    meter = Tally(gate=limited_gate(usd))
    bench = workspace.bench(meter)
    found: list[Calibration] = []
    stopped: RaytunerError | None = None
    try:
        for metric in metrics:
            found.append(compare(metric, workspace.golden.questions, bench, seed=seed))  # noqa: PERF401 - kept if the next one breaks
    except ConfigError:
        raise
    except RaytunerError as error:
        stopped = error
    _print(found, meter.cost, as_json=as_json)
    if stopped is not None:
        click.echo(f"stopped: {stopped}; what was paid for is kept", err=True)
        raise SystemExit(_STOPPED)
    if any(one.failures for one in found):
        raise SystemExit(_PARTIAL)


def _workspace(spec: RagSpec, study: Path) -> Workspace:
    from pipelines.workspace import Sources, Workspace

    sources = Sources(**{name: value for name, value in spec if name in Sources.model_fields})
    return Workspace(sources, study.resolve().parent, 0)


def _chosen(spec: RagSpec, workspace: Workspace, names: tuple[str, ...]) -> list[Metric]:
    """Give the metrics named, or all that people have graded by.

    Raises:
        ConfigError: the study has no such metric, or nobody has graded by any.
    """
    from pipelines.calibration import graded_answers
    from pipelines.scoring import parse_metrics

    metrics = {metric.name: metric for metric in parse_metrics(spec.metrics, spec.models)}
    for name in names:
        if name not in metrics:
            raise ConfigError(
                f"--metric {name!r} is not one of the study's: {', '.join(metrics)}."
                f"{nearest(name, metrics)}"
            )
    if names:
        return [metrics[name] for name in dict.fromkeys(names)]
    questions = workspace.golden.questions
    found = [metric for metric in metrics.values() if graded_answers(metric, questions)]
    if not found:
        used = {name for question in questions for one in question.judged for name, _ in one.grades}
        there = f"there are grades by {', '.join(sorted(used))}" if used else "there are none"
        raise ConfigError(
            f"the golden set has no answers that people have graded by {', '.join(metrics)}: "
            f'{there}; give questions `"judged": [{{"answer": "...", "correctness": 4}}]`'
        )
    return found


def _check_models(metrics: list[Metric], usd: float | None) -> None:
    """Look whether judges can be asked, before anything is spent."""
    from pipelines.golden_model import check_price
    from pipelines.llm.naming import models_in
    from pipelines.llm.probing import probe_all

    models = list(dict.fromkeys(model for metric in metrics for model in models_in(metric)))
    for model in models:
        check_price(model, usd)
    probe_all(models, remote=False)


def _print(found: list[Calibration], cost: Cost, *, as_json: bool) -> None:
    if as_json:
        plain = {"metrics": [one.plain() for one in found], "cost": cost._asdict()}
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    for one in found:
        click.echo(f"{one.metric}: {one.answers} answers to {one.questions} questions, {one.kind}")
        for name, label in _LABELS.items():
            weighted = " (quadratic weights)" if name == "kappa" and one.kind == "grades" else ""
            click.echo(f"  {label + weighted:<36}{_figure(getattr(one, name))}")
        if one.noise is not None:
            reliable = one.noise.reliability
            shown = "not defined" if reliable is None else f"{reliable:.3f}"
            spread = f"within {one.noise.within_sd:.3f}, between {one.noise.between_sd:.3f}"
            click.echo(f"  {'judge noise, standard deviation':<36}{spread}; ICC(1,k) {shown}")
        for message in one.failures[:3]:
            click.echo(f"  failed: {' '.join(message.split())}")
    tokens = cost.tokens_in + cost.tokens_out
    click.echo(f"spent ${cost.usd:.6f}, {tokens:,} tokens, {cost.calls:,} calls")


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "not defined"
    if figure.low is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f}  [{figure.low:.3f}, {figure.high:.3f}]"
