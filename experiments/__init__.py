"""Experiments: a module each, run as `python -m experiments.NAME`."""

import os

# Set before jax is imported. On CPU, XLA warns at every hit of cli.compilation_cache
# that the program is of another machine, because of two LLVM preferences that are no
# processor features (openxla/xla issue 44565). It runs the program all the same.
# In the child of a process that has imported jax, the level is jax's default, 1.
if os.environ.get('TF_CPP_MIN_LOG_LEVEL') in (None, '1'):
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
