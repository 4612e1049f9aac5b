# The front door. `make help` lists the commands.
SHELL := /bin/bash
BUILD ?= build
JOBS ?= $(shell nproc)

.PHONY: all
all: ## Build the release binary at build/baton
	@tools/setup.sh build
	@cmake -G Ninja -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release >/dev/null
	@ninja -C $(BUILD)
