# Everything a newcomer needs: `make demo` and `make test`. Each installs what is missing and builds first.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)

.PHONY: help setup build demo test test-aarch64 soak soak-mutants bench lint format clean

help:
	@echo "make demo    eight clients train one model on real images, privately (about 5 minutes after the build)"
	@echo "make test    every test that fits into a few minutes"
	@echo "make test-aarch64   the cores' unit tests as 64-bit ARM programs under QEMU (Debian 12 on x86-64)"
	@echo "make build   the programs, into $(BUILD)/bin"
	@echo "make bench   the benchmarks, one JSON line each"
	@echo "make soak    the long tests: more simulated worlds, fuzzing (each target for FUZZ_SECONDS, 600 by default)"
	@echo "make soak-mutants   turns each check against a coordinator that lies off: a test has to notice"
	@echo "make lint    format and static checks        make format   reformat the sources"
	@echo "make clean   remove build/ and demo-state/"

setup:
	@deploy/setup.sh

build: setup
	@deploy/build.sh $(PRESET) programs

demo: setup
	@deploy/build.sh $(PRESET) programs
	@deploy/demo.sh $(BUILD)/bin $(JOB)

test: setup
	@deploy/build.sh $(PRESET) all
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS) -LE soak

test-aarch64:
	@deploy/aarch64.sh

soak: setup
	@deploy/build.sh $(PRESET) all
	@cd $(BUILD) && ctest --output-on-failure -L soak

soak-mutants: setup
	@JOBS=$(JOBS) tests/mutants.sh

bench: setup
	@deploy/build.sh $(PRESET) all
	@deploy/bench.sh $(BUILD)/bin

lint: setup
	@deploy/lint.sh

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

clean:
	rm -rf build demo-state
