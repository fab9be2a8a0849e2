"""Two towers: an embedding of images beside an embedding of class vectors."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import losses, ops, training
from transfer_jax.training import TrainState, networks, optim
from transfer_jax.types import Array, Batch, PyTree

Loss = Callable[[Array, Array], Array]  # (scores (n, k), label (n,)) -> (n,)
LENGTH = 1e-12  # squared, added to that of an embedding, which may be 0


def two_towers(
    encoder: nn.Module,
    projection: nn.Module | None,
    names: nn.Module,
    *,
    vectors: Array,
    txs: optim.Optimisers,
    loss: Loss = losses.cross_entropy,
    temperature: float | None = 0.1,
) -> training.Method:
    """Embeds images by f and class vectors by g, and compares them.

    F(x, s) = cos(f(x), g(s)) / temperature, or the bilinear f(x)^T g(s); minimises over
    f and g the mean of loss(F(x, s_1), ..., F(x, s_k); label) on seen classes. With
    softmax cross-entropy and cosines the classes of a batch compete as in CLIP (Radford
    et al., ICML 2021), but with one row for each class; with bilinear scores and a
    ranking loss this is DeViSE (Frome et al., NIPS 2013), SJE or ALE with networks for
    the matrix W.

    Trains 'encoder', 'names' and, if there is one, 'projection' on a batch with
    'source' (image, label); an 'image' may be a row of features. `predict` returns
    'logits' (n, k), the scores of the seen classes, and 'features', the output of the
    encoder. `method._replace(predict=tower_scores(...))` scores other classes.

    Args:
      encoder: of images, such as a pretrained backbone.
      projection: from its features to the embedding, as (n, e); None: the features are
        the embedding.
      names: from a class vector to the embedding, (k, a) -> (k, e).
      vectors: (k, a) of the seen classes only, in the order of the labels.
      loss: of the scores; zero_shot.sum_of_hinges, largest_hinge and ranked_hinges are
        ranking losses, whose margin is in units of the scores.
      temperature: of the cosines; None for bilinear scores.

    Raises:
      ValueError: vectors that are not (k, a) with 2 classes at least, or not finite; a
        temperature that is not positive.
    """
    _check(vectors, temperature)
    if len(vectors) < 2:
        raise ValueError('vectors of 1 class: at least 2 seen classes are needed')
    heads = {} if projection is None else {'projection': projection}
    vectors = jnp.asarray(vectors, jnp.float32)

    def init(key, batch):
        params, model_state = networks.initialise(
            key, encoder, heads, batch['source']['image']
        )
        _, params['names'], model_state['names'] = networks.initialise_one(
            key, 'names', names, vectors
        )
        return training.state.create(params, model_state, txs)

    def on_labels(state, batch, key):
        keys = jax.random.split(key, 3)
        images, domain = networks.join(batch, ['source'])
        options = {'train': True, 'domain': domain}
        image, _, new_state = networks.run(
            encoder, state, 'encoder', images, key=keys[0], **options
        )
        if projection is not None:
            image, _, changed = networks.run(
                projection, state, 'projection', image, key=keys[1], **options
            )
            new_state |= changed
        name, changed = _names(names, state, vectors, train=True, key=keys[2])
        label = batch['source']['label']
        scores = _compared(image, name, temperature)
        value = jnp.mean(loss(scores, label))
        accuracy = jnp.mean(jnp.argmax(scores, -1) == label)
        new_state |= changed
        return value, training.Aux({'source_accuracy': accuracy}, new_state)

    phase = training.Phase('train', on_labels, ('encoder', *heads, 'names'))
    predict = tower_scores(
        encoder, projection, names, vectors=vectors, temperature=temperature
    )
    return training.Method(init, training.make_step([phase], txs), predict)


def tower_scores(
    encoder: nn.Module,
    projection: nn.Module | None,
    names: nn.Module,
    *,
    vectors: Array,
    temperature: float | None = 0.1,
) -> Callable[[TrainState, Batch], PyTree]:
    """The `predict` of two towers for any classes, with 'logits' (n, c).

    Args:
      vectors: (c, a) of the classes to choose from, seen or unseen.

    Raises:
      ValueError: as `two_towers`; one class is enough.
    """
    _check(vectors, temperature)
    vectors = jnp.asarray(vectors, jnp.float32)

    def predict(state, batch):
        name, _ = _names(names, state, vectors)
        outputs = {}
        for key, part in batch.items():
            images, domain = networks.join({key: part}, [key])
            features, taps, _ = networks.run(
                encoder, state, 'encoder', images, domain=domain
            )
            image = features
            if projection is not None:
                image, _, _ = networks.run(
                    projection, state, 'projection', features, domain=domain
                )
            logits = _compared(image, name, temperature)
            outputs[key] = {'logits': logits, 'features': features, **taps}
        return outputs

    return predict


def _names(names, state, vectors, *, train=False, key=None):
    """The embeddings (k, e) of classes, and the new collections of the network."""
    domain = np.zeros(len(vectors), np.int32)
    options = {'train': train, 'key': key, 'domain': domain}
    embedding, _, changed = networks.run(names, state, 'names', vectors, **options)
    return embedding, changed


def _compared(image: Array, name: Array, temperature: float | None) -> Array:
    """(n, e), (k, e) -> (n, k), float32 or wider."""
    image, name = ops.at_least_float32(image), ops.at_least_float32(name)
    if temperature is None:
        return image @ name.T
    return _unit(image) @ _unit(name).T / temperature


def _unit(x: Array) -> Array:
    """Rows of length 1; the gradient of a row of zeros is finite."""
    return x * jax.lax.rsqrt(jnp.sum(x * x, -1, keepdims=True) + LENGTH)


def _check(vectors, temperature) -> None:
    """Refuses vectors and temperatures that cannot be used."""
    if np.ndim(vectors) != 2:
        raise ValueError(f'vectors {np.shape(vectors)}: must be (classes, dimension)')
    if not np.isfinite(np.asarray(vectors)).all():
        raise ValueError('vectors: NaN or infinite values')
    if temperature is not None and not temperature > 0:
        raise ValueError(f'temperature {temperature}: must be positive')
