"""Fine-tuning: training that starts from the parameters of another training.

The optimiser decides which layers are frozen, how fast each learns and when it starts
to: see optim.grouped, optim.layerwise and optim.unfreezing.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import losses, training, tree
from transfer_jax.methods.transfer import supervised
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import PyTree

Start = Callable[[TrainState, TrainState | None], TrainState]  # see runs: Stage.start


def fine_tuning(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    alpha: optim.Schedule | float | None = None,
    beta: optim.Schedule | float | None = None,
) -> training.Method:
    """Supervised training, optionally with an L2-SP penalty.

    min over encoder f (parameters w, start w0), classifier y (parameters w') of
    mean_source CE(y(f(x)), label) + alpha / 2 ||w - w0||^2 + beta / 2 ||w'||^2
    (Li, Grandvalet & Davoine, ICML 2018, eq. 2). The penalty replaces the optimisers'
    weight decay. w0 are the encoder's first parameters, set by `init` or `start_from`
    and stored in state.extra['start'].

    Trains 'encoder' and 'classifier' on a batch with 'source'. Where alpha and beta are
    0 or None, it equals methods.supervised.

    Args:
      alpha: weight of the encoder's penalty, as a function of the step. None: no
        penalty, and no copy of the start in the state.
      beta: weight of the classifier's penalty; None is 0.

    Raises:
      ValueError: beta without alpha.
    """
    penalised = alpha is not None
    if beta is not None and not penalised:
        raise ValueError('beta is a part of L2-SP: give alpha too')
    alpha, beta = (
        optim.as_schedule(0.0 if value is None else value, name)
        for name, value in (('alpha', alpha), ('beta', beta))
    )

    def init(key, batch):
        first = batch[supervised.labelled(batch)[0]]['image']
        params, model_state = networks.initialise(
            key, encoder, {'classifier': classifier}, first
        )
        state = training.state.create(params, model_state, txs)
        return _with_start(state) if penalised else state

    def loss(state, batch, key):
        value, metrics, new_state = supervised.label_loss(
            encoder, classifier, state, batch, key
        )
        if penalised:
            penalty = losses.l2_sp(
                state.params['encoder'],
                state.extra['start'],
                state.params['classifier'],
                alpha=alpha(state.step),
                beta=beta(state.step),
            )
            metrics = {**metrics, 'label_loss': value, 'l2_sp': penalty}
            value = value + penalty
        return value, training.Aux(metrics, model_state=new_state)

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
    """Start a stage from pretrained networks, {network: parameters}.

    Networks that are not in `params`, such as a new head, have their initial values. In
    the others, every pretrained leaf must match a leaf. The optimisers start anew.

    Args:
      params: {network: pretrained parameters}.
      model_state: {network: {'batch_stats': ...}}; None uses initial values.
      keep: regexes of 'network/layer/name' that keep their initial value.
      drop: regexes of pretrained leaves to ignore, such as the layers above the one
        where the network was cut.

    Raises:
      ValueError: when the start is called; names the network or leaf that does not fit,
        or the pattern that matches nothing.
    """

    def start(fresh, previous=None):
        del previous
        started = fresh.replace(
            params=_merge(fresh.params, params, keep, drop),
            model_state=_merge(fresh.model_state, model_state or {}, keep, drop),
        )
        own_leaves = [*tree.paths(fresh.params), *tree.paths(fresh.model_state)]
        loaded = [*tree.paths(params), *tree.paths(model_state or {})]
        for patterns, names in ((keep, own_leaves), (drop, loaded)):
            for pattern in patterns:
                if not any(re.fullmatch(pattern, name) for name in names):
                    raise ValueError(f'pattern {pattern!r} matches no leaf')
        return _with_start(started) if _has_start(fresh) else started

    return start


def start_from_previous(fresh: TrainState, previous: TrainState) -> TrainState:
    """Start a stage with the networks of the previous state, checking every leaf.

    Networks that the previous state lacks, such as a new head on a pretrained encoder,
    have their initial values. The optimisers start anew. See runs: Experiment.before.

    Raises:
      ValueError: names a leaf that does not fit.
    """
    shared = [name for name in previous.params if name in fresh.params]
    return start_from(
        {name: previous.params[name] for name in shared},
        {name: previous.model_state[name] for name in shared},
    )(fresh)


def continue_from_previous(fresh: TrainState, previous: TrainState) -> TrainState:
    """Start a stage with all networks of the previous stage and new optimisers.

    For gradual unfreezing, whose stages freeze different layers: see optim.unfreezing.
    """
    return fresh.replace(
        params=previous.params,
        model_state=previous.model_state,
        extra=previous.extra,
    )


def choose_layers(layers: Sequence[str], copy: str) -> tuple[str, ...]:
    """The layers selected by 'first:K' or 'last:K'.

    Args:
      layers: all layers, in order.

    Raises:
      ValueError: `copy` has another form, or K exceeds the number of layers.
    """
    side, _, number = copy.partition(':')
    if side not in ('first', 'last') or not number.isdigit():
        raise ValueError(f'copy {copy!r} must be first:K or last:K')
    count = int(number)
    if count > len(layers):
        raise ValueError(f'copy {copy!r}: there are only {len(layers)} layers')
    return tuple(layers[:count] if side == 'first' else layers[len(layers) - count :])


def copy_layers(fresh: PyTree, trained: PyTree, layers: Sequence[str]) -> PyTree:
    """`fresh` with the named layers of `trained`.

    Both are {layer: {...}} of one architecture: parameters or batch statistics.

    Raises:
      ValueError: one of the trees lacks the layer, or a leaf does not fit.
    """
    copied = {}
    for layer in layers:
        if layer not in fresh or layer not in trained:
            raise ValueError(
                f'no layer {layer!r} in both networks; they have '
                f'{sorted(set(fresh))} and {sorted(set(trained))}'
            )
        copied[layer] = _merge({layer: fresh[layer]}, {layer: trained[layer]})[layer]
    return {**fresh, **copied}


def _merge(fresh, loaded, keep=(), drop=()):
    """`fresh`, {network: tree}, with the loaded leaves except those `keep` matches."""

    def matches(name, patterns):
        return any(re.fullmatch(pattern, name) for pattern in patterns)

    for network in loaded:
        if network not in fresh:
            raise ValueError(f'no network {network!r}; choose from: {sorted(fresh)}')
    old = {name: fresh[name] for name in loaded}
    pairs = zip(tree.paths(loaded), jax.tree.leaves(loaded), strict=True)
    unchanged = {name for name in tree.paths(old) if matches(name, keep)}
    leaves = {
        name: jnp.asarray(leaf)
        for name, leaf in pairs
        if name not in unchanged and not matches(name, drop)
    }
    merged = tree.merge(old, leaves, [re.escape(name) for name in sorted(unchanged)])
    return {**fresh, **merged}


def _has_start(state):
    return isinstance(state.extra, Mapping) and 'start' in state.extra


def _with_start(state):
    return state.replace(extra={'start': state.params['encoder']})
