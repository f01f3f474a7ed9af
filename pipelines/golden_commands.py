"""`raytuner golden`: generate questions, check them, review them, calibrate judges by them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.golden_show import print_findings, summarise
from raytuner.component import ConfigError

if TYPE_CHECKING:
    from pipelines.golden.growing import GoldenFile, Wanted
    from pipelines.llm.models import LanguageModel
    from pipelines.types import Corpus

_JUDGES = "pipelines.judge_commands"
_PARTIAL, _BUDGET, _INTERRUPTED = 3, 4, 130


class _Group(click.Group):
    """Brings `calibrate`, which is a matter of judges, only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = importlib.util.find_spec(_JUDGES) is not None
        return sorted([*super().list_commands(ctx), *(["calibrate"] if found else [])])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "calibrate" or importlib.util.find_spec(_JUDGES) is None:
            return super().get_command(ctx, cmd_name)
        found: click.Command = importlib.import_module(_JUDGES).calibrate
        return found


@click.group(cls=_Group)
def golden() -> None:
    """Make, check and review golden questions."""


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which model is asked."""
    options = [
        click.option("--model", metavar="NAME", help="Model; with --study its name there."),
        click.option(
            "--study",
            type=click.Path(path_type=Path),
            help="Study whose models (and documents, unless given) are used.",
        ),
        click.option("--base-url", help="Server. Default: $OPENAI_BASE_URL, else OpenAI's."),
        click.option(
            "--api-key-env",
            metavar="VARIABLE",
            help="Environment variable with the key, or none. Default: OPENAI_API_KEY.",
        ),
        click.option(
            "--price",
            type=(float, float),
            metavar="INPUT OUTPUT",
            help="Dollars per million tokens, where there is no list price.",
        ),
        click.option("--free", is_flag=True, help="The model costs nothing."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@golden.command()
@click.argument("docs", nargs=-1)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("golden.jsonl"),
    show_default=True, help="File that grows; what it holds stays and counts.",
)  # fmt: skip
@click.option(
    "--n", "count", type=click.IntRange(1), default=50, show_default=True,
    help="Questions that the file shall hold.",
)  # fmt: skip
@_chosen
@click.option("--offline", is_flag=True, help="Ask no model: templates; for trying things out.")
@click.option("--usd", type=click.FloatRange(0, min_open=True), help="Dollars to spend at most.")
@click.option("--per-document", type=click.IntRange(1), help="Questions per document at most.")
@click.option(
    "--keep-known", is_flag=True,
    help="Keep, with a tag, what the model answers without the documents.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--cache-dir", type=click.Path(path_type=Path),
    help="Cache directory. Default: RAYTUNER_CACHE, or ~/.cache/raytuner.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and stop.")
def generate(
    docs: tuple[str, ...],
    output: Path,
    count: int,
    *,
    offline: bool,
    usd: float | None,
    per_document: int | None,
    keep_known: bool,
    seed: int,
    cache_dir: Path | None,
    dry_run: bool,
    **chosen: Any,
) -> None:
    """Write questions with answers and evidence about DOCS (folders, files, globs).

    The same command resumes: questions in the file stay, answers that were paid for are kept in
    the cache.
    """
    from pipelines.golden.files import check_target
    from pipelines.golden.growing import GoldenFile, Wanted

    check_target(output)
    corpus = _documents(docs, chosen["study"], output)
    file = GoldenFile(output)
    wanted = Wanted(count, seed, per_document, keep_known)
    if offline:
        _without_model(corpus, file, wanted, dry_run=dry_run)
        return
    model = _model(**chosen)
    _check(model, corpus, file, wanted, usd)
    if not dry_run:
        _with_model(model, corpus, file, wanted, usd=usd, cache_dir=cache_dir)


def _documents(docs: tuple[str, ...], study: Path | None, output: Path | None) -> Corpus:
    """Read the documents given, or those of the study.

    Raises:
        ConfigError: none, or the output would be one of them the next time.
    """
    from pipelines.golden_model import study_spec
    from pipelines.workspace import SAMPLE, load_corpus

    root, given = Path.cwd(), docs
    if not docs and study is not None:
        root = study.resolve().parent
        named = study_spec(study).documents or ()
        given = (named,) if isinstance(named, str) else tuple(named)
    if not given:
        raise ConfigError("no documents: give folders, files or globs, or a study that has them")
    if given[0].startswith(SAMPLE) and len(given) == 1:
        return load_corpus(given[0], root)[0]
    paths = [Path(one).expanduser() for one in given]
    places = [path if path.is_absolute() else root / path for path in paths]
    target = None if output is None else output.resolve()
    for place in places:
        if target is not None and place.is_dir() and target.is_relative_to(place.resolve()):
            raise ConfigError(
                f"output {str(output)!r} would lie among the documents in {str(place)!r}; put it "
                "beside them"
            )
    corpus, warnings = load_corpus(places, root)
    for warning in warnings:
        click.echo(f"note: {warning}", err=True)
    return corpus


def _without_model(corpus: Corpus, file: GoldenFile, wanted: Wanted, *, dry_run: bool) -> None:
    from pipelines.golden.offline import WARNING, write_offline

    click.echo(f"note: {WARNING}", err=True)
    if dry_run:
        click.echo("Nothing is asked, so nothing is spent.")
        return
    summarise(write_offline(corpus, file, wanted), file, wanted)


def _model(
    model: str | None,
    study: Path | None,
    base_url: str | None,
    api_key_env: str | None,
    price: tuple[float, float] | None,
    *,
    free: bool,
) -> LanguageModel:
    from pipelines.golden_model import named_model, study_model, study_spec

    if study is not None:
        given = {"--base-url": base_url, "--api-key-env": api_key_env, "--price": price}
        for name, value in given.items():
            if value is not None:
                raise click.UsageError(f"{name} and --study exclude each other: the study says it")
        return study_model(study_spec(study), model)
    if model is None:
        raise click.UsageError("say who writes: --model NAME, --study STUDY, or --offline")
    return named_model(model, base_url, api_key_env, price, free=free)


def _check(
    model: LanguageModel, corpus: Corpus, file: GoldenFile, wanted: Wanted, usd: float | None
) -> None:
    """Say what it would cost; refuse what cannot begin."""
    from pipelines.golden.costs import estimate
    from pipelines.golden_model import check_price
    from pipelines.llm.models import unpriced
    from pipelines.llm.probing import probe_all

    check_price(model, usd)
    missing = max(0, wanted.questions - len(file))
    least, most, once = estimate(corpus, model, wanted, missing)
    tokens = f"{least.tokens_in + least.tokens_out:,} to {most.tokens_in + most.tokens_out:,}"
    money = "at an unknown price" if unpriced([model]) else f"${least.usd:.4f} to ${most.usd:.4f}"
    click.echo(f"{missing} question(s) to write by {model.name} about {len(corpus)} document(s):")
    limit = "" if usd is None else f", at most ${usd:g}"
    click.echo(f"  {least.calls:,} to {most.calls:,} calls, {tokens} tokens, {money}{limit}")
    click.echo("  if nothing of it is in the cache; the most is what no run can pass.")
    if usd is not None and missing and usd < once:
        raise ConfigError(
            f"--usd {usd:g} is less than one question can cost (${once:.6f}); give more"
        )
    probe_all(list(model.members()), remote=False)


def _with_model(
    model: LanguageModel, corpus: Corpus, file: GoldenFile, wanted: Wanted, *, usd: float | None,
    cache_dir: Path | None,
) -> None:  # fmt: skip
    from pipelines.cache import Cache, default_cache_dir
    from pipelines.golden.generate import Writer
    from pipelines.llm.client import client_of
    from raytuner.objective import Tally
    from raytuner.paying.turnstile import limited_gate

    cache = Cache(cache_dir or default_cache_dir())
    meter = Tally(gate=limited_gate(usd))
    writer = Writer(corpus, model, client_of(cache.responses), meter, file, wanted)
    try:
        writer.run(lambda p: click.echo(f"  {p.asked} asked, {p.held} in {file.path}", err=True))
    except KeyboardInterrupt:
        summarise(writer.progress, file, wanted, meter.cost)
        click.echo("interrupted; what is there is kept. The same command resumes.", err=True)
        raise SystemExit(_INTERRUPTED) from None
    summarise(writer.progress, file, wanted, meter.cost)
    progress = writer.progress
    if progress.stopped and not progress.failures:
        raise SystemExit(_BUDGET)
    if progress.failures and progress.held < wanted.questions:
        raise SystemExit(_PARTIAL)


@golden.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--documents", multiple=True, help="The documents, to look for evidence in them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path, documents: tuple[str, ...], *, as_json: bool) -> None:
    """Look over a golden set: counts, duplicates, evidence that is not where it says."""
    from pipelines.golden.checking import check_golden

    corpus = _documents(documents, None, None) if documents else None
    findings = check_golden(file, corpus, Path.cwd())
    if as_json:
        click.echo(json.dumps(findings.plain(), indent=2, ensure_ascii=False))
    else:
        print_findings(findings)
    if not findings.good:
        raise SystemExit(2)


@golden.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--documents", multiple=True, help="The documents, to show evidence in its context.")
def review(file: Path, documents: tuple[str, ...]) -> None:
    """Go through FILE question by question: keep, edit, drop, skip, undo, quit.

    Every decision is on disk before the next question is shown; the same command goes on.
    """
    from pipelines.golden.review import Review
    from pipelines.golden.terminal import run_review

    session = Review(file)
    corpus = _documents(documents, None, None) if documents else None
    try:
        run_review(session, corpus)
    except KeyboardInterrupt:
        click.echo("\ninterrupted; every decision is on disk. The same command goes on.", err=True)
        raise SystemExit(_INTERRUPTED) from None
