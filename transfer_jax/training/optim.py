"""Optimisers and schedules, as functions of the step of the state.

An optimiser's own count would restart with each stage and differ between networks, so
the rate is multiplied in by `by_step`, which reads the step that make_step passes.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from transfer_jax import tree
from transfer_jax.types import Array

Schedule = Callable[[Array], Array]


def ganin_rate(steps: int, base: Array | float = 0.01) -> Schedule:
    """Learning rate base / (1 + 10 p)^0.75 at progress p = step / steps.

    Ganin et al. (2016), section 5.2.2.
    """
    return lambda step: base / (1 + 10 * step / steps) ** 0.75


def ganin_strength(steps: int, top: Array | float = 1.0) -> Schedule:
    """Reversal strength top (2 / (1 + exp(-10 p)) - 1) at progress p.

    Ganin et al. (2016), eq. 14; 0 at the start, nearly `top` from p = 0.5 on.
    """
    return lambda step: top * (2 / (1 + jnp.exp(-10 * step / steps)) - 1)


def constant(value: Array | float) -> Schedule:
    """The same value at every step."""
    return lambda step: jnp.asarray(value, jnp.float32)


def by_step(rate: Schedule) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by -rate(step), the step of the training state."""

    def update(updates, state, params=None, *, step, **extra):
        del params, extra
        factor = -rate(step)
        return jax.tree.map(lambda u: factor.astype(u.dtype) * u, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


def sgd(
    rate: Schedule, *, momentum: float = 0.9, decay: float = 0.0
) -> optax.GradientTransformation:
    """Stochastic gradient descent with heavy-ball momentum and L2 decay."""
    return optax.chain(
        optax.add_decayed_weights(decay) if decay else optax.identity(),
        optax.trace(momentum) if momentum else optax.identity(),
        by_step(rate),
    )


def adam(
    rate: Schedule, *, b1: float = 0.9, b2: float = 0.999, decay: float = 0.0
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015) with decoupled decay (Loshchilov & Hutter 2019)."""
    return optax.chain(
        optax.scale_by_adam(b1=b1, b2=b2),
        optax.add_decayed_weights(decay) if decay else optax.identity(),
        by_step(rate),
    )


def freeze(
    tx: optax.GradientTransformation, patterns: Sequence[str]
) -> optax.GradientTransformation:
    """`tx`, but leaves whose path matches a pattern never move, not even by decay.

    Raises:
      ValueError: at init, when a pattern matches no path.
    """
    rules = [(pattern, 'freeze') for pattern in patterns]
    return optax.partition(
        {'train': tx, 'freeze': optax.set_to_zero()},
        lambda params: tree.labels(params, rules, default='train'),
    )
