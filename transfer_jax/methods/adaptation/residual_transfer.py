"""Residual parameter transfer (Rozantsev, Salzmann & Fua, CVPR 2018)."""

import zlib
from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import traverse_util

from transfer_jax import losses, ops, training, tree
from transfer_jax.methods.adaptation import two_domains, two_streams
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Key, PyTree

SMALL = 0.2  # of B_1 and B_2 at the start: the target stream starts near the source's


def residual_transfer(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
    rate: optim.Schedule,
    rank: int = 32,
    stream_weight: float = 1.0,
    rank_weight: float = 0.01,
    every: int = 1,
    activation: Callable[[Array], Array] = jnp.tanh,
    shared: Sequence[str] = (),
) -> training.Method:
    """RPT: the target's parameters are the source's plus a learned low-rank residual.

    Of every layer with a kernel, as a matrix Theta (C outputs, N inputs and a bias),
      Theta_t = Theta_s + B_1 sigma(T) B_2^T,   T = A_1^T Theta_s A_2 + D,
    with A_1, B_1 (C, l), A_2, B_2 (N, r), D and T (l, r). Trained by
      min mean_source CE(y(f_s(x)), label) + weight * (L_disc + L_stream)
      L_disc: binary cross-entropy of the discriminator with the domains inverted,
      L_stream = stream_weight * (L - log L), L the sum of squares of all residuals,
    and the discriminator by the binary cross-entropy with the true domains. After a step, the
    proximal operator of
      rank_weight * sum_l (sqrt(N) sum_columns ||T_c|| + sqrt(C) sum_rows ||T_r||),
    first of the columns, then of the rows, shortens those of T, and drops those that
    reach zero: what is left is the rank, metrics 'rank_<layer>' (the smaller of both),
    'rows_<layer>' and 'columns_<layer>'. A rank can only fall.

    Trains 'encoder' (the source stream), 'classifier', 'discriminator' and 'residual'.
    `weight` is on all but the labels, the proximal steps included: at 0 encoder and
    classifier move as in source only on a batch without a target, and nothing else
    moves. Biases have residuals, as a column of their layer; scales and shifts of norm
    layers are shared. The target stream has its own batch statistics. The paper trains
    the source first, which is a stage of methods.supervised and then `start_residual`;
    without it, both start together.

    Deviations: discriminator and encoder are updated at once, each from the other's old value,
    in one pass; the shortened T is reached by moving D, and dropped rows and columns by
    setting their entries of A, B and D to zero for good, so that the arrays keep their
    shapes; the weight of rows is by analogy with that of columns; a proximal step
    follows every step, where the paper has many in between (`every`); A, B and D start
    at random such that a residual has a twenty-fifth of the length of sigma(T), D at
    zero, since the paper's text that was at hand does not say how; log L stops at
    L = 1e-6, where all ranks have fallen to zero.

    Args:
      discriminator: (n, d) -> (n,) logits.
      weight: as a function of the step.
      rate: t of the proximal step, as a function of the step: the learning rate of
        'residual'. A column is shortened by 2 t weight rank_weight sqrt(N).
      rank: l and r at the start, at most C and N.
      stream_weight: lambda_s.
      rank_weight: lambda_r.
      every: so many steps between two proximal steps.
      activation: sigma, with sigma(0) = 0: tanh or ReLU.
      shared: regexes on paths of the encoder; layers whose kernel one matches have no
        residual. One that matches nothing raises.
    """
    heads = {'discriminator': two_domains.on_features(discriminator)}

    def init(key, batch):
        first = two_domains.create(key, encoder, classifier, batch, {}, heads=heads)
        own = jax.random.fold_in(key, zlib.crc32(b'residual') & 0x7FFFFFFF)
        source = first.params['encoder']
        residual = _first(own, source, _layers(source, shared), rank)
        params = {**first.params, 'residual': residual}
        others = {**first.model_state, 'residual': first.model_state['encoder']}
        return training.state.create(params, others, txs)

    def residuals(params):
        """{layer: B_1 sigma(T) B_2^T}."""
        matrices = _matrices(params['encoder'], params['residual'])
        return {
            name: own['b1'] @ activation(_inner(own, matrices[name])) @ own['b2'].T
            for name, own in params['residual'].items()
        }

    def target_view(state, moves=None):
        moves = residuals(state.params) if moves is None else moves
        return two_streams.view(
            state,
            _moved(state.params['encoder'], moves),
            state.model_state['residual'],
        )

    def loss(state, batch, key):
        moves = residuals(state.params)
        passed, apart = two_streams.forward(
            encoder, classifier, state, target_view(state, moves), batch, key
        )
        features = two_domains.both(passed, 'features')
        n = passed.label.shape[0]

        def judge(state, features):
            guess, _, moved = networks.run(
                discriminator,
                state,
                'discriminator',
                features,
                train=True,
                key=passed.key,
            )
            return guess[:n], guess[n:], moved

        still = {
            **state.params,
            'discriminator': jax.lax.stop_gradient(state.params['discriminator']),
        }
        source, target, _ = judge(state.replace(params=still), features)
        confusion, _ = two_domains.domain_loss(target, source)  # inverted
        *guess, moved = judge(state, jax.lax.stop_gradient(features))
        domain_loss, right = two_domains.domain_loss(*guess)

        size = sum((jnp.sum(move**2) for move in moves.values()), jnp.zeros(()))
        stream = stream_weight * losses.residual_barrier(size)
        amount = weight(state.step)
        metrics = {
            **passed.metrics,
            'domain_loss': domain_loss,
            'domain_accuracy': right,
            'confusion': confusion,
            'residual': size,
            'weight': amount,
        }
        moved = {**passed.model_state, **moved, 'residual': apart}
        added = confusion + domain_loss + stream
        aux = training.Aux(metrics, model_state=moved)
        return passed.label_loss + amount * added, aux

    trains = ('encoder', 'classifier', 'discriminator', 'residual')
    phase = training.Phase('train', loss, trains)
    gradient_step = training.make_step([phase], txs)

    def step(state, batch, key):
        new, metrics = gradient_step(state, batch, key)
        due = (new.step % every) == 0
        amount = 2 * rate(state.step) * weight(state.step) * rank_weight * due
        matrices = _matrices(new.params['encoder'], new.params['residual'])
        residual = {
            name: _shrink(own, state.params['residual'][name], matrices[name], amount)
            for name, own in new.params['residual'].items()
        }
        for name, own in residual.items():
            rows, columns = (
                jnp.sum(_alive(own[b]), dtype=jnp.float32) for b in ('b1', 'b2')
            )
            metrics[f'train/rank_{name}'] = jnp.minimum(rows, columns)
            metrics[f'train/rows_{name}'] = rows
            metrics[f'train/columns_{name}'] = columns
        return new.replace(params={**new.params, 'residual': residual}), metrics

    return training.Method(
        init,
        step,
        two_streams.classify(encoder, classifier, lambda state: state, target_view),
    )


