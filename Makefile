# Two commands: `make bench` measures, `make test` tests. Both install on first use, exactly what was tested.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
BENCH ?=
AA ?=
TEST ?=
# Compiled modules are kept: the tests start a hundred processes.
unexport PYTHONDONTWRITEBYTECODE

# Every variant at every precision, smallest first; made to be interrupted and called again.
FULL := --variant videoseal_nano,videoseal_0.0,videoseal,pixelseal,chunkyseal --precision all --samples 24,chunkyseal=3

# mypy sees the import name through a link to the checkout.
PACKAGES := bench converters datasets reports

.PHONY: bench bench-full aa test test-long check clean

bench: $(VENV)/installed
	$(RUN) -m pytest bench --benchmark-columns=median,iqr,rounds --runs reports/out $(BENCH)

bench-full: $(VENV)/installed
	$(RUN) -m pytest bench --benchmark-columns=median,iqr,rounds $(FULL) --run-dir reports/out/full --resume $(BENCH)

# One file timed against itself and against a slowed copy: the noise of this machine, and what is found in it.
aa: $(VENV)/installed
	$(VENV)/bin/sealbench aa $(AA)

# A file's tests stay in one process: what they share, such as one run of the bench, is made once.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/installed
	$(RUN) -m pytest $(PARALLEL) -m "not long" $(TEST)

# Also what takes longer; some of it needs the package registry.
test-long: $(VENV)/installed
	$(RUN) -m pytest $(PARALLEL) $(TEST)

# What a change must pass beside the tests.
check: $(VENV)/installed
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	mkdir -p $(VENV)/typing
	ln -sfn ../.. $(VENV)/typing/sealbench
	MYPYPATH=$(VENV)/typing $(RUN) -m mypy $(PACKAGES:%=-p sealbench.%)
	MYPYPATH=$(VENV)/typing $(RUN) -m mypy tests conftest.py
	PYTHONPATH=$(VENV)/typing $(VENV)/bin/lint-imports --no-cache

# The stamp is newer than the lock once everything is in: a second call installs nothing.
$(VENV)/installed: requirements.lock pyproject.toml
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.lock
	$(RUN) -m pip install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) reports/out
