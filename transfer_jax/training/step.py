"""Phases to a training step."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import optax

from transfer_jax import tree
from transfer_jax.ops import collective
from transfer_jax.training import naming, optim
from transfer_jax.training.method import Phase
from transfer_jax.training.state import TrainState
from transfer_jax.types import Batch, Key, Metrics


def make_step(
    phases: Sequence[Phase], txs: Mapping[str, optax.GradientTransformation]
) -> Callable[[TrainState, Batch, Key], tuple[TrainState, Metrics]]:
    """A `Method.step` that runs the phases in order.

    The key of step t is fold_in(key, state.step), and that of a phase depends on its
    name, not on the phases beside it. Gradients, metrics and statistics are
    averaged over the devices of the axis 'data' where it is bound. Transforms get
    `value`, `grad`, `value_fn` and `step` as extra arguments.

    Args:
      txs: {network: optimiser}; a network has one, whichever phases train it. Leaves
        that it freezes (optim.Grouped) are constants of the loss: their gradient is
        not computed, and `grad` is 0 there.

    Raises:
      ValueError: a phase trains a network without an optimiser, or two phases have one
        name.
    """
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ValueError(f'two phases have the same name: {names}')
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
            of_phase = jax.random.fold_in(key, naming.number(phase.name))
            for again in range(phase.repeat):
                own = jax.random.fold_in(of_phase, again)
                state, carry, measured = _update(phase, txs, state, batch, own)
                batch = {**batch, **(carry or {})}
                metrics.update({f'{phase.name}/{k}': v for k, v in measured.items()})
        return state.replace(step=state.step + 1), metrics

    return step


def _update(phase, txs, state, batch, key):
    """One gradient step: the new state, what is carried on, and the metrics."""

    def loss(trained):
        return phase.loss(state.replace(params={**state.params, **trained}), batch, key)

    def of_moving(moving):
        return loss({name: tree.combine(moving[name], still[name]) for name in moving})

    moves = {name: _moves(txs[name], state.params[name]) for name in phase.trains}
    moving, still = {}, {}
    for name in phase.trains:
        moving[name], still[name] = tree.partition(state.params[name], moves[name])
    (value, aux), gradients = jax.value_and_grad(of_moving, has_aux=True)(moving)
    value, gradients = collective.mean((value, gradients))

    params, opt_state = dict(state.params), dict(state.opt_state)
    trained = {name: state.params[name] for name in phase.trains}
    for name in phase.trains:
        none = jax.tree.map(jnp.zeros_like, still[name])
        gradient = tree.combine(gradients[name], none)
        updates, opt_state[name] = txs[name].update(
            gradient,
            state.opt_state[name],
            state.params[name],
            value=value,
            grad=gradient,
            value_fn=lambda p, name=name: loss({**trained, name: p})[0],
            step=state.step,
        )
        moved = optax.apply_updates(
            moving[name], tree.partition(updates, moves[name])[0]
        )
        params[name] = tree.combine(moved, still[name])

    new = state.replace(params=params, opt_state=opt_state)
    if aux.model_state is not None:
        moved = collective.mean(aux.model_state)
        new = new.replace(model_state={**state.model_state, **moved})
    if aux.extra is not None:
        new = new.replace(extra=aux.extra)
    return new, aux.carry, {'loss': value, **collective.mean(aux.metrics)}


def _moves(tx, params):
    """A tree of booleans: the leaves that an optimiser does not freeze."""
    if isinstance(tx, optim.Grouped):
        return jax.tree.map(lambda frozen: not frozen, tx.frozen(params))
    return jax.tree.map(lambda leaf: True, params)
