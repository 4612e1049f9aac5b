# The front door: `make help` lists the commands. Wraps CMake and Ninja; installs what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
JOBS ?= $(shell nproc)
SECONDS_PER_TARGET ?= 30
SEEDS ?= 200

configure = cmake -G Ninja -S . -B $(1) $(2) >/dev/null
RELEASE := -DCMAKE_BUILD_TYPE=Release
ASAN := -DCMAKE_BUILD_TYPE=Debug -DBT_SANITIZE=address,undefined
TSAN := -DCMAKE_BUILD_TYPE=Debug -DBT_SANITIZE=thread
FUZZ := -DCMAKE_BUILD_TYPE=Debug -DBT_SANITIZE=address,undefined -DBT_FUZZ=ON -DCMAKE_C_COMPILER=clang-14

.PHONY: all
all: ## Build the release binary at build/baton
	@tools/setup.sh build
	@$(call configure,build,$(RELEASE))
	@ninja -C build -j$(JOBS) baton plugins

.PHONY: ui
ui: ## Build the page anew, and the binary with it
	@tools/setup.sh build
	@rm -f build/ui/page.pack
	@$(call configure,build,$(RELEASE) -DBT_PAGE=ON)
	@ninja -C build -j$(JOBS) baton

.PHONY: screenshots
screenshots: all ## Pictures of the page in build/screenshots
	@tools/setup.sh e2e
	@node test/e2e/screenshots.mjs build/baton build/screenshots

.PHONY: run
run: ## Build, run the first example, and start a server with all of them (PORT=8080)
	@tools/setup.sh run
	@$(MAKE) --no-print-directory all
	@tools/run.sh

.PHONY: stop
stop: ## Stop the server that `make run` started
	@tools/run.sh stop

.PHONY: test
test: ## All checks in short form (at most 25 minutes on two cores)
	@tools/setup.sh test
	@tools/setup.sh lint
	@tools/test.sh

.PHONY: test-long
test-long: ## The same for hours: more seeds, longer fuzzing
	@SEEDS=100000 SECONDS_PER_TARGET=1800 FUZZ_SEED=0 KILLS=1000 SCHEMA_SECONDS=3600 $(MAKE) --no-print-directory test

.PHONY: asan
asan: ## Unit tests under AddressSanitizer and UBSan
	@tools/setup.sh test
	@$(call configure,build-asan,$(ASAN))
	@ninja -C build-asan -j$(JOBS)
	@ctest --test-dir build-asan --output-on-failure -j$(JOBS)

.PHONY: tsan
tsan: ## Unit tests under ThreadSanitizer
	@tools/setup.sh test
	@$(call configure,build-tsan,$(TSAN))
	@ninja -C build-tsan -j$(JOBS)
	@ctest --test-dir build-tsan --output-on-failure -j$(JOBS)

.PHONY: scenario
scenario: all ## Scenarios on the release binary (NAMES="basics")
	@tools/setup.sh test
	@ninja -C build -j$(JOBS) test_plugins
	@test/scenario/run.py --baton build/baton $(NAMES)

.PHONY: sim
sim: ## Simulate: SEEDS=200, or one with SEED=7
	@tools/setup.sh test
	@$(call configure,build,$(RELEASE))
	@ninja -C build -j$(JOBS) sim
	@build/test/sim/sim $(if $(SEED),--seed $(SEED) --verbose,--seeds $(SEEDS))

.PHONY: fuzz
fuzz: ## Fuzz every parser for SECONDS_PER_TARGET (30)
	@tools/setup.sh fuzz
	@$(call configure,build-fuzz,$(FUZZ))
	@ninja -C build-fuzz -j$(JOBS)
	@tools/fuzz.sh build-fuzz $(SECONDS_PER_TARGET)

.PHONY: bench
bench: ## Measure against limits of the same run: a table, and build/bench.json
	@tools/setup.sh bench
	@$(MAKE) --no-print-directory all
	@ninja -C build -j$(JOBS) bench test_plugins
	@build/test/bench/bench build/baton build/bench.json

.PHONY: bench-server
bench-server: ## Measure a server over HTTP against limits of the same run
	@tools/setup.sh bench
	@$(MAKE) --no-print-directory all
	@test/bench/server.py

.PHONY: bench-lists
bench-lists: ## Measure lists and charts over EXECUTIONS (1000000) stored executions
	@tools/setup.sh bench
	@$(MAKE) --no-print-directory all
	@ninja -C build -j$(JOBS) bench_lists
	@build/test/bench/bench_lists $(EXECUTIONS)

.PHONY: deb
deb: all ## Build the Debian package: build/baton_*.deb
	@mkdir -p build/completion && build/baton completion bash >build/completion/baton
	@rm -f build/*.deb && cd build && cpack >cpack.log || { cat cpack.log; exit 1; }
	@ls build/*.deb

.PHONY: fmt
fmt: ## Format C sources
	@tools/setup.sh lint
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

.PHONY: lint
lint: ## Includes, banned functions, sizes, format, clang-tidy on changed files
	@tools/setup.sh lint
	@$(call configure,build,$(RELEASE))
	@python3 tools/lint.py

.PHONY: clean
clean: ## Remove everything built
	rm -rf build build-asan build-tsan build-fuzz

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14
