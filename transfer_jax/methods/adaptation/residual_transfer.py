"""Residual parameter transfer (Rozantsev, Salzmann & Fua, CVPR 2018)."""

import zlib
from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import traverse_util

from transfer_jax import losses, ops, training, tree
from transfer_jax.methods.adaptation import two_domains, two_streams
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Key, PyTree

# Scale of B_1 and B_2 at the start: the target stream starts near the source stream.
SMALL = 0.2


def residual_transfer(
    encoder: nn.Module,
    classifier: nn.Module,
    discriminator: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    rate: optim.Schedule | float,
    rank: int = 32,
    stream_weight: float = 1.0,
    rank_weight: float = 0.01,
    every: int = 1,
    activation: Callable[[Array], Array] = jnp.tanh,
    shared: Sequence[str] = (),
) -> training.Method:
    """RPT: the target's parameters are the source's plus a learned low-rank residual.

    Every layer with a kernel is a matrix Theta (C outputs, N inputs and a bias), with
      Theta_t = Theta_s + B_1 sigma(T) B_2^T,   T = A_1^T Theta_s A_2 + D,
    A_1, B_1 (C, l), A_2, B_2 (N, r), D and T (l, r). Training solves
      min mean_source CE(y(f_s(x)), label) + weight * (L_disc + L_stream)
      L_disc: binary cross-entropy of the discriminator with the domains inverted,
      L_stream = stream_weight * (L - log L), L the sum of squares of all residuals;
    the discriminator minimises the binary cross-entropy with the true domains. After
    each step, the proximal operator of
      rank_weight * sum_l (sqrt(N) sum_columns ||T_c|| + sqrt(C) sum_rows ||T_r||)
    shortens first the columns of T, then its rows. Those that reach zero are dropped,
    so the rank can only fall. Metrics 'rows_<layer>' and 'columns_<layer>' count those
    that are left; 'rank_<layer>' is the smaller of the two.

    Trains 'encoder' (the source stream), 'classifier', 'discriminator' and 'residual'.
    `weight` multiplies every term but the label loss, and the proximal steps. At 0,
    encoder and classifier train as in source only on a batch without a target, and
    nothing else changes. Biases have residuals, as a column of their layer. Scales and
    shifts of norm layers are shared. The target stream has its own batch statistics.
    The paper trains the source first: use a stage of methods.supervised, then
    `start_residual`. Otherwise both streams start together.

    Deviations:
      - Both binary cross-entropies are the sum of the two domains' means; the paper
        has the mean over both, which is half of it.
      - Discriminator and encoder are updated in one pass, each from the other's old
        value.
      - T is shortened by changing D. Dropped rows and columns have their entries of A,
        B and D set to zero permanently, so the arrays keep their shapes.
      - The weight of rows is chosen by analogy with that of columns.
      - A proximal step follows every step; the paper takes many steps in between
        (`every`).
      - D starts at zero. A and B start at random, scaled so that a residual has a
        twenty-fifth of the length of sigma(T). The available text of the paper does not
        specify the initialisation.
      - log L is constant below L = 1e-6, where all ranks have fallen to zero.

    Args:
      discriminator: (n, d) -> (n,) logits.
      weight: weight of the added terms, as a function of the step.
      rate: t of the proximal step, as a function of the step; the learning rate of
        'residual'. A column is shortened by 2 t weight rank_weight sqrt(N).
      rank: l and r at the start, at most C and N.
      stream_weight: lambda_s.
      rank_weight: lambda_r.
      every: number of steps from one proximal step to the next.
      activation: sigma, with sigma(0) = 0: tanh or ReLU.
      shared: regexes on paths of the encoder. A layer whose kernel is matched has no
        residual. A pattern that matches nothing raises ValueError.
    """
    weight = optim.as_schedule(weight, 'weight')
    rate = optim.as_schedule(rate, 'rate')
    heads = {'discriminator': two_domains.on_features(discriminator)}

    def init(key, batch):
        first = two_domains.create(key, encoder, classifier, batch, {}, heads=heads)
        residual_key = jax.random.fold_in(key, zlib.crc32(b'residual') & 0x7FFFFFFF)
        source = first.params['encoder']
        residual = _initial(residual_key, source, _layers(source, shared), rank)
        params = {**first.params, 'residual': residual}
        model_state = {**first.model_state, 'residual': first.model_state['encoder']}
        return training.state.create(params, model_state, txs)

    def residuals(params):
        """{layer: B_1 sigma(T) B_2^T}."""
        matrices = _matrices(params['encoder'], params['residual'])
        return {
            name: (
                factors['b1']
                @ activation(_inner(factors, matrices[name]))
                @ factors['b2'].T
            )
            for name, factors in params['residual'].items()
        }

    def target_view(state, added=None):
        added = residuals(state.params) if added is None else added
        return two_streams.view(
            state,
            _add(state.params['encoder'], added),
            state.model_state['residual'],
        )

    def loss(state, batch, key):
        added = residuals(state.params)
        out, target_state = two_streams.forward(
            encoder, classifier, state, target_view(state, added), batch, key
        )
        features = two_domains.both(out, 'features')
        n = out.label.shape[0]

        def discriminate(state, features):
            logits, _, discriminator_state = networks.run(
                discriminator,
                state,
                'discriminator',
                features,
                train=True,
                key=out.key,
            )
            return logits[:n], logits[n:], discriminator_state

        fixed = {
            **state.params,
            'discriminator': jax.lax.stop_gradient(state.params['discriminator']),
        }
        source, target, _ = discriminate(state.replace(params=fixed), features)
        confusion, _ = two_domains.domain_loss(target, source)  # inverted
        *logits, discriminator_state = discriminate(
            state, jax.lax.stop_gradient(features)
        )
        domain_loss, domain_accuracy = two_domains.domain_loss(*logits)

        size = sum((jnp.sum(x**2) for x in added.values()), jnp.zeros(()))
        stream = stream_weight * losses.residual_barrier(size)
        weight_t = weight(state.step)
        metrics = {
            **out.metrics,
            'domain_loss': domain_loss,
            'domain_accuracy': domain_accuracy,
            'confusion': confusion,
            'residual': size,
            'weight': weight_t,
        }
        new_state = {**out.model_state, **discriminator_state, 'residual': target_state}
        penalty = confusion + domain_loss + stream
        aux = training.Aux(metrics, model_state=new_state)
        return out.label_loss + weight_t * penalty, aux

    trains = ('encoder', 'classifier', 'discriminator', 'residual')
    gradient_step = training.make_step([training.Phase('train', loss, trains)], txs)

    def step(state, batch, key):
        new, metrics = gradient_step(state, batch, key)
        due = (new.step % every) == 0
        strength = 2 * rate(state.step) * weight(state.step) * rank_weight * due
        matrices = _matrices(new.params['encoder'], new.params['residual'])
        before = state.params['residual']
        residual = {
            name: _shrink(factors, before[name], matrices[name], strength)
            for name, factors in new.params['residual'].items()
        }
        for name, factors in residual.items():
            rows, columns = (
                jnp.sum(_in_use(factors[b]), dtype=jnp.float32) for b in ('b1', 'b2')
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
    """The first state after source training: its networks and the residuals of `fresh`.

    Args:
      fresh: a state of `residual_transfer`.
      trained: a state of methods.supervised with the same encoder and classifier.
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
    """Names of the layers with a kernel that no pattern matches."""
    is_shared = traverse_util.flatten_dict(tree.mask(params, shared))
    kernels = two_streams.layers([path for path in is_shared if path[-1] == 'kernel'])
    return [name for name, (path,) in kernels.items() if not is_shared[path]]


def _matrices(params: PyTree, names: Sequence[str]) -> dict[str, Array]:
    """{layer: Theta (C, N)}: a row per output, a column per input and for the bias."""
    flat = traverse_util.flatten_dict(params)

    def matrix(name):
        layer = name.split('.')
        kernel = flat[(*layer, 'kernel')]
        rows = kernel.reshape(-1, kernel.shape[-1]).T
        bias = flat.get((*layer, 'bias'))
        return rows if bias is None else jnp.concatenate([rows, bias[:, None]], 1)

    return {name: matrix(name) for name in names}


def _add(params: PyTree, residuals: Mapping[str, Array]) -> PyTree:
    """The parameters plus the residuals, each in the shape of `_matrices`."""
    flat = dict(traverse_util.flatten_dict(params))
    for name, residual in residuals.items():
        layer = tuple(name.split('.'))
        kernel = flat[(*layer, 'kernel')]
        if (*layer, 'bias') in flat:
            flat[(*layer, 'bias')] += residual[:, -1]
            residual = residual[:, :-1]
        flat[(*layer, 'kernel')] = kernel + residual.T.reshape(kernel.shape)
    return traverse_util.unflatten_dict(flat)


def _initial(key: Key, params: PyTree, names: Sequence[str], rank: int) -> PyTree:
    """{layer: {'a1', 'a2', 'b1', 'b2', 'd'}} before the first step."""

    def draw(name, matrix):
        layer_key = jax.random.fold_in(key, zlib.crc32(name.encode()) & 0x7FFFFFFF)
        keys = jax.random.split(layer_key, 4)
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


def _inner(factors: Mapping[str, Array], matrix: Array) -> Array:
    """T = A_1^T Theta A_2 + D."""
    return factors['a1'].T @ matrix @ factors['a2'] + factors['d']


def _in_use(b: Array) -> Array:
    """Which columns of B_1 or B_2 are not dropped."""
    return jnp.any(b != 0, 0)


def _shrink(
    factors: Mapping[str, Array],
    before: Mapping[str, Array],
    matrix: Array,
    strength: Array,
) -> dict[str, Array]:
    """One layer's factors after the proximal step.

    Rows and columns that were dropped before the gradient step stay dropped, even where
    momentum has changed their entries.
    """
    c, n = matrix.shape
    inner = _inner(factors, matrix)
    shrunk = ops.shrink_groups(inner, strength * jnp.sqrt(float(n)), axis=0)
    shrunk = ops.shrink_groups(shrunk, strength * jnp.sqrt(float(c)), axis=1)
    rows = _in_use(before['b1']) & (jnp.any(shrunk != 0, 1) | (strength == 0))
    columns = _in_use(before['b2']) & (jnp.any(shrunk != 0, 0) | (strength == 0))
    d = factors['d'] + (shrunk - inner)
    return {
        'a1': factors['a1'] * rows,
        'b1': factors['b1'] * rows,
        'a2': factors['a2'] * columns,
        'b2': factors['b2'] * columns,
        'd': d * rows[:, None] * columns,
    }
