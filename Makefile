# `make demo` runs the suite's main job on the embedded data set; `make test` runs the tests.
# Both make their own environment in .venv on a machine with Python 3.11 or newer.

PYTHON ?= python3
UV = .venv/bin/uv pip install --quiet --python .venv/bin/python --constraints constraints.txt

.PHONY: demo test lint clean

demo: .venv/.demo-ready
	.venv/bin/rass-bench demo --out runs/demo

test: .venv/.test-ready lint
	.venv/bin/python -m pytest -n 2

lint: .venv/.test-ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

clean:
	rm -rf .venv runs

.venv/bin/uv: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rass-bench needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt uv
	@touch $@

.venv/.demo-ready: .venv/bin/uv pyproject.toml constraints.txt
	@echo "Installing rass-bench with its models and report extras into .venv (PyTorch is large; minutes at first)"
	$(UV) --editable '.[models,report]'
	@touch $@

.venv/.test-ready: .venv/bin/uv pyproject.toml constraints.txt
	@echo "Installing rass-bench with all extras into .venv (PyTorch is large; minutes at first)"
	$(UV) --editable '.[all,dev]'
	@touch $@
