"""Fine-tuning: training that starts from the parameters of another training.

What is frozen, which layer learns how fast and when it joins is the business of the
optimiser: optim.grouped, layerwise and unfreezing.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from transfer_jax import losses, training, tree
from transfer_jax.methods.transfer import supervised
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import PyTree

Start = Callable[[TrainState, TrainState | None], TrainState]  # running.Stage.start


def fine_tuning(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    alpha: optim.Schedule | None = None,
    beta: optim.Schedule | None = None,
) -> training.Method:
    """Supervised training with an optional pull towards the start: L2-SP.

    min over encoder f (parameters w, start w0), classifier y (parameters w') of
    mean_source CE(y(f(x)), label) + alpha / 2 ||w - w0||^2 + beta / 2 ||w'||^2
    (Li, Grandvalet & Davoine, ICML 2018, eq. 2). It takes the place of the optimisers'
    weight decay. w0 are the encoder's first parameters: those of `init`, or those that
    `start_from` put there; they are kept in state.extra['start'].

    Trains 'encoder' and 'classifier' on a batch with 'source', as methods.supervised
    does, and equals it where alpha and beta are 0 or None.

    Args:
      alpha: of the encoder, as a function of the step; None: no pull, and no copy of
        the start in the state.
      beta: of the classifier; None is 0.
    """
    pulled = alpha is not None
    if beta is not None and not pulled:
        raise ValueError('beta is a part of L2-SP: give alpha too')

    def init(key, batch):
        first = batch[supervised.labelled(batch)[0]]['image']
        params, model_state = networks.initialise(
            key, encoder, {'classifier': classifier}, first
        )
        state = training.state.create(params, model_state, txs)
        return _with_start(state) if pulled else state

    def loss(state, batch, key):
        value, metrics, moved = supervised.label_loss(
            encoder, classifier, state, batch, key
        )
        if pulled:
            pull = losses.l2_sp(
                state.params['encoder'],
                state.extra['start'],
                state.params['classifier'],
                alpha=alpha(state.step),
                beta=0.0 if beta is None else beta(state.step),
            )
            metrics = {**metrics, 'label_loss': value, 'l2_sp': pull}
            value = value + pull
        return value, training.Aux(metrics, model_state=moved)

    phase = training.Phase('train', loss, ('encoder', 'classifier'))
    return training.Method(
        init,
        training.make_step([phase], txs),
        networks.classify(encoder, classifier),
    )


def start_from(
    params: Mapping[str, PyTree],
    model_state: Mapping[str, PyTree] | None = None,
    *,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Start:
    """The start of a stage from pretrained networks: {network: parameters}.

    Networks that `params` does not name keep their fresh values (a new head). Of those
    it names, every leaf must find its place. The optimisers start afresh.

    Args:
      model_state: {network: {'batch_stats': ...}}; left out, all of it is fresh.
      keep: regexes of 'network/layer/name' that keep their fresh value.
      drop: regexes of pretrained leaves that have no place here, such as the layers
        above the one where the network was cut.

    Raises:
      ValueError: when it is called, naming the network or the leaf that does not fit,
        or the pattern that matches nothing.
    """

    def start(fresh, previous=None):
        del previous
        both = {
            'params': _merge(fresh.params, params, keep, drop),
            'model_state': _merge(fresh.model_state, model_state or {}, keep, drop),
        }
        used = [*tree.paths(fresh.params), *tree.paths(fresh.model_state)]
        loaded = [*tree.paths(params), *tree.paths(model_state or {})]
        for patterns, names in ((keep, used), (drop, loaded)):
            for pattern in patterns:
                if not any(re.fullmatch(pattern, name) for name in names):
                    raise ValueError(f'pattern {pattern!r} matches no leaf')
        started = fresh.replace(**both)
        return _with_start(started) if _keeps_start(fresh) else started

    return start


def start_from_previous(fresh: TrainState, previous: TrainState) -> TrainState:
    """The start of a stage with the networks that the one before has, checked.

    Networks that it does not have, such as a new head on a pretrained encoder, keep
    their fresh values; the optimisers start afresh. See running.Experiment.before.

    Raises:
      ValueError: a leaf does not fit, naming it.
    """
    shared = [name for name in previous.params if name in fresh.params]
    return start_from(
        {name: previous.params[name] for name in shared},
        {name: previous.model_state[name] for name in shared},
    )(fresh)


def go_on(fresh: TrainState, previous: TrainState) -> TrainState:
    """The start of a stage with the networks of the one before and new optimisers.

    For gradual unfreezing, whose stages freeze different layers: see optim.unfreezing.
    """
    return fresh.replace(
        params=previous.params,
        model_state=previous.model_state,
        extra=previous.extra,
    )


def choose_layers(layers: Sequence[str], copy: str) -> tuple[str, ...]:
    """The layers that 'first:K' or 'last:K' names, of all in their order.

    Raises:
      ValueError: another word, or more layers than there are.
    """
    side, _, number = copy.partition(':')
    if side not in ('first', 'last') or not number.isdigit():
        raise ValueError(f'copy {copy!r} is not first:K or last:K')
    count = int(number)
    if count > len(layers):
        raise ValueError(f'copy {copy!r}: there are only {len(layers)} layers')
    return tuple(layers[:count] if side == 'first' else layers[len(layers) - count :])


def copy_layers(fresh: PyTree, trained: PyTree, layers: Sequence[str]) -> PyTree:
    """`fresh` with the named layers of `trained`: {layer: {...}} of one architecture.

    For parameters as for batch statistics.

    Raises:
      ValueError: neither tree has the layer, or a leaf does not fit.
    """
    taken = {}
    for layer in layers:
        if layer not in fresh or layer not in trained:
            raise ValueError(
                f'no layer {layer!r} in both; there are: {sorted(set(fresh))} and '
                f'{sorted(set(trained))}'
            )
        taken[layer] = _merge({layer: fresh[layer]}, {layer: trained[layer]})[layer]
    return {**fresh, **taken}


def _merge(fresh, loaded, keep=(), drop=()):
    """{network: tree} with the loaded leaves; other networks and `keep` stay."""

    def found(name, patterns):
        return any(re.fullmatch(pattern, name) for pattern in patterns)

    for network in loaded:
        if network not in fresh:
            raise ValueError(f'no network {network!r}; there are: {sorted(fresh)}')
    ours = {name: fresh[name] for name in loaded}
    pairs = zip(tree.paths(loaded), jax.tree.leaves(loaded), strict=True)
    kept = {n for n in tree.paths(ours) if found(n, keep)}
    leaves = {
        name: jnp.asarray(leaf)
        for name, leaf in pairs
        if name not in kept and not found(name, drop)
    }
    merged = tree.merge(ours, leaves, [re.escape(name) for name in sorted(kept)])
    return {**fresh, **merged}


def _keeps_start(state):
    return isinstance(state.extra, Mapping) and 'start' in state.extra


def _with_start(state):
    return state.replace(extra={'start': state.params['encoder']})
