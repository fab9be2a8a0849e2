"""Phases to a training step."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from transfer_jax.ops import collective
from transfer_jax.training import naming, optim
from transfer_jax.training.method import Phase
from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, Batch, Key, Metrics, PyTree


def make_step(
    phases: Sequence[Phase], txs: optim.Optimisers
) -> Callable[[TrainState, Batch, Key], tuple[TrainState, Metrics]]:
    """A `Method.step` that runs the phases in order.

    The key of step t is fold_in(key, state.step), and that of a phase depends on its
    name, not on the phases beside it. Gradients, metrics and statistics are
    averaged over the devices of the axis 'data' where it is bound. Transforms get
    `value`, `grad`, `value_fn` and `step` as extra arguments.

    A weight in front of a loss is not enough for a phase of its own: momentum moves
    parameters without a gradient, and Adam divides the weight out. `Phase.part` scales
    the update instead.

    Args:
      txs: {network: optimiser}; a network has one, whichever phases train it. Or one
        optimiser for all networks.

    Raises:
      ValueError: a phase trains a network without an optimiser, or two phases have one
        name.
    """
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ValueError(f'two phases have the same name: {names}')
    trained = [network for phase in phases for network in phase.trains]
    txs = optim.by_network(txs, trained)
    for phase in phases:
        for network in phase.trains:
            if network not in txs:
                raise ValueError(
                    f'phase {phase.name!r} trains {network!r}, which has no optimiser; '
                    f'there are: {sorted(txs)}'
                )
    txs = {name: optax.with_extra_args_support(tx) for name, tx in txs.items()}

    def step(state, batch, key):
        key = jax.random.fold_in(key, state.step)
        metrics = {}
        for phase in phases:
            phase_key = jax.random.fold_in(key, naming.number(phase.name))
            for repetition in range(phase.repeat):
                update_key = jax.random.fold_in(phase_key, repetition)
                state, carry, measured = _update(phase, txs, state, batch, update_key)
                batch = {**batch, **(carry or {})}
                metrics.update({f'{phase.name}/{k}': v for k, v in measured.items()})
        return state.replace(step=state.step + 1), metrics

    return step


def _update(phase, txs, state, batch, key):
    """One gradient step: the new state, what is carried on, and the metrics."""

    def loss(trained):
        return phase.loss(state.replace(params={**state.params, **trained}), batch, key)

    trained = {name: state.params[name] for name in phase.trains}
    (value, aux), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
    value, gradients = collective.mean((value, gradients))

    params, opt_state = dict(state.params), dict(state.opt_state)
    for name in phase.trains:
        updates, new = txs[name].update(
            gradients[name],
            state.opt_state[name],
            state.params[name],
            value=value,
            grad=gradients[name],
            value_fn=lambda p, name=name: loss({**trained, name: p})[0],
            step=state.step,
        )
        if phase.part is not None:
            part = jnp.asarray(phase.part(state.step))
            none = jax.tree.map(
                lambda u: jnp.full_like(u, -0.0), updates
            )  # x + -0.0 is x
            updates = _partly(none, updates, part)
            new = _partly(state.opt_state[name], new, jnp.minimum(part, 1.0))
        opt_state[name] = new
        params[name] = optax.apply_updates(state.params[name], updates)

    new_state = state.replace(params=params, opt_state=opt_state)
    if aux.model_state is not None:
        model_state = collective.mean(aux.model_state)
        new_state = new_state.replace(model_state={**state.model_state, **model_state})
    if aux.extra is not None:
        new_state = new_state.replace(extra=aux.extra)
    return new_state, aux.carry, {'loss': value, **collective.mean(aux.metrics)}


def _partly(old: PyTree, new: PyTree, part: Array) -> PyTree:
    """(1 - part) old + part new; exactly old at 0, and exactly new at 1.

    Whole numbers, such as the count of Adam, are those of `new` from part 1/2 on.
    """

    def leaf(old, new):
        if not jnp.issubdtype(new.dtype, jnp.floating):
            return jnp.where(part >= 0.5, new, old)
        share = part.astype(new.dtype)
        between = (1 - share) * old + share * new
        return jnp.where(part > 0, jnp.where(part == 1, new, between), old)

    return jax.tree.map(leaf, old, new)
