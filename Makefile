# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.PHONY: help run test format lint types imports checks tests bench fuzz interop torture screenshots samples clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: $(VENV)/run.stamp ## Set up everything that is missing, start cgexplorer and print its address
	@exec $(BIN)/python manage.py up

test: lint types imports checks tests ## Everything that CI asks: format, lint, types, floors, migrations, tests

$(VENV)/made.stamp:
	@python=$$(scripts/find-python) && echo "Making $(VENV) with $$python" && "$$python" -m venv $(VENV) && touch $@

$(VENV)/run.stamp: requirements.txt $(VENV)/made.stamp
	@echo "Installing requirements.txt"
	@$(BIN)/python -m pip install --quiet -r requirements.txt && touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@echo "Installing requirements-dev.txt"
	@$(BIN)/python -m pip install --quiet -r requirements-dev.txt && touch $@

format: $(VENV)/dev.stamp ## Rewrite code and templates in the project's format
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .
	@find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --target-version 6.0 || true

lint: $(VENV)/dev.stamp
	@echo "== format and lint"
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --check --target-version 6.0

types: $(VENV)/dev.stamp
	@echo "== types"
	@$(BIN)/mypy cgexplorer

imports: $(VENV)/dev.stamp
	@echo "== floors"
	@$(BIN)/lint-imports

checks: $(VENV)/dev.stamp
	@echo "== settings and migrations"
	@[ -n "$$DATABASE_URL" ] || $(BIN)/python manage.py db start
	@CGEXPLORER_PRODUCTION=1 SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(BIN)/python manage.py makemigrations --check --dry-run

tests: $(VENV)/dev.stamp
	@echo "== tests"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -q

bench: $(VENV)/dev.stamp ## Figures, as ratios in one run; also into bench/results.json; FLEET=5 for 5M packages
	@$(BIN)/python -m scripts.bench

fuzz: $(VENV)/dev.stamp ## Hostile bytes for every parser: SECONDS=60, or RUNS=1000000
	@$(BIN)/python -m scripts.fuzz $(if $(RUNS),--runs $(RUNS),--seconds $(or $(SECONDS),60))
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -q tests/spdx/test_quirks.py -k together

interop: $(VENV)/dev.stamp ## Stock cosign and a private Sigstore beside us; also into bench/interop.json (needs Go)
	@$(BIN)/python -m scripts.interop

torture: $(VENV)/dev.stamp ## Kill, starve and lie to it, and count what does not survive: minutes, or hours with FULL=1
	@$(BIN)/python -m scripts.torture $(if $(FULL),--full) $(if $(SEED),--seed $(SEED)) $(foreach one,$(ONLY),--only $(one))

samples: $(VENV)/dev.stamp ## Make the sample images anew
	@$(BIN)/python -m scripts.make_samples

screenshots: $(VENV)/dev.stamp ## Every page, width and theme into screenshots/
	@$(BIN)/python -m scripts.screenshots

clean: ## Stop the embedded database and remove all that make made
	@if [ -x $(BIN)/python ]; then $(BIN)/python manage.py db stop || true; fi
	@rm -rf $(VENV) .cgexplorer screenshots .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
