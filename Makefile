# Two commands do everything: make book, and make test. The rest is for makers of chapters.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
CODE := src tests benchmarks book notebooks

.PHONY: help book test lint notebooks weights bench clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[book,test]' -c constraints.txt
	@touch $@

book: $(READY)  ## run every chapter and render the book
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
	cd notebooks && ../$(BIN)/jupyter execute --inplace *.ipynb
	$(BIN)/python book/build.py --tidy

weights: $(READY)  ## train the shipped models whose recipe has changed (two cores: half an hour)
	$(BIN)/python book/weights.py

bench: $(READY)  ## ratios against peers and limits
	$(BIN)/python -m pip install --quiet -e '.[bench]' -c constraints.txt
	$(BIN)/python -m benchmarks

clean:  ## remove what was built, keep what was installed
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
