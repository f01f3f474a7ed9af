"""The demo corpus: pages of the pandas and NumPy API reference, read from their docstrings.

Both packages are installed with this one, so the demo needs neither a download nor a licence of
its own for the texts, and the pages are long enough that chunking matters.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from pipelines.types import Corpus, Document
from raytuner.component import ConfigError

WRITTEN_FOR = {"numpy": "2.4.6", "pandas": "3.1.1"}
"""The versions whose docstrings the questions were written against."""

_GROUPBY = "api.typing.DataFrameGroupBy."

# Page names to the objects on them. Of twins (Series.fillna and DataFrame.fillna) only one is
# taken, and no object is on two pages: a golden span must be the only right place.
_PAGES = {
    "numpy/creation.txt": """array zeros empty arange linspace meshgrid tile repeat diag""",
    "numpy/dtypes.txt": """ndarray.astype ndarray.view can_cast result_type promote_types
        issubdtype iinfo shares_memory may_share_memory ndarray.tolist ndarray.item
        busday_count""",
    "numpy/files.txt": "load save savez loadtxt set_printoptions",
    "numpy/indexing.txt": """take_along_axis where nonzero argwhere select compress put ix_
        unravel_index copyto fill_diagonal""",
    "numpy/linalg.txt": """dot matmul linalg.norm linalg.inv linalg.solve linalg.lstsq
        linalg.slogdet""",
    "numpy/random.txt": """random.default_rng random.SeedSequence random.Generator.spawn
        random.Generator.integers random.Generator.choice random.Generator.shuffle
        random.Generator.permutation random.Generator.permuted random.Generator.normal
        random.Generator.uniform""",
    "numpy/reductions.txt": "sum mean std percentile diff argmax",
    "numpy/shape.txt": """reshape ravel ndarray.flatten transpose broadcast_to concatenate stack
        split array_split roll resize ndarray.resize delete append""",
    "numpy/signals.txt": "interp convolve trapezoid unwrap fft.rfft fft.fftfreq",
    "numpy/sorting.txt": "sort argpartition lexsort searchsorted unique digitize bincount",
    "numpy/ufuncs.txt": """ufunc.at vectorize fmax isclose nan_to_num seterr
        errstate round clip""",
    "pandas/apply.txt": "DataFrame.apply DataFrame.map Series.map",
    "pandas/dates.txt": "to_datetime date_range to_timedelta infer_freq",
    "pandas/frame.txt": """DataFrame.describe DataFrame.memory_usage
        DataFrame.assign DataFrame.insert DataFrame.pop DataFrame.copy DataFrame.to_numpy
        DataFrame.squeeze DataFrame.pipe DataFrame.iterrows DataFrame.itertuples""",
    "pandas/groupby.txt": f"""DataFrame.groupby NamedAgg {_GROUPBY}apply {_GROUPBY}transform
        {_GROUPBY}filter {_GROUPBY}nth {_GROUPBY}ngroup {_GROUPBY}cumcount {_GROUPBY}size
        {_GROUPBY}get_group {_GROUPBY}head""",
    "pandas/indexes.txt": """Index RangeIndex MultiIndex MultiIndex.from_product
        MultiIndex.get_level_values MultiIndex.remove_unused_levels Index.union
        Index.is_unique""",
    "pandas/labels.txt": """DataFrame.set_index DataFrame.reset_index DataFrame.reindex
        DataFrame.sort_values DataFrame.drop DataFrame.rename DataFrame.droplevel""",
    "pandas/merging.txt": "merge concat DataFrame.join merge_asof",
    "pandas/missing.txt": """DataFrame.isna DataFrame.fillna DataFrame.ffill DataFrame.dropna
        DataFrame.replace DataFrame.combine_first DataFrame.update DataFrame.drop_duplicates""",
    "pandas/moments.txt": """Timedelta Period DateOffset Series.dt.floor Series.dt.strftime
        Series.dt.isocalendar Series.dt.total_seconds Series.dt.components Series.dt.normalize
        Series.dt.to_period Series.dt.day_name""",
    "pandas/read-csv.txt": "read_csv",
    "pandas/reshaping.txt": """pivot pivot_table melt DataFrame.stack DataFrame.unstack
        DataFrame.explode get_dummies json_normalize""",
    "pandas/selection.txt": """DataFrame.loc DataFrame.iloc DataFrame.at DataFrame.query
        DataFrame.isin DataFrame.where DataFrame.xs Series.between""",
    "pandas/statistics.txt": """DataFrame.sum DataFrame.std DataFrame.quantile DataFrame.corr
        DataFrame.nunique DataFrame.mode DataFrame.diff DataFrame.pct_change DataFrame.rank
        DataFrame.idxmax Series.value_counts""",
    "pandas/strings.txt": """Series.str.split Series.str.replace Series.str.contains
        Series.str.extract Series.str.extractall Series.str.get Series.str.slice
        Series.str.strip Series.str.zfill Series.str.fullmatch Series.str.startswith
        Series.str.len Series.str.get_dummies Series.str.normalize Series.str.removeprefix
        Series.str.translate""",
    "pandas/time-series.txt": """DataFrame.resample DataFrame.shift DataFrame.rolling
        DataFrame.between_time DataFrame.tz_localize DataFrame.tz_convert""",
    "pandas/types.txt": """DataFrame.astype DataFrame.infer_objects to_numeric
        CategoricalDtype StringDtype Int64Dtype cut qcut""",
    "pandas/writing.txt": "DataFrame.to_csv DataFrame.to_sql DataFrame.to_dict",
}

_HEADING = re.compile(r"^(?=[A-Z][A-Za-z ]+\n-{3,}$)", re.MULTILINE)
_LEFT_OUT = frozenset({"references", "see also"})
# The same seven lines in every function that makes arrays, and indented by the Python version.
_LIKE = re.compile(r"^like : array_like.*\n(?: .*\n|\n(?= ))*", re.MULTILINE)


class Section(NamedTuple):
    """Where one object's section lies: characters [start, end) of document `doc`."""

    doc: int
    start: int
    end: int


