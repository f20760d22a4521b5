# The only words to learn. Each sets up what it needs in .venv; a repeat is quick.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: demo serve test lint bench soak fuzz docs lock models

demo: models
	$(PY) examples/demo.py

serve: models
	$(VENV)/bin/anello serve

test: models
	$(PY) -m pytest

lint: $(READY)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

bench: models
	$(PY) benchmarks/run.py
	$(PY) benchmarks/side_by_side.py

# Long runs against a server of their own, on loopback: crashes, then many clients; then hostile input.
soak: models
	$(PY) benchmarks/chaos.py
	$(PY) benchmarks/load.py
	$(PY) benchmarks/latency.py

fuzz: models
	$(PY) benchmarks/fuzz.py

docs: models
	$(PY) -m pytest tests/docs

# The hand networks, from the cache folder or fetched into it.
models: $(READY)
	@$(VENV)/bin/anello models fetch > /dev/null

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'anello needs Python 3.11 or newer; try: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# Both locks anew, for every platform, with hashes and without addresses. Needs uv.
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml
lock:
	$(UV_COMPILE) -o requirements.lock
	$(UV_COMPILE) --extra dev -o requirements-dev.lock
