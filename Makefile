# One command on a fresh machine: `make demo`. Needs Python 3.11, and npm if it is there.
# Everything is pinned by digest; the second run finds its stamps and starts at once.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
UV     ?= uv
ARGS   ?=

PY_STAMP     := $(VENV)/.stamp-python
NODE_STAMP   := node_modules/.stamp-npm
ASSET_STAMP  := $(VENV)/.stamp-assets
ASSET_PROOF  := schemas/contexts/vendor/credentials-v2.jsonld federation/aids/data/aides-velo.json \
                federation/aids/data/territoires.json portal/static/vendor/OFL.txt

# Every command starts several processes: they read the compiled sources of the first.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: build demo serve test lint format bench e2e soak lock readme clean help
.DELETE_ON_ERROR:

build: $(ASSET_STAMP) ## install everything that is pinned, check the assets

demo: build ## the whole story; ARGS="--headless --json" for a report
	$(BIN)/mobility demo $(ARGS)

serve: build ## a home, a hub and the sandbox, on loopback
	$(BIN)/mobility serve $(ARGS)

test: build ## every test but the deselected ones, on three processes
	$(BIN)/python -m pytest -n 3 --dist loadscope -p no:cacheprovider $(ARGS)

lint: build ## formatting, rules, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: build ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

readme: build ## write the help into README.md
	$(BIN)/python .ci/readme.py

bench: build ## timings as ratios, into bench.json
	$(BIN)/python -m pytest -m bench tests/bench -p no:cacheprovider --timeout=1800 $(ARGS)

e2e: build ## walk the pages in Chromium
	@command -v chromium >/dev/null || apt-get install -y -qq -o DPkg::Lock::Timeout=300 chromium fonts-dejavu
	$(BIN)/python -m pytest -m browser -p no:cacheprovider $(ARGS)

soak: build ## large seeded counts
	$(BIN)/python -m pytest -m soak -p no:cacheprovider --timeout=7200 $(ARGS)

lock: ## resolve the locks again from pyproject.toml (needs uv)
	$(UV) pip compile -q --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	    --output-file requirements.lock pyproject.toml
	$(UV) pip compile -q --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	    --extra dev --constraint requirements.lock \
	    --output-file requirements-dev.lock pyproject.toml
	$(UV) pip compile -q --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	    --extra s3 --constraint requirements-dev.lock \
	    --output-file requirements-s3.lock pyproject.toml
	npm install --package-lock-only --ignore-scripts --no-audit --no-fund

clean: ## remove what the build and the tests made
	rm -rf $(VENV) node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	    .hypothesis test-artifacts bench.json schemas/contexts/vendor portal/static/vendor \
	    federation/aids/data/aides-velo.json federation/aids/data/territoires.json

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

# --- what the targets stand on ---

$(PY_STAMP): requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	    || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check -q --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

# Where npm is missing, PyPI's node wheel brings it into the virtual environment.
$(NODE_STAMP): package.json package-lock.json | $(PY_STAMP)
	@command -v npm >/dev/null 2>&1 || test -x $(BIN)/npm || $(BIN)/python -m pip install \
	    --disable-pip-version-check -q --require-hashes -r requirements-node.lock
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(ASSET_STAMP): schemas/build.py schemas/pins.json schemas/contexts/pins.json $(NODE_STAMP) $(PY_STAMP) $(ASSET_PROOF)
	$(BIN)/python -m schemas.build
	@touch $@

# An asset that somebody removed is made again.
$(ASSET_PROOF): | $(NODE_STAMP) $(PY_STAMP)
	$(BIN)/python -m schemas.build