def pages() -> dict[str, tuple[str, ...]]:
    """Give the qualified names of the objects on every page, in the order of the pages."""
    return {
        page: tuple(f"{page.split('/')[0]}.{name}" for name in names.split())
        for page, names in _PAGES.items()
    }


@cache
def read() -> tuple[Corpus, Mapping[str, Section]]:
    """Build the corpus, and say where each object's section lies in it.

    Every section is a header line with the qualified name, a rule, and the docstring without
    its cross references and without the transcripts of its examples (their prose stays).

    Raises:
        ConfigError: an object or its docstring is missing from the installed package.
    """
    documents, sections = [], {}
    for doc, (page, objects) in enumerate(sorted(pages().items())):
        text = ""
        for name in objects:
            start = len(text)
            text += f"{name}\n{'=' * len(name)}\n\n{_described(name)}\n"
            sections[name] = Section(doc, start, len(text))
            text += "\n\n"
        documents.append(Document(page, text.rstrip("\n") + "\n"))
    return Corpus(tuple(documents)), MappingProxyType(sections)


def versions(name: str) -> str:
    """Say which version of an object's package is installed and which was written for."""
    package = name.split(".", maxsplit=1)[0]
    made = WRITTEN_FOR[package]
    return f"{package} {version(package)} is installed, the sample is for {package} {made}"


def _described(name: str) -> str:
    try:
        docstring = inspect.getdoc(_resolved(name))
    except AttributeError:
        raise ConfigError(f"sample 'python-api': there is no {name}: {versions(name)}") from None
    if not docstring:
        raise ConfigError(
            f"sample 'python-api': {name} has no docstring (python -OO removes them): "
            f"{versions(name)}"
        )
    lines = (line.rstrip() for line in docstring.expandtabs().splitlines())
    kept = "".join(_kept(_LIKE.sub("", "\n".join(lines))))
    return re.sub(r"\n{3,}", "\n\n", kept).strip()


def _resolved(name: str) -> object:
    package, path = name.split(".", 1)
    return attrgetter(path)(import_module(package))


def _kept(docstring: str) -> Iterator[str]:
    for part in _HEADING.split(docstring):
        heading = part.split("\n", 1)[0].lower()
        if heading == "examples":
            prose = list(_prose(part))
            yield "\n".join([*prose, ""]) if any(prose[2:]) else ""
        elif heading not in _LEFT_OUT:
            yield part


def _prose(examples: str) -> Iterator[str]:
    """Leave out what was typed and printed: a prompt and all that follows, to the blank line."""
    transcript = False
    for line in examples.splitlines():
        transcript = bool(line) and (transcript or line.lstrip().startswith(">>>"))
        if not transcript:
            yield line
