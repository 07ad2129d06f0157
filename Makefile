# Two commands on a fresh machine: `make demo` shows the product, `make test` proves it. Bare `make` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
# Named, because in a tree that is no git clone ruff would also read the tools that scripts/setup fetches.
CODE := locales editions subscribers templates mailer tests scripts bench
# A uv that scripts/setup fetched, for the tests that build the package.
export PATH := $(PATH):$(CURDIR)/.tools/bin

# Where it is set, each program that the tests start would compile all of ours that it imports once more.
unexport PYTHONDONTWRITEBYTECODE

# Most of what the tests write are databases of a moment, for which a disk makes them wait: in memory, if there is room.
MEMORY := $(shell test -w /dev/shm && ! grep -q ' /dev/shm [^ ]* [^ ]*noexec' /proc/mounts && \
  df -k /dev/shm | awk 'NR == 2 && $$4 > 6000000 {print "TMPDIR=/dev/shm"}')

# A file stays in one process, whose tests share servers; those that take longest begin first (tests/conftest.py).
SPREAD := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## See the whole journey of an edition, on parts that come with it (needs no root; ARGS="--no-browser")
	@scripts/setup demo
	@$(BIN)/mailer demo --dir demo $(ARGS)

# On PostgreSQL, most tests take turns (scripts/turns.py).
TURNS := --turns

.PHONY: test
test: setup servers check tests ## Prove it: checks, then every test but the minutes-long ones (ARGS="-k ledger")

.PHONY: tests
tests: setup servers ## The same without the checks
	$(MEMORY) $(BIN)/pytest $(SPREAD) $(TURNS) -m "not soak and not judges" $(ARGS)

# No server, no browser, no programs of ours that are started and killed (tests/needs.py); of tests that open a
# database the first case; ten examples of what hypothesis finds a hundred for.
QUICK := --hypothesis-profile=quick -m "not soak and not judges and not postgres and not browser and not programs and not spare"

.PHONY: quick
quick: setup ## A first answer: the tests on SQLite, without a browser (ARGS="tests/dispatch")
	$(MEMORY) $(BIN)/pytest $(SPREAD) $(QUICK) $(ARGS)

.PHONY: test-newer
test-newer: setup servers ## What depends on Python again, on the newest Python here, if .venv has an older one
	@scripts/setup newer
	@if [ -d .venv-newer ]; then set -x; \
	  $(MEMORY) .venv-newer/bin/pytest $(SPREAD) $(QUICK) $(call all_of,newer) $(ARGS); fi

.PHONY: bare
bare: ## Run demo and test in a bare Debian 12 and 13 (needs root and debootstrap; ROOT=/var/tmp/bare RELEASES="12")
	scripts/bare $(or $(ROOT),/var/tmp/partner-mailer-bare) $(RELEASES)

# Of each kind, the tests that take turns; .ci/run names those whose turn it is.
all_of = $(or $(FILES),$$($(BIN)/python scripts/turns.py --all $(1)))

# One test at a time: in longer portions, those that take longest would wait for each other in one process.
.PHONY: soak
soak: setup servers ## The minutes-long tests
	$(MEMORY) $(BIN)/pytest -n auto --dist load --maxschedchunk 1 -m soak $(call all_of,soak) $(ARGS)

.PHONY: judge
judge: judge-pages judge-mails ## Have every page and mail judged: Nu, html-validate, axe, MJML, SpamAssassin, w3m, Lighthouse (needs Node.js and Java)

.PHONY: judges
judges: setup
	@scripts/system-packages judges
	@$(BIN)/python scripts/judge.py --install

.PHONY: judge-pages
judge-pages: judges ## Have every page judged
	$(MEMORY) $(BIN)/pytest $(SPREAD) -m judges $(call all_of,judges) $(ARGS)

.PHONY: judge-mails
judge-mails: judges ## Have every mail judged
	$(BIN)/python scripts/judge.py $(ARGS)

# What hypothesis draws is the same each time but here.
.PHONY: explore
explore: setup servers ## Try the property tests on other examples, for ten minutes (ARGS="--minutes 60 --seed 7")
	$(MEMORY) $(BIN)/python -m scripts.explore $(ARGS) $(SPREAD)

.PHONY: release-check
release-check: ## Prove all of it, whoever's turn it is: well over an hour on two cores
	$(MAKE) test TURNS=
	$(MAKE) explore
	$(MAKE) test-newer FILES=tests
	$(MAKE) editor ARGS=--check
	$(MAKE) judge
	$(MAKE) soak

