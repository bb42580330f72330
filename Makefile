# Two commands do everything: make book, and make test. The rest is for makers of chapters.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
    $(p) -c 'import sys; print("$(p)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)) python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
CODE := src tests benchmarks book notebooks

.PHONY: help book test lint notebooks weights bench clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Deep Symphony needs Python 3.11 or newer; name yours: make PYTHON=python3.12")'
	@test -x $(BIN)/python || { echo "Making $(VENV) and installing into it: some minutes, once."; $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[book,test]' -c constraints.txt
	@touch $@

book: $(READY)  ## run the chapters that changed and render the book
	$(BIN)/python book/build.py

test: book  ## everything that must hold: code, chapters, pages
	$(BIN)/python -m pytest tests
	$(BIN)/python book/build.py --tiny
	$(BIN)/python -m pytest --nbval notebooks/

lint: $(READY)  ## style, types, import layers
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: $(READY)  ## run the chapters in place, as they are committed
	$(BIN)/python book/build.py --refresh

weights: $(READY)  ## train the shipped models whose recipe has changed (all, on a CPU: two to three hours)
	$(BIN)/python book/weights.py

bench: $(READY)  ## ratios against peers and limits
	$(BIN)/python -m pip install --quiet -e '.[bench]' -c constraints.txt
	$(BIN)/python -m benchmarks

clean:  ## remove what was built, keep what was installed
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
