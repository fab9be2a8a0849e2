# make demo: install, then DANN on embedded digits (minutes). make test: the suite.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# With an NVIDIA driver present, JAX with CUDA.
comma := ,
EXTRAS := $(if $(shell command -v nvidia-smi 2>/dev/null),dev$(comma)cuda,dev)


.PHONY: demo test test-gpu test-slow bench lint clean

demo: $(VENV)/installed
	$(RUN) -m experiments.demo

# Files of tests side by side, one process a core; then those that need eight devices,
# whose number is fixed before jax starts.
test: $(VENV)/installed
	$(RUN) -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
	    --durations 10
	JAX_NUM_CPU_DEVICES=8 $(RUN) -m pytest tests/eight_devices --durations 10

# On the accelerator, by several processes that share its memory.
test-gpu: $(VENV)/installed
	JAX_PLATFORMS= $(RUN) -c 'import jax; jax.default_backend() == "cpu" and \
	    exit("no accelerator: make test runs the tests on the CPU")'
	JAX_PLATFORMS= JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_PYTHON_CLIENT_PREALLOCATE=false \
	    XLA_FLAGS="$$XLA_FLAGS --xla_gpu_deterministic_ops=true" \
	    $(RUN) -m pytest -m accelerator -n auto --maxprocesses 8 --dist worksteal \
	    --durations 10

test-slow: $(VENV)/installed
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(RUN) -m pytest -m slow
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 JAX_NUM_CPU_DEVICES=8 \
	    $(RUN) -m pytest tests/eight_devices -m slow

bench: $(VENV)/installed
	$(RUN) -m benchmarks

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[$(EXTRAS)]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