.PHONY: score-bounces
score-bounces: setup ## Score how bounces are read on a corpus of real ones, beside flufl.bounce (ARGS=FOLDER)
	$(BIN)/python -m scripts.score_bounces $(ARGS)

.PHONY: golden
golden: setup ## Write the expected texts of tests/golden anew; read the difference before you keep it
	$(BIN)/python -m tests.judges.golden

.PHONY: check
check: setup ## Lint, format, types, import rules, documents, and known faults of dependencies
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_docs.py
	$(BIN)/python scripts/audit.py

.PHONY: names
names: setup ## Report module and class names that repeat, long modules and module names in -ing
	@$(BIN)/python scripts/names.py

.PHONY: planted-faults
planted-faults: setup servers ## Plant a fault in one room after another, and name the test that finds it (ARGS=--quick)
	$(MEMORY) $(BIN)/python -m scripts.planted_faults $(ARGS)

.PHONY: format
format: setup ## Lay the code out, and put imports in order
	$(BIN)/ruff check --fix --select I $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: docs
docs: setup ## Write the generated parts of docs/ anew, from the program
	$(BIN)/python scripts/check_docs.py --write

.PHONY: translations
translations: setup ## Bring the pages' catalogues up to what the pages say, and compile them
	$(BIN)/python -m scripts.translations

.PHONY: editor
editor: ## Build the story editor of Studio from studio/ (needs Node.js; ARGS=--check only compares)
	cd studio && npm ci --loglevel=error && node build.mjs $(ARGS)

.PHONY: bench
bench: bench-rendering bench-dispatch bench-list bench-pages bench-reports bench-studio bench-studio-live bench-editor bench-typing bench-start ## Measure all of it beside what others cost, each figure with its bar

.PHONY: bench-rendering
bench-rendering: setup ## Measure what rendering costs (installs npm packages to compare with)
	$(BIN)/python -m bench.render

.PHONY: bench-dispatch
bench-dispatch: setup servers ## Measure what sending costs (BENCH="large small", or BENCH="--quick dkim", "--profile 60k")
	$(BIN)/python -m bench.dispatch $(BENCH)

.PHONY: bench-list
bench-list: setup servers ## Measure what the list costs, a million people in it (BENCH="--rows 100000")
	$(BIN)/python -m bench.list_import $(BENCH)
	$(BIN)/python -m bench.long_list $(BENCH)
	$(BIN)/python -m bench.segment_queries

.PHONY: bench-pages
bench-pages: setup servers ## Measure the readers' pages, by themselves and while a campaign is sent
	$(BIN)/python -m bench.public_pages $(BENCH)

.PHONY: bench-reports
bench-reports: setup servers ## Measure the page of a report on a million deliveries (BENCH="--readers 50000")
	$(BIN)/python -m bench.report_pages $(BENCH)

.PHONY: bench-typing
bench-typing: setup servers ## Measure from the press of a key to the email beside it, in Studio (BENCH="--keys 300")
	$(BIN)/python -m bench.studio_typing $(BENCH)

.PHONY: bench-editor
bench-editor: setup servers ## Measure from the press of a key to its letter in Studio's story editor (BENCH="--keys 1000")
	$(BIN)/python -m bench.studio_editor $(BENCH)

.PHONY: bench-studio
bench-studio: setup ## Measure the pages of Studio with 200 editions, and what they weigh
	$(BIN)/python -m bench.studio_pages $(BENCH)

.PHONY: bench-studio-million
bench-studio-million: setup servers ## Measure all pages of Studio with a million subscribers and 200 campaigns (BENCH="--rows 10000000")
	$(BIN)/python -m bench.studio_million $(BENCH)

.PHONY: bench-studio-live
bench-studio-live: setup servers ## Measure sending while fifty people watch it live, and readers leave (BENCH="--readers 30000")
	$(BIN)/python -m bench.studio_live $(BENCH)

.PHONY: bench-start
bench-start: setup ## Measure how long a command takes to start, beside the import of its database library
	$(BIN)/python -m bench.command_start

.PHONY: screenshots
screenshots: setup servers ## Take the pictures of the README anew
	$(BIN)/python -m scripts.screenshots

.PHONY: clients
clients: setup ## Picture our mails in Thunderbird and Roundcube, where these are installed (ARGS="thunderbird")
	$(BIN)/python -m scripts.mail_programs $(ARGS)

.PHONY: setup
setup: ## The dependencies and tools, into .venv (needs no root)
	@scripts/setup test

.PHONY: servers
servers: ## What the tests send to, store in and look with: system packages, where we may install them
	@scripts/system-packages

.PHONY: clean
clean: ## Remove what was made here: .venv, .tools, caches, builds
	rm -rf .venv .venv-newer .tools dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
