# Every target says what it does: `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_OFFLINE ?= 1

.DEFAULT_GOAL := help
.PHONY: help system programs demo test table textworld bench rates claims fix laws lint flow slow speed wheel clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# What graded programs are shut in and run with; Debian's package of each.
PROGRAMS := bwrap:bubblewrap gcc:gcc node:nodejs lua5.4:lua5.4 bash:bash
LACKING = $(foreach p,$(PROGRAMS),$(if $(shell command -v $(firstword $(subst :, ,$(p)))),,$(lastword $(subst :, ,$(p)))))

system:  ## install what tests need of the system (bubblewrap, gcc, nodejs, lua5.4), as root on Debian or Ubuntu
	@if [ -n "$(strip $(LACKING))" ]; then apt-get update -qq && apt-get install -y -qq $(LACKING); fi

programs:
	@if [ -n "$(strip $(LACKING))" ]; then echo "make test: not installed: $(strip $(LACKING)); graded programs are shut in \
	and run with these; run: make system (as root), or install them with your package manager"; exit 2; fi

$(VENV)/base: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch  # first and pinned, so that nothing else pulls in another build
	@touch $@

$(VENV)/run: $(VENV)/base pyproject.toml
	$(PIP) -e '.[train]'
	@touch $@

$(VENV)/test: $(VENV)/base pyproject.toml
	$(PIP) -e '.[all,dev]'
	@touch $@ $(VENV)/run

# Evidence that is worked out in the process that asks; what starts processes is run plainly only.
PURE := tests/evidence/logic tests/evidence/states tests/evidence/sources tests/evidence/texts tests/evidence/tools \
	$(addprefix tests/evidence/test_,agreement.py grading.py match.py novelty.py observer.py spending.py trace.py)

demo: $(VENV)/run  ## train outcome-only, dense and control on keydoor, one seed; writes runs/demo/report.html (under 5 minutes)
	$(BIN)/python -m guerdon compare --env keydoor --recipes grpo,milestones --controls milestones --seeds 1 --out runs/demo

# pytest_like.py stands in for pytest beside graded programs, and refuses what a collector asks of it.
test: programs $(VENV)/test  ## all tests but the slow ones: plain, then the pure half with shapes checked
	$(BIN)/python -m pytest -n 2 tests
	LAWS=few $(BIN)/python -m pytest -n 2 -m 'not slow and not bad_input and not speed' --jaxtyping-packages=guerdon,shapes.checked \
		tests/credit tests/rewards $(PURE) tests/test_batch.py tests/test_segments.py tests/test_collate.py tests/test_records.py
	$(BIN)/python -m pytest -n 2 -m 'not slow' --doctest-modules src/guerdon -p no:cacheprovider \
		--ignore src/guerdon/evidence/code/inside/pytest_like.py

table: $(VENV)/run  ## the table of docs/results.md: ten recipes, three seeds (under 100 minutes; killed and repeated, it goes on)
	$(BIN)/python -m guerdon compare --env keydoor --recipes grpo,rloo,dr-grpo,ppo,gigpo,g-ra,pure,clip-delta,pbrs,milestones \
		--controls milestones,g-ra,pbrs --seeds 3 --out runs/table

textworld: $(VENV)/test  ## TextWorld, dense and outcome-only, at most 15 minutes each
	$(BIN)/python -m guerdon compare --env textworld --recipes grpo,milestones --seeds 1 --out runs/textworld

bench: $(VENV)/test  ## against TRL's GRPOTrainer, and the cost of a turn (a quiet machine)
	$(BIN)/python bench/against_trl.py
	$(BIN)/python bench/turns.py

rates: programs $(VENV)/test  ## how fast evidence is: sandbox, code, pool, maths, server (a quiet machine)
	for what in sandbox code_rate pool maths server; do $(BIN)/python bench/$$what.py || exit 1; done

claims: $(VENV)/run  ## check what papers say of credit, all claims; writes docs/claims.md (about 10 minutes on two cores)
	$(BIN)/python -m guerdon bench claim --all --markdown > docs/claims.tmp && mv docs/claims.tmp docs/claims.md

fix: $(VENV)/test  ## format and mend what ruff can
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

lint: $(VENV)/test  ## ruff, changing nothing
	$(BIN)/ruff check src tests bench

flow: $(VENV)/test  ## the order of the stages, mirrored tests, light import
	$(BIN)/python -m pytest tests/test_flow.py

slow: programs $(VENV)/test  ## the tests that take minutes or need a browser
	@command -v chromium >/dev/null || { echo "make slow: chromium is not installed; the report is looked at in a real browser; run: apt-get install chromium"; exit 2; }
	$(BIN)/python -m pytest -m slow tests

laws: $(VENV)/test  ## the laws of recipes, credit, rewards and objectives on batches made anew, other ones in every run
	LAWS=wide $(BIN)/python -m pytest -n 2 -m 'not slow and not speed' tests/recipes tests/credit tests/rewards tests/objectives

speed: $(VENV)/test  ## the figures that must hold on a quiet machine
	$(BIN)/python -m pytest -m speed tests

wheel: $(VENV)/test  ## build the wheel, install it into an empty environment, import it
	rm -rf build dist && $(BIN)/python -m pip wheel --quiet --no-deps -w dist . && $(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet -c constraints.txt dist/*.whl
	cd / && $(CURDIR)/build/empty/bin/python -c "import guerdon as gd; print(gd.recipes.get('grpo').idea)"

clean:  ## remove what was built; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .hypothesis .ruff_cache
