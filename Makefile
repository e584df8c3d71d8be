# Two commands for newcomers: `make demo` and `make test`. Both install what is missing and build first.
.PHONY: bench build check check-cuda clean demo faults format fuzz help install reproducible sbom setup setup-tests test test-wheel wheel

help:
	@echo "make demo     set up, build, and run the main job on a real grocer's log (10 minutes at most)"
	@echo "make test     set up, build, and run all tests: plain, with sanitizers, CUDA module where nvcc is present"
	@echo "make check    build and test what your changes touch (seconds)"
	@echo "make build    set up and build build/release/penchant"
	@echo "make bench    compare with peers (PyTorch, SciPy, pandas; installs them into build/peers)"
	@echo "make faults   make calls of the program fail on purpose (FAULTS_MINUTES=10; FAULTS=--kill, FAULTS=--power)"
	@echo "make fuzz     fuzz all that is read (FUZZ_MINUTES=10; FUZZ='toml time': some targets)"
	@echo "make wheel    build a wheel of the Python package into build/wheel (PYTHON=build/venv/bin/python)"
	@echo "make test-wheel  install that wheel into a clean environment of the same PYTHON and test it there"
	@echo "make sbom     list what the program is made of, as SPDX 2.3 (build/penchant.spdx.json)"
	@echo "make reproducible  build twice, in two folders, and compare the bytes (hours on two cores)"
	@echo "make install  install program, library and headers (PREFIX=/usr/local)"
	@echo "make format   clang-format every source file"

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PYTHON ?= build/venv/bin/python
# The CUDA module is built where there is a compiler for it, and cuDNN.
CUDA = $(eval CUDA := $$(shell printf '\043include <cudnn.h>\n' | nvcc -E -x cu - > /dev/null 2>&1 && echo ON || echo OFF))$(CUDA)
# What the module must pass before a change lands. The build folder keeps these, so that `make build` does not undo them.
CUDA_CHECKS = -DCMAKE_CUDA_ARCHITECTURES="80;90" -DPENCHANT_CUDA_WERROR=ON

setup:
	@cmake/setup.sh

# The page of `penchant report` is tested in a browser.
setup-tests:
	@cmake/setup.sh tests

build: setup
	@echo "==> Building build/release/penchant"
	@cmake --preset release -DPENCHANT_CUDA=$(CUDA) > build/configure.log || { cat build/configure.log; exit 1; }
	@cmake --build --preset release --parallel $(JOBS) --target penchant $(if $(filter ON,$(CUDA)),penchant_cuda)

demo: build
	@cmake/demo.sh

# The tests run twice, as users run the code and with sanitizers; the second time they are only linked anew.
test: setup-tests
	@echo "==> Build of program and tests, plain and with sanitizers $(if $(filter ON,$(CUDA)),(CUDA module for sm_80 and sm_90),(CUDA module skipped: no nvcc and cuDNN))"
	@cmake --preset release -DPENCHANT_SANITIZED_TESTS=ON -DPENCHANT_PYTHON_PACKAGE=ON -DPENCHANT_CUDA=$(CUDA) $(if $(filter ON,$(CUDA)),$(CUDA_CHECKS)) > build/configure.log || \
	  { cat build/configure.log; exit 1; }
	@cmake --build --preset release --parallel $(JOBS)
	@echo "==> All tests, without and with AddressSanitizer and UndefinedBehaviorSanitizer"
	@rm -rf build/release/tests/cases
	@ctest --preset release --parallel $(JOBS); status=$$?; python3 tests/summary.py build/release/tests/cases && exit $$status
	@[ $(CUDA) = OFF ] || { echo "==> The CUDA module configures without any other library"; \
	  cmake --preset cuda > build/configure.log || { cat build/configure.log; exit 1; }; }

# For people at work; the folder keeps what else it was set to.
check: setup-tests
	@[ -f build/release/build.ninja ] || cmake --preset release -DPENCHANT_PYTHON_PACKAGE=ON -DPENCHANT_CUDA=$(CUDA) > build/configure.log || { cat build/configure.log; exit 1; }
	@python3 tests/check.py . build/release

