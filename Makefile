PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
PIP := $(BIN)/pip install -qq -c constraints.txt

.PHONY: demo test slow lint docs pretrain bench

demo: $(VENV)/.installed
	$(BIN)/vitruvius design digits --where "latency<=5ms, params<=60k" --minutes 1 --out demo
	$(BIN)/python demo/model/predict.py --check

# One torch thread per worker: two workers fill two cores.
test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --shapes

# What takes longer than a few seconds: trainings, kills, real databases, whole documents.
slow: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup -m slow

# mypy reads $(VENV)/src when it is there (editable), else the installed package.
lint: $(VENV)/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	MYPYPATH=$(VENV)/src $(BIN)/mypy -p vitruvius
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

pretrain: $(VENV)/.installed
	$(BIN)/python -P -m vitruvius.generators.pretrain --out generators/pretrained

bench: $(VENV)/.installed
	set -e; for script in benchmarks/[a-z]*.py; do \
		$(BIN)/python "$$script" --out benchmarks/results; done

# torch goes first, by its exact version, so that no later resolution replaces it.
# The link lets mypy see an editable install, whose import hook it cannot follow.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) -e ".[test]"
	mkdir -p $(VENV)/src
	ln -sfn "$(CURDIR)" $(VENV)/src/vitruvius
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(PIP) -e ".[docs]"
	touch $@
