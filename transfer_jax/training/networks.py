"""Initialise and run Linen networks of a training state, and join domains."""

from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.ops import collective
from transfer_jax.training import naming
from transfer_jax.training.state import TrainState
from transfer_jax.types import Array, Batch, Key, PyTree

# {domain: index of its statistics in a norm with several}.
DOMAINS = {'source': 0, 'target': 1, 'target_labelled': 1}


def initialise(
    key: Key, encoder: nn.Module, heads: Mapping[str, nn.Module], images: Array
) -> tuple[PyTree, PyTree]:
    """Parameters and other collections of 'encoder' and the heads on its features.

    Returns:
      ({network: params}, {network: collections}).
    """
    (features, _), *first = initialise_one(key, 'encoder', encoder, images)
    params, model_state = {'encoder': first[0]}, {'encoder': first[1]}
    for name, head in heads.items():
        _, params[name], model_state[name] = initialise_one(key, name, head, features)
    return params, model_state


def initialise_one(
    key: Key, name: str, module: nn.Module, x: Array
) -> tuple[tuple[Array, dict[str, Array]], PyTree, PyTree]:
    """Initialise one network: (its output on x, parameters, other collections).

    The network's key depends on `key` and its name only, so two methods that share a
    network start from the same bits.
    """
    network_key = jax.random.fold_in(key, naming.number(name) & 0x7FFFFFFF)
    output, variables = module.init_with_output(network_key, x, train=False)
    return output, variables.pop('params'), variables


def run(
    module: nn.Module,
    state: TrainState,
    name: str,
    x: Array,
    *,
    train: bool = False,
    key: Key | None = None,
    domain: Array | None = None,
) -> tuple[Array, dict[str, Array], PyTree]:
    """Apply network `name` of the state.

    Args:
      key: key of dropout; needed only with train=True.
      domain: (n,) index of each example's domain, see DOMAINS.

    Returns:
      (output, named intermediates, {name: new collections}).
    """
    variables = {'params': state.params[name], **state.model_state[name]}
    if not train:
        output, taps = module.apply(variables, x, train=False, domain=domain)
        return output, taps, {name: state.model_state[name]}
    (output, taps), collections = module.apply(
        variables,
        x,
        train=True,
        domain=domain,
        rngs={'dropout': collective.own_key(key)},
        mutable=list(state.model_state[name]),
    )
    return output, taps, {name: collections}


def join(batch: Batch, domains: Sequence[str]) -> tuple[Array, np.ndarray]:
    """The images of several domains as one batch, and the domain index of each image.

    The index is a NumPy array, so that a norm can count its domains at trace time.

    Raises:
      ValueError: the images differ in size.
    """
    shapes = {name: batch[name]['image'].shape[1:] for name in domains}
    if len(set(shapes.values())) > 1:
        raise ValueError(f'joint statistics need images of one size, not {shapes}')
    images = jnp.concatenate([batch[name]['image'] for name in domains])
    index = [
        np.full(batch[name]['image'].shape[0], DOMAINS[name], np.int32)
        for name in domains
    ]
    return images, np.concatenate(index)


def classify(
    encoder: nn.Module, classifier: nn.Module
) -> Callable[[TrainState, Batch], PyTree]:
    """The `predict` of a method with one encoder and one classifier."""

    def predict(state, batch):
        outputs = {}
        for name, part in batch.items():
            images, domain = join({name: part}, [name])
            features, taps, _ = run(encoder, state, 'encoder', images, domain=domain)
            logits, _, _ = run(classifier, state, 'classifier', features, domain=domain)
            outputs[name] = {'logits': logits, 'features': features, **taps}
        return outputs

    return predict
