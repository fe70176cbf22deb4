# The two commands that matter are `make demo` and `make test`; the work itself is in deploy/setup.sh and CMakeLists.txt.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell deploy/jobs.sh)

# Real data sets, where there are any: nnU-Net raw folders such as $CONSILIUM_DATA/Dataset004_Hippocampus.
ifeq ($(origin CONSILIUM_DATA),undefined)
CONSILIUM_DATA := $(abspath $(wildcard ../shared/data))
endif
ifneq ($(CONSILIUM_DATA),)
export CONSILIUM_DATA
endif

SANITIZERS ?= tsan asan

.PHONY: help demo test bench fuzz sanitize format tidy setup configure build programs clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     three hospitals on this machine train one U-Net over mutual TLS (installs and builds first)"
	@echo "make test     install, build, then the unit tests, then the integration tests"
	@echo "make bench    benchmarks, each with its size, time and ratio to a peer or to the hardware"
	@echo "make fuzz     libFuzzer over every decoder and machine, SECONDS=60 each, TARGETS=\"...\" for some (tests/fuzz/README.md)"
	@echo "make sanitize the control plane under the thread sanitizer, then the address one; SANITIZERS=tsan for one (tests/README.md)"
	@echo "make build    programs and tests into $(BUILD)/bin        (PRESET=release|debug|asan|tsan|trainer, JOBS=$(JOBS))"
	@echo "make tidy     the rules of the house (include directions, vendor headers, line lengths), then clang-tidy"
	@echo "make format   clang-format over every source"
	@echo "make setup    install the Debian packages that are missing (deploy/setup.sh --check only reports)"
	@echo "make clean    remove $(BUILD)"

demo: programs
	$(BUILD)/bin/consilium demo $(ARGS)

test: build
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -L unit -j $(JOBS)
	ctest --test-dir $(BUILD) --output-on-failure -LE 'unit|bench'

bench: build
	ctest --test-dir $(BUILD) --verbose --no-tests=error -L bench

fuzz:
	@deploy/setup.sh --developer
	cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS)
	tests/fuzz/run.sh build/fuzz $(or $(SECONDS),60) $(TARGETS)

sanitize:
	@deploy/setup.sh
	for preset in $(SANITIZERS); do \
	  cmake --preset $$preset && cmake --build --preset $$preset -j $(JOBS) && ctest --preset $$preset --no-tests=error || exit 1; \
	done

format:
	git ls-files '*.h' '*.cc' | xargs clang-format -i

tidy: configure
	cmake --build $(BUILD) -j $(JOBS) --target tidy_test
	$(BUILD)/bin/tidy_test
	git ls-files 'comm/base/*.cc' 'comm/tensor/*.cc' 'comm/wire/*.cc' | \
	  xargs clang-tidy -p $(BUILD) --quiet --extra-arg=-Wno-unknown-warning-option

setup:
	@deploy/setup.sh $(if $(filter trainer,$(PRESET)),--trainer-only)

configure: setup
	cmake --preset $(PRESET)

build: configure
	cmake --build $(BUILD) -j $(JOBS)

programs: configure
	cmake --build $(BUILD) -j $(JOBS) --target consilium consilium-trainer

clean:
	rm -rf $(BUILD)
