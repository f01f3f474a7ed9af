"""Split the recall of a finished chunking study by corpus, as the published table does.

python examples/chunking/per_corpus.py [STUDY.yaml]
"""

import sys
from pathlib import Path

from pipelines import RagObjective
from raytuner import Results, load_study


def main(path: Path) -> None:
    """Print one row per configuration: recall on the questions about each document."""
    study = load_study(path)
    results = Results.open(study.folder(path.parent))
    section = {name: value for name, value in study.objective.items() if name != "kind"}
    objective = RagObjective.build(section, root=path.parent.resolve(), seed=study.seed)
    questions = objective.workspace.golden.questions
    corpus = {question.id: Path(question.group).stem for question in questions}

    scores = results.scores[results.scores["metric"] == "recall"]
    by_corpus = scores["unit"].map(corpus).rename("corpus")
    recall = scores.groupby(["trial", by_corpus])["score"].mean().unstack()
    table = results.trials.set_index("trial")[list(results.parameters)].join(recall)
    table = table.sort_values(["chunker.size", "chunker.overlap", "chunker.kind"])
    print(table.round(4).to_string(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples/chunking/study.yaml"))
