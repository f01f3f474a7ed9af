"""A scoring function that can be imported by name."""


def right(answer, item):
    return {"right": item["answer"] in answer}