check-cuda: setup
	@if [ $(CUDA) = ON ]; then \
	  echo "==> CUDA module for sm_80 and sm_90 (compile only)"; \
	  cmake --preset cuda > build/configure.log && cmake --build --preset cuda --parallel $(JOBS); \
	else echo "==> CUDA build skipped: no nvcc on PATH"; fi

bench: build
	@cmake --build --preset release --parallel $(JOBS) --target benches
	@bench/run.sh

# Results add up in bench/results/faults.json and fuzz.json (docs/robustness.md).
FAULTS_MINUTES ?= 10
FUZZ_MINUTES ?= 10
SEED ?= $(shell date +%s)
faults: build
	@cmake --build --preset release --parallel $(JOBS) --target penchant_faults
	@$(PYTHON) tests/faults/faults.py build/release/penchant build/release/tests/libpenchant_faults.so --minutes $(FAULTS_MINUTES) \
	  --jobs $(JOBS) --seed $(SEED) --results bench/results/faults.json $(FAULTS)

fuzz: setup
	@echo "==> Building build/fuzz/tests/fuzz/penchant_fuzz with sanitizers and counted branches (the first time the whole library)"
	@cmake --preset fuzz > build/configure.log || { cat build/configure.log; exit 1; }
	@cmake --build --preset fuzz --parallel $(JOBS)
	@$(PYTHON) tests/fuzz/fuzz.py build/fuzz --minutes $(FUZZ_MINUTES) --jobs $(JOBS) --seed $(SEED) --results bench/results/fuzz.json $(FUZZ)

# What the file names of wheels call this Python, as cp311.
TAG = $(PYTHON) -c 'import sys; print("cp%d%d" % sys.version_info[:2])'

# What builds it lies in an environment of its own, with the files that cmake/locks has hashes of.
# Arrow's libraries stay out of it: pyarrow, which the package depends on, brings them.
wheel:
	@cmake/setup.sh wheel
	@echo "==> Building the wheel (the first time the whole library)"
	@mkdir -p build/wheel && rm -rf build/wheel/plain build/wheel/*-$$($(TAG))-*.whl
	@env=build/wheel_env-$$($(TAG)); lock=cmake/locks/requirements_build.txt; cmp -s $$lock $$env/lock.txt || { rm -rf $$env; $(PYTHON) -m venv $$env && \
	  $$env/bin/python -m pip install --quiet --no-deps --disable-pip-version-check --require-hashes -r $$lock && cp $$lock $$env/lock.txt; }
	@CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) build/wheel_env-$$($(TAG))/bin/python -m pip wheel . --no-build-isolation --no-deps --quiet --disable-pip-version-check --wheel-dir build/wheel/plain
	@PATH="$(CURDIR)/build/venv/bin:$$PATH" build/venv/bin/auditwheel repair build/wheel/plain/*.whl --wheel-dir build/wheel \
	  --exclude 'libarrow.so.*' --exclude 'libparquet.so.*'
	@rm -rf build/wheel/plain
	@ls build/wheel

test-wheel: build
	@wheel=$$(echo $(CURDIR)/build/wheel/penchant-*-$$($(TAG))-*.whl); [ -f "$$wheel" ] || { echo "test-wheel: no $$wheel: make wheel PYTHON=$(PYTHON) first" >&2; exit 1; }; \
	  PENCHANT_WHEEL=$$wheel PENCHANT_PROGRAM=$(CURDIR)/build/release/penchant $(PYTHON) tests/python/installed_test.py

install: build
	@cmake --install build/release --prefix $(PREFIX)

sbom:
	@mkdir -p build && python3 cmake/dependencies.py --sbom build/penchant.spdx.json
	@echo build/penchant.spdx.json

reproducible: setup
	@cmake/reproducible.sh

format:
	@git ls-files '*.cc' '*.h' '*.cu' '*.cuh' | xargs clang-format -i

clean:
	@rm -rf build/release build/dev build/cuda build/coverage build/demo
