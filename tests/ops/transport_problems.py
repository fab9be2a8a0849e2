"""A transport problem, and functions in float64."""

import functools

import jax
import numpy as np


def problem(seed=0, n=12, m=9):
    """(cost (n, m), weights (n,), weights (m,)) drawn by seed."""
    rng = np.random.default_rng(seed)
    cost = rng.uniform(size=(n, m))
    a, b = rng.uniform(0.5, 1.5, n), rng.uniform(0.5, 1.5, m)
    return cost, a / a.sum(), b / b.sum()


def double(function):
    """Compiled and run in float64."""

    @functools.wraps(function)
    def run(*arguments):
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, jax.jit(function)(*arguments))

    return run
