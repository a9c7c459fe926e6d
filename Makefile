# The tasks of this repository. A fresh machine needs Python 3.11, pip and make, nothing else.
.POSIX:

PYTHON = python3
BIN = .venv/bin
# Two workers of one thread each fit a small machine; a file's tests stay in one worker, so that
# what they train once serves them all.
PYTEST_FLAGS = -n 2 --dist loadfile

help:
	@echo "make demo        set up and run 'auricle demo': the main job on real sound"
	@echo "make test        set up and run the tests"
	@echo "make check       set up and run the checks: style, types, layers, docs, figures, install"
	@echo "make setup       only set up, in .venv"
	@echo "make docs        build the documentation into site/"
	@echo "make bench-page  write the measured figures into docs/benchmarks.md and the front pages"
	@echo "make models-page write the table of networks into docs/models.md"
	@echo "make readers-page, make augmentation-page: the same for docs/data-readers.md, docs/augmentation.md"
	@echo "make format      rewrite the sources in the house style"

setup:
	@PYTHON=$(PYTHON) tools/install train,models,data,dev

demo:
	@PYTHON=$(PYTHON) tools/install train
	$(BIN)/auricle demo

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_FLAGS)

check: lint types layers docs bench-check models-check light-check

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: setup
	$(BIN)/lint-imports

docs: setup
	$(BIN)/zensical build --strict --clean

bench-page: setup
	$(BIN)/python benchmarks/render.py

bench-check: setup
	$(BIN)/python benchmarks/render.py --check

models-page: setup
	$(BIN)/python tools/models_page.py

models-check: setup
	$(BIN)/python tools/models_page.py --check

readers-page: setup
	$(BIN)/python tools/readers_page.py

augmentation-page: setup
	$(BIN)/python tools/augmentation_page.py

# The base install alone, in a fresh environment: its size, and every --help without torch.
light-check: setup
	$(BIN)/python benchmarks/install_size.py --check

.PHONY: help setup demo test check lint format types layers docs bench-page bench-check models-page models-check readers-page augmentation-page light-check
