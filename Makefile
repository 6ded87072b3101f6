# Two commands do everything from a fresh clone: `make train` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test smoke browser lint types docs check clean

train: .venv/ready            ## train on real digits: progress bar, table, pictures
	$(BIN)/handgrad train

test: .venv/ready             ## every test, on every core, one thread each
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

smoke: .venv/ready            ## the five-second suite
	$(BIN)/pytest -q -m smoke

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/oxlint --deny-warnings src/handgrad

browser:                      ## Chromium, where it is missing, for the tests of the page (Debian)
	@for name in chromium chromium-browser google-chrome; do command -v $$name && exit; done; \
	[ "$$(id -u)" = 0 ] || sudo=sudo; export DEBIAN_FRONTEND=noninteractive; \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium

types: .venv/ready
	$(BIN)/mypy

docs: .venv/ready             ## the site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

check: lint types docs test   ## what the continuous integration runs

# The environment: exactly the pinned packages, and this checkout in place.
.venv/ready: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

clean:
	rm -rf .venv site .pytest_cache .mypy_cache .ruff_cache .hypothesis
