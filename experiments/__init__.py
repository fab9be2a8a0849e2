"""Experiments: one page each, run as modules."""

import os

# Before jax is imported: on CPU, XLA calls every program that it finds again
# (cli.compilation_cache) one of another machine, because of two preferences of LLVM
# that are no features of a processor (openxla/xla issue 44565). It runs them all the
# same.
# Where a parent has imported jax, the level is jax's own, 1.
if os.environ.get('TF_CPP_MIN_LOG_LEVEL') in (None, '1'):
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
