"""Beyond sharing weights: two related streams (Rozantsev et al., TPAMI 2018)."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from flax import traverse_util

from transfer_jax import losses, ops, training, tree
from transfer_jax.methods.adaptation import two_domains, two_streams
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, PyTree


def beyond_sharing_weights(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    parameter_weight: float = 1.0,
    feature_weight: float = 1.0,
    relation: Callable[..., Array] = losses.exponential_map_error,
    width: float | None = 1.0,
    shared: Sequence[str] = (),
) -> training.Method:
    """Two streams whose parameters are related by learned linear maps, not shared.

    min mean_source CE(y(f_s(x)), label)
      + weight * (parameter_weight * sum_l r_w(a_l theta_s,l + b_l, theta_t,l)
                  + feature_weight * MMD^2(f_s(source), f_t(target)))

    These are the paper's L_s + L_w + L_MMD; target labels are not used. r_w is
    exp(||a theta_s + b - theta_t||^2) - 1, or the square alone, over all parameters of
    a layer. Each layer has two learned numbers a and b, which start at 1 and 0. The
    classifier is shared. `predict` uses the source stream for 'source' and the target
    stream for every other domain.

    Trains 'encoder' (the source stream), 'target_encoder', 'classifier' and 'maps'.
    `weight` multiplies every term but the label loss. At 0, encoder and classifier
    train as in source only on a batch without a target, and nothing else changes. Each
    stream has the batch statistics of its own domain, even where its parameters are
    shared. The scale and shift of a norm layer have a map like any other layer.

    The target stream starts as a copy of the source's first parameters. The paper
    trains the source first: use a stage of methods.supervised, then `start_streams`.
    Metric 'r_w_<layer>' is the r_w of each layer that is not shared.

    Deviations: r_w is one number for a layer's kernel and bias together. Above a
    squared error of 20 the exponential continues as its tangent, because float32
    overflows at 88 (losses.exponential_map_error). `width=None` is not in the paper.

    Args:
      txs: the optimiser of 'maps' needs a small learning rate. As a function of b, the
        error of a layer of d parameters has curvature 2 d, so plain gradient descent
        diverges above a rate of 1 / d.
      parameter_weight: lambda_w.
      feature_weight: lambda_u.
      relation: losses.exponential_map_error or squared_map_error.
      width: sigma of the kernel exp(-||u - v||^2 / sigma); 1 in the paper. None sets it
        to twice the variance given by the median distance of the batch, for features
        whose distances are far from 1.
      shared: regexes on paths of the encoder, such as 'conv_1/.*'. Both streams use the
        source's parameters there. The paper shares the layers with the smallest MMD
        over all choices. A pattern that matches nothing raises ValueError.
    """
    weight = optim.as_schedule(weight, 'weight')

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, {'classifier': classifier}, batch['source']['image']
        )
        unshared = _unshared(params['encoder'], shared)
        names = two_streams.layers(list(unshared))
        one, zero = jnp.ones(()), jnp.zeros(())
        params['target_encoder'] = traverse_util.unflatten_dict(unshared)
        params['maps'] = {name: {'a': one, 'b': zero} for name in names}
        model_state['target_encoder'] = model_state['encoder']
        model_state['maps'] = {}
        return training.state.create(params, model_state, txs)

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

        def layer_relation(paths, linear_map):
            theta_s, theta_t = (
                jnp.concatenate([stream[path].ravel() for path in paths])
                for stream in (source, target)
            )
            return relation(
                theta_s, theta_t, scale=linear_map['a'], shift=linear_map['b']
            )

        return {
            name: layer_relation(paths, params['maps'][name])
            for name, paths in two_streams.layers(list(target)).items()
        }

    def loss(state, batch, key):
        out, target_state = two_streams.forward(
            encoder, classifier, state, target_view(state), batch, key
        )
        source, target = two_domains.gathered(out, 'features')
        pooled = jnp.concatenate([source, target])
        variance = ops.median_variance(pooled) if width is None else width / 2
        kernel = ops.gaussian_kernel(jnp.asarray(variance).reshape(1))
        distance = losses.mmd_biased(source, target, kernel=kernel)
        layer_relations = relations(state.params)
        total_relation = sum(layer_relations.values(), jnp.zeros(()))
        weight_t = weight(state.step)
        metrics = {
            **out.metrics,
            **{f'r_w_{name}': value for name, value in layer_relations.items()},
            'r_w': total_relation,
            'mmd': distance,
            'weight': weight_t,
        }
        penalty = parameter_weight * total_relation + feature_weight * distance
        new_state = {**out.model_state, 'target_encoder': target_state}
        aux = training.Aux(metrics, model_state=new_state)
        return out.label_loss + weight_t * penalty, aux

    trains = ('encoder', 'target_encoder', 'classifier', 'maps')
    phase = training.Phase('train', loss, trains)
    return training.Method(
        init,
        training.make_step([phase], txs),
        two_streams.classify(encoder, classifier, lambda state: state, target_view),
    )


def start_streams(fresh: TrainState, trained: TrainState) -> TrainState:
    """The first state after source training; both streams are the trained encoder.

    Args:
      fresh: a state of `beyond_sharing_weights`.
      trained: a state of methods.supervised with the same encoder and classifier.
    """
    source = traverse_util.flatten_dict(trained.params['encoder'])
    unshared = traverse_util.flatten_dict(fresh.params['target_encoder'])
    target = traverse_util.unflatten_dict({path: source[path] for path in unshared})
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


def _unshared(params: PyTree, shared: Sequence[str]) -> dict[tuple[str, ...], Array]:
    """{path: parameter} of the parameters that no pattern matches."""
    is_shared = traverse_util.flatten_dict(tree.mask(params, shared))
    flat = traverse_util.flatten_dict(params)
    return {path: leaf for path, leaf in flat.items() if not is_shared[path]}


def _complete(source: PyTree, target: PyTree) -> PyTree:
    """The target stream's parameters; shared ones come from the source."""
    merged = {
        **traverse_util.flatten_dict(source),
        **traverse_util.flatten_dict(target),
    }
    return traverse_util.unflatten_dict(merged)
