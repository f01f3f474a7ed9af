"""AutoGen's example of inference tuning, on sums: a voted answer, two budgets, no RAG.

Whoever has a script for `autogen.ChatCompletion.tune` changes the import and what
docs/completion.md lists. It asks OpenAI, or whatever OPENAI_BASE_URL names, and spends at most
`optimization_budget` dollars:

    OPENAI_API_KEY=… python examples/autogen_math.py
"""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

from raytuner import CompletionAnalysis, tune_completion

BOXED = "Put the final answer in \\boxed{{}}."
PROMPTS = [
    f"{{problem}} Solve the problem carefully. Simplify your answer as much as possible. {BOXED}",
    f"{{problem}} Solve the problem step by step. {BOXED}",
]
PRICES = {"gpt-4o-mini": {"input": 0.15, "output": 0.60}}  # dollars per million tokens


def load_data(number: int = 40, seed: int = 41) -> list[dict[str, str]]:
    """Make problems with their solutions."""
    rng = random.Random(seed)
    rows = []
    for _ in range(number):
        a, b, c, d = (rng.randint(2, 60) for _ in range(4))
        rows.append({"problem": f"What is {a} + {b} * {c} - {d}?", "solution": str(a + b * c - d)})
    return rows


def eval_math_responses(responses: list[str], solution: str, **_: Any) -> dict[str, Any]:
    """Vote among the answers, and say how likely one of n is to be right."""
    found = [answer[-1] for text in responses if (answer := re.findall(r"\\boxed\{(.*?)\}", text))]
    voted, votes = Counter(found).most_common(1)[0] if found else (None, 0)
    n, right = len(responses), found.count(solution)
    return {
        "expected_success": 1 - (1 - right / n) ** n,
        "success": right > 0,
        "success_vote": voted == solution,
        "voted_answer": voted,
        "votes": votes,
    }


def main(**arguments: Any) -> tuple[dict[str, Any], CompletionAnalysis, float]:
    """Tune on one half of the data and test on the other; `arguments` replace those below."""
    data = load_data()
    tune_data, test_data = data[:20], data[20:]
    given: dict[str, Any] = {
        "data": tune_data,
        "metric": "success_vote",
        "mode": "max",
        "eval_func": eval_math_responses,
        "inference_budget": 0.0004,  # dollars an instance
        "optimization_budget": 1,  # dollars in total
        "num_samples": -1,  # until they are spent
        "model": "gpt-4o-mini",
        "prompt": PROMPTS,
        "prices": PRICES,
    }
    config, analysis = tune_completion(**{**given, **arguments})
    print("optimized config", config)
    print("best result on tuning data", analysis.best_result)
    print(analysis.dataframe().drop(columns="config/prompt").head(10).to_string())

    right = 0
    for instance in test_data:
        created = analysis.create(instance, config)
        right += bool(eval_math_responses(list(created.texts), **instance)["success_vote"])
    print(f"test data: {right} of {len(test_data)} right, tuning cost ${analysis.cost:.4f}")
    return config, analysis, right / len(test_data)


if __name__ == "__main__":
    main()
