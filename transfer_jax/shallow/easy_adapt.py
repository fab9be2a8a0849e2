"""EasyAdapt: shared and domain-specific copies of the features (Daume 2007)."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class EasyAdapt(NamedTuple):
    """No parameters."""


def easy_adapt() -> Shallow:
    """Triples the features: shared ones, source-specific ones, target-specific ones.

    A source example x becomes (x, x, 0), a target example (x, 0, x) (Daume III,
    "Frustratingly Easy Domain Adaptation", ACL 2007, section 3). A classifier of source
    and labelled target examples then has shared and domain-specific weights. Labelled
    target examples are required, because nothing else determines the weights of the
    target-specific features.
    """

    def source(fitted, x):
        del fitted
        return jnp.concatenate([x, x, jnp.zeros_like(x)], 1)

    def target(fitted, x):
        del fitted
        return jnp.concatenate([x, jnp.zeros_like(x), x], 1)

    return Shallow(_nothing, source, target, semi_supervised=True)


def mark_domain() -> Shallow:
    """Appends the domain as a last feature, 0 for source and 1 for target.

    `easy_adapt_kernel` reads it. Other kernels and classifiers would treat it as an
    ordinary feature.
    """

    def source(fitted, x):
        del fitted
        return jnp.concatenate([x, jnp.zeros_like(x[:, :1])], 1)

    def target(fitted, x):
        del fitted
        return jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1)

    return Shallow(_nothing, source, target, semi_supervised=True)


def easy_adapt_kernel(kernel: Kernel) -> Kernel:
    """EasyAdapt in a kernel space, for rows with the last feature of `mark_domain`.

    2 k(x, y) within a domain and k(x, y) across (Daume III 2007, section 3). With
    ops.linear_kernel this is the inner product of the features of `easy_adapt`:

        pipeline(mark_domain(), kernel_svm(10, kernel=easy_adapt_kernel(kernel)))
    """

    def augmented(x: Array, y: Array) -> Array:
        chex.assert_rank([x, y], 2)
        same_domain = x[:, -1:] == y[:, -1]
        return kernel(x[:, :-1], y[:, :-1]) * (1 + same_domain)

    return augmented


def _nothing(key, source, target):
    del key, source, target
    return EasyAdapt()
