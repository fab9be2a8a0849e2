"""Optimisers and schedules, as functions of the step of the state.

An optimiser's own count would restart with each stage and differ between networks, so
the rate is multiplied in by `by_step`, which reads the step that make_step passes.
Other schedules are optax's, such as
`scaled(optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, steps), base)`, which rises
to base and falls to 0 at `steps`; `base` may be traced, their own arguments may not.
`grouped` treats the parameters of one network differently, by rules on their paths.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from transfer_jax import tree
from transfer_jax.types import Array, PyTree

Schedule = Callable[[Array], Array | float]
constant = optax.constant_schedule  # the same value at every step
# {network: its optimiser}, or one for all networks that are trained.
Optimisers = Mapping[str, optax.GradientTransformation] | optax.GradientTransformation


def as_schedule(value: Schedule | Array | float, name: str = 'schedule') -> Schedule:
    """A schedule as it is; a number as the same value at every step.

    Raises:
      ValueError: neither, or not finite; the message gives `name` and the choices.
    """
    if callable(value):
        return value
    number = isinstance(value, int | float | np.number | np.ndarray | jax.Array)
    if isinstance(value, bool) or not number or jnp.ndim(value):
        raise ValueError(
            f'{name} must be a number or a function of the step, such as '
            f'optim.constant or optim.ganin_strength, not {value!r}'
        )
    if not isinstance(value, jax.core.Tracer) and not np.isfinite(value):
        raise ValueError(f'{name} is {value}: give a finite number')
    return constant(float(value) if isinstance(value, int) else value)


def by_network(
    txs: Optimisers, networks: Iterable[str]
) -> dict[str, optax.GradientTransformation]:
    """{network: optimiser}: `txs` itself, or one optimiser for each of the networks.

    Raises:
      ValueError: `txs` is neither.
    """
    if isinstance(txs, Mapping):
        return dict(txs)
    if not isinstance(txs, optax.GradientTransformation):
        raise ValueError(
            'txs must be an optimiser or {network: optimiser}, such as '
            f'optim.adam(1e-3), not a {type(txs).__name__}'
        )
    return {name: txs for name in networks}


def ganin_rate(steps: int, base: Array | float = 0.01) -> Schedule:
    """Learning rate base / (1 + 10 p)^0.75 at progress p = step / steps.

    Ganin et al. (2016), section 5.2.2.
    """
    _check_rate('base', base)
    return lambda step: base / (1 + 10 * step / steps) ** 0.75


def ganin_strength(steps: int, top: Array | float = 1.0) -> Schedule:
    """Reversal strength top (2 / (1 + exp(-10 p)) - 1) at progress p.

    Ganin et al. (2016), eq. 14; 0 at the start, nearly `top` from p = 0.5 on.
    """
    return lambda step: top * (2 / (1 + jnp.exp(-10 * step / steps)) - 1)


def scaled(rate: Schedule | float, factor: Array | float) -> Schedule:
    """The schedule `factor` times `rate`."""
    rate = as_schedule(rate, 'rate')
    return lambda step: factor * rate(step)


def by_step(rate: Schedule | float) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by -rate(step), the step of the training state.

    Raises:
      ValueError: a negative number, or neither a number nor a schedule.
    """
    _check_rate('rate', rate)
    rate = as_schedule(rate, 'rate')

    def update(updates, state, params=None, *, step, **extra):
        del params, extra
        factor = -jnp.asarray(rate(step), jnp.float32)
        return jax.tree.map(lambda u: factor.astype(u.dtype) * u, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


def sgd(
    rate: Schedule | float, *, momentum: float = 0.9, decay: float = 0.0
) -> optax.GradientTransformation:
    """Stochastic gradient descent with heavy-ball momentum and L2 decay."""
    return optax.chain(
        optax.add_decayed_weights(decay) if decay else optax.identity(),
        optax.trace(momentum) if momentum else optax.identity(),
        by_step(rate),
    )


def adam(
    rate: Schedule | float, *, b1: float = 0.9, b2: float = 0.999, decay: float = 0.0
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015) with decoupled decay (Loshchilov & Hutter 2019)."""
    return optax.chain(
        optax.scale_by_adam(b1=b1, b2=b2),
        optax.add_decayed_weights(decay) if decay else optax.identity(),
        by_step(rate),
    )


@dataclasses.dataclass(frozen=True)
class Group:
    """How some of a network's parameters are trained."""

    rate: float = 1.0  # multiple of the learning rate
    decay: bool = True  # by weight decay
    frozen: bool = False  # never moved


# (regex of paths in one network, its group); the first that matches counts.
Rules = Sequence[tuple[str, Group]]


def grouped(
    tx_of: Callable[[Group], optax.GradientTransformation], rules: Rules
) -> optax.GradientTransformationExtraArgs:
    """An optimiser for each group of a network's leaves: `tx_of(group)`.

    As in `grouped(lambda g: sgd(scaled(rate, g.rate), decay=1e-4 * g.decay), rules)`.
    Leaves that no pattern matches are of Group(). Frozen leaves have no optimiser state
    and keep their bits, whatever decay there is. Nothing reads their gradients, so XLA
    does not compute them. A transform that calls `value_fn` (a line search) sees only
    its own group and cannot be used here.

    Raises:
      ValueError: at init, when a pattern matches no path.
    """
    names: dict[Group, str] = {}
    for _, group in [*rules, ('', Group())]:
        names.setdefault(group, _FROZEN if group.frozen else f'group_{len(names)}')
    patterns = [(pattern, names[group]) for pattern, group in rules]

    def labels(params):
        return tree.labels(params, patterns, default=names[Group()])

    txs = {
        name: _stand_still() if group.frozen else tx_of(group)
        for group, name in names.items()
    }
    return optax.partition(txs, labels)


def freeze(
    tx: optax.GradientTransformation, patterns: Sequence[str]
) -> optax.GradientTransformationExtraArgs:
    """`tx`, but leaves whose path matches a pattern never move, not even by decay.

    Raises:
      ValueError: at init, when a pattern matches no path.
    """
    rules = [(pattern, Group(frozen=True)) for pattern in patterns]
    return grouped(lambda group: tx, rules)


def accumulate(
    tx: optax.GradientTransformation, steps: int
) -> optax.GradientTransformationExtraArgs:
    """`tx` on the mean gradient of every `steps` steps; between them nothing moves.

    By optax.MultiSteps: a batch of n * steps needs the memory of a batch of n.
    Schedules count the steps of the state, that is, the small batches.

    It goes inside `grouped` and `freeze`, as in
    `grouped(lambda group: accumulate(sgd(scaled(rate, group.rate)), 4), rules)` or
    `freeze(accumulate(tx, 4), patterns)`. Around them it would compute and store the
    gradients of frozen leaves.

    Raises:
      ValueError: fewer than one step; at init, when `tx` has groups.
    """
    if steps < 1:
        raise ValueError(f'gradients of {steps} steps cannot be accumulated')
    multi_steps = optax.MultiSteps(tx, every_k_schedule=steps)

    def init(params):
        state = multi_steps.init(params)
        if _has_groups(state.inner_opt_state):
            raise ValueError(
                'accumulate around grouped or freeze stores the gradients of frozen '
                'leaves; write grouped(lambda group: accumulate(tx, steps), rules) or '
                'freeze(accumulate(tx, steps), patterns)'
            )
        return state

    return optax.GradientTransformationExtraArgs(init, multi_steps.update)


def layerwise(
    layers: Sequence[str], decay: float, *, above: int = 0
) -> list[tuple[str, Group]]:
    """Rules that lower the rate from layer to layer: decay^depth, counted from the top.

    Howard & Ruder (2018), section 3.2, "discriminative fine-tuning" with 1 / decay =
    2.6.

    Args:
      layers: names in their order, the lowest first.
      above: layers of other networks above these, such as 1 for a classifier: the depth
        of the last layer.
    """
    top = len(layers) - 1 + above
    return [
        (_of_layer(layer), Group(rate=decay ** (top - i)))
        for i, layer in enumerate(layers)
    ]


def unfreezing(layers: Sequence[str]) -> list[list[tuple[str, Group]]]:
    """Rules of each stage of gradual unfreezing: stage i trains the last i layers.

    Howard & Ruder (2018), section 3.3: in stage 0 all layers are frozen and only the
    networks above learn, then one more layer joins from stage to stage. Each is a
    runs.Stage with start=methods.continue_from_previous. In contrast to a rate that is
    0 at first, this saves the backward pass of frozen layers, and the momentum of a
    layer begins when it joins.

    Args:
      layers: names in their order, the lowest first.
    """
    stops = range(len(layers), -1, -1)
    return [[(_of_layer(n), Group(frozen=True)) for n in layers[:s]] for s in stops]


_FROZEN = 'frozen'


def _check_rate(name, rate) -> None:
    if isinstance(rate, int | float) and not rate >= 0:
        raise ValueError(f'{name} is {rate}: a learning rate is not negative')


def _stand_still() -> optax.GradientTransformation:
    """optax.set_to_zero, but of -0.0: x + 0.0 is not x to the bit where x is -0.0."""
    return optax.stateless(
        lambda updates, params: jax.tree.map(lambda u: jnp.full_like(u, -0.0), updates)
    )


def _has_groups(opt_state: PyTree) -> bool:
    def is_partition(node):
        return isinstance(node, optax.PartitionState)

    return any(map(is_partition, jax.tree.leaves(opt_state, is_leaf=is_partition)))


def _of_layer(name: str) -> str:
    return f'{re.escape(name)}/.*'