def start_residual(fresh: TrainState, trained: TrainState) -> TrainState:
    """First state after source training: its networks, and the residuals of `fresh`.

    Args:
      fresh: of `residual_transfer`.
      trained: of methods.supervised, with the same encoder and classifier.
    """
    names = ('encoder', 'classifier')
    return fresh.replace(
        params={**fresh.params, **{name: trained.params[name] for name in names}},
        model_state={
            **fresh.model_state,
            **{name: trained.model_state[name] for name in names},
            'residual': trained.model_state['encoder'],
        },
    )


def _layers(params: PyTree, shared: Sequence[str]) -> list[str]:
    """Names of the layers that have a kernel, and no pattern that matches it."""
    common = traverse_util.flatten_dict(tree.mask(params, shared))
    found = two_streams.layers([path for path in common if path[-1] == 'kernel'])
    return [name for name, (path,) in found.items() if not common[path]]


def _matrices(params: PyTree, names: Sequence[str]) -> dict[str, Array]:
    """{layer: Theta (C, N)}: a row per output, inputs and the bias as columns."""
    flat = traverse_util.flatten_dict(params)

    def matrix(name):
        *place, kernel = (*name.split('.'), 'kernel')
        leaf = flat[(*place, kernel)]
        rows = leaf.reshape(-1, leaf.shape[-1]).T
        bias = flat.get((*place, 'bias'))
        return rows if bias is None else jnp.concatenate([rows, bias[:, None]], 1)

    return {name: matrix(name) for name in names}


def _moved(params: PyTree, moves: Mapping[str, Array]) -> PyTree:
    """The parameters plus the residuals, each in the shape of `_matrices`."""
    flat = dict(traverse_util.flatten_dict(params))
    for name, move in moves.items():
        place = tuple(name.split('.'))
        kernel = flat[(*place, 'kernel')]
        if (*place, 'bias') in flat:
            flat[(*place, 'bias')] += move[:, -1]
            move = move[:, :-1]
        flat[(*place, 'kernel')] = kernel + move.T.reshape(kernel.shape)
    return traverse_util.unflatten_dict(flat)


def _first(key: Key, params: PyTree, names: Sequence[str], rank: int) -> PyTree:
    """{layer: {'a1', 'a2', 'b1', 'b2', 'd'}} before the first step."""

    def draw(name, matrix):
        own = jax.random.fold_in(key, zlib.crc32(name.encode()) & 0x7FFFFFFF)
        keys = jax.random.split(own, 4)
        c, n = matrix.shape
        left, right = min(rank, c), min(rank, n)
        shapes = {'a1': (c, left), 'a2': (n, right), 'b1': (c, left), 'b2': (n, right)}
        drawn = {
            part: jax.random.normal(k, shape) / jnp.sqrt(float(shape[0]))
            for k, (part, shape) in zip(keys, shapes.items(), strict=True)
        }
        drawn.update({part: SMALL * drawn[part] for part in ('b1', 'b2')})
        return {**drawn, 'd': jnp.zeros((left, right))}

    matrices = _matrices(params, names)
    return {name: draw(name, matrix) for name, matrix in matrices.items()}


def _inner(own: Mapping[str, Array], matrix: Array) -> Array:
    """T = A_1^T Theta A_2 + D."""
    return own['a1'].T @ matrix @ own['a2'] + own['d']


def _alive(b: Array) -> Array:
    """Which of the columns of B_1 or B_2 are not dropped."""
    return jnp.any(b != 0, 0)


def _shrink(
    own: Mapping[str, Array],
    before: Mapping[str, Array],
    matrix: Array,
    amount: Array,
) -> dict[str, Array]:
    """One layer's residual after the proximal step.

    What was dropped before the gradient step stays so, whatever momentum made of it.
    """
    c, n = matrix.shape
    inner = _inner(own, matrix)
    short = ops.shrink_groups(inner, amount * jnp.sqrt(float(n)), axis=0)
    short = ops.shrink_groups(short, amount * jnp.sqrt(float(c)), axis=1)
    rows = _alive(before['b1']) & (jnp.any(short != 0, 1) | (amount == 0))
    columns = _alive(before['b2']) & (jnp.any(short != 0, 0) | (amount == 0))
    d = own['d'] + (short - inner)
    return {
        'a1': own['a1'] * rows,
        'b1': own['b1'] * rows,
        'a2': own['a2'] * columns,
        'b2': own['b2'] * columns,
        'd': d * rows[:, None] * columns,
    }
