PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check install --quiet

.PHONY: run test lint

run: .venv/installed
	@$(BIN)/python run.py

# the servers that tests start need not compile all modules anew, each for itself
test: .venv/installed-dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

lint: .venv/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.venv/installed: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Rollcall needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	@echo "Installing Rollcall's requirements (once, about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt requirements-reference.txt
	@echo "Installing what the tests need (once) ..."
	@$(PIP) -r requirements-dev.txt
	@$(PIP) --no-deps -r requirements-reference.txt
	@touch $@
