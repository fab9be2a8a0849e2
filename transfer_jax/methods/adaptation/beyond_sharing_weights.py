"""Beyond sharing weights: two related streams (Rozantsev et al., TPAMI 2018)."""

from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax.numpy as jnp
import optax
from flax import traverse_util

from transfer_jax import losses, ops, training, tree
from transfer_jax.methods.adaptation import two_domains, two_streams
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, PyTree


def beyond_sharing_weights(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: Mapping[str, optax.GradientTransformation],
    weight: optim.Schedule,
    parameter_weight: float = 1.0,
    feature_weight: float = 1.0,
    relation: Callable[..., Array] = losses.exponential_map_error,
    width: float | None = 1.0,
    shared: Sequence[str] = (),
) -> training.Method:
    """Two streams whose parameters are related by learned linear maps, and not shared.

    min mean_source CE(y(f_s(x)), label)
      + weight * (parameter_weight * sum_l r_w(a_l theta_s,l + b_l, theta_t,l)
                  + feature_weight * MMD^2(f_s(source), f_t(target)))

    The paper's L_s + L_w + L_MMD, without labels of the target. r_w is
    exp(||a theta_s + b - theta_t||^2) - 1, or the square alone, of all parameters of a
    layer, with two numbers a and b per layer, learned, 1 and 0 at the start. The
    classifier is shared; the source is answered by the source stream, every other
    domain by the target's.

    Trains 'encoder' (the source stream), 'target_encoder', 'classifier' and 'maps'.
    `weight` is on all but the labels: at 0 encoder and classifier move as in source
    only on a batch without a target, and nothing else moves. Each stream has its own
    batch statistics, of its own domain, also where its parameters are shared; scale and
    shift of a norm are a layer with a map like any other.

    The target stream starts as a copy of the source's first parameters; the paper
    trains the source first, which is a stage of methods.supervised and then
    `start_streams`. Metric 'r_w_<layer>' is r_w of each layer that is not shared.

    Deviations: r_w is one number for kernel and bias of a layer together; the
    exponential goes on as its tangent where the squared error passes 20, since float32
    ends at 88 (losses.exponential_map_error); `width=None`.

    Args:
      txs: that of 'maps' with a small rate of its own: as a function of b the error of
        a layer of d parameters has curvature 2 d, and plain gradient descent diverges
        above a rate of 1 / d.
      parameter_weight: lambda_w.
      feature_weight: lambda_u.
      relation: losses.exponential_map_error or squared_map_error.
      width: sigma of the kernel exp(-||u - v||^2 / sigma), 1 in the paper; None for
        twice the variance by the median distance of the batch, for features whose
        distances are far from 1.
      shared: regexes on paths of the encoder, such as 'conv_1/.*', whose parameters are
        the source's in both streams. Which to share the paper decides by the smallest
        MMD over all choices. One that matches nothing raises.
    """

    def init(key, batch):
        params, others = networks.initialise(
            key, encoder, {'classifier': classifier}, batch['source']['image']
        )
        own = _own(params['encoder'], shared)
        names = two_streams.layers(list(own))
        one, zero = jnp.ones(()), jnp.zeros(())
        params['target_encoder'] = traverse_util.unflatten_dict(own)
        params['maps'] = {name: {'a': one, 'b': zero} for name in names}
        others['target_encoder'] = others['encoder']
        others['maps'] = {}
        return training.state.create(params, others, txs)

    def target_view(state):
        return two_streams.view(
            state,
            _complete(state.params['encoder'], state.params['target_encoder']),
            state.model_state['target_encoder'],
        )

    def relations(params):
        """{layer: r_w}."""
        source = traverse_util.flatten_dict(params['encoder'])
        target = traverse_util.flatten_dict(params['target_encoder'])

        def of_layer(paths, own):
            one, other = (
                jnp.concatenate([stream[path].ravel() for path in paths])
                for stream in (source, target)
            )
            return relation(one, other, scale=own['a'], shift=own['b'])

        found = two_streams.layers(list(target))
        return {
            name: of_layer(paths, params['maps'][name]) for name, paths in found.items()
        }

    def loss(state, batch, key):
        passed, apart = two_streams.forward(
            encoder, classifier, state, target_view(state), batch, key
        )
        source, target = two_domains.gathered(passed, 'features')
        pooled = jnp.concatenate([source, target])
        variance = ops.median_variance(pooled) if width is None else width / 2
        kernel = ops.gaussian_kernel(jnp.asarray(variance).reshape(1))
        distance = losses.mmd_biased(source, target, kernel=kernel)
        of_layers = relations(state.params)
        related = sum(of_layers.values(), jnp.zeros(()))
        amount = weight(state.step)
        metrics = {
            **passed.metrics,
            **{f'r_w_{name}': value for name, value in of_layers.items()},
            'r_w': related,
            'mmd': distance,
            'weight': amount,
        }
        added = parameter_weight * related + feature_weight * distance
        moved = {**passed.model_state, 'target_encoder': apart}
        aux = training.Aux(metrics, model_state=moved)
        return passed.label_loss + amount * added, aux

    trains = ('encoder', 'target_encoder', 'classifier', 'maps')
    phase = training.Phase('train', loss, trains)
    return training.Method(
        init,
        training.make_step([phase], txs),
        two_streams.classify(encoder, classifier, lambda state: state, target_view),
    )


def start_streams(fresh: TrainState, trained: TrainState) -> TrainState:
    """First state after source training: both streams are the trained source encoder.

    Args:
      fresh: of `beyond_sharing_weights`.
      trained: of methods.supervised, with the same encoder and classifier.
    """
    own = traverse_util.flatten_dict(trained.params['encoder'])
    kept = traverse_util.flatten_dict(fresh.params['target_encoder'])
    target = traverse_util.unflatten_dict({path: own[path] for path in kept})
    names = ('encoder', 'classifier')
    return fresh.replace(
        params={
            **fresh.params,
            **{name: trained.params[name] for name in names},
            'target_encoder': target,
        },
        model_state={
            **fresh.model_state,
            **{name: trained.model_state[name] for name in names},
            'target_encoder': trained.model_state['encoder'],
        },
    )


def _own(params: PyTree, shared: Sequence[str]) -> dict[tuple[str, ...], Array]:
    """{path: parameter} of all that no pattern matches."""
    common = traverse_util.flatten_dict(tree.mask(params, shared))
    flat = traverse_util.flatten_dict(params)
    return {path: leaf for path, leaf in flat.items() if not common[path]}


def _complete(source: PyTree, target: PyTree) -> PyTree:
    """The target stream's parameters: its own, and the source's where it has none."""
    both = {
        **traverse_util.flatten_dict(source),
        **traverse_util.flatten_dict(target),
    }
    return traverse_util.unflatten_dict(both)
