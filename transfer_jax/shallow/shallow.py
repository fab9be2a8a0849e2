"""What a closed-form method is, and how it becomes a predictor.

The functions here compute in the precision of what they are given; `pipeline` gives
them float64, because eigenproblems and distances want it.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.types import Array, Batch, Key, PyTree, Samples


class Shallow(NamedTuple):
    """A closed-form adaptation: how it is fitted, and what it makes of features."""

    fit: Callable[[Key, Samples, Samples], PyTree]  # (key, source, target)
    source: Callable[[PyTree, Array], Array]  # (n, d) -> (n, k)
    target: Callable[[PyTree, Array], Array]  # (n, d) -> (n, k)
    # Weights (n,) of the source examples: instance weighting
    weights: Callable[[PyTree], Array] | None = None
    # (n, d) -> (n, c) logits: methods that are classifiers themselves
    predict: Callable[[PyTree, Array], Array] | None = None
    host: bool = False  # calls SciPy or a solver: no jit, no vmap promised


class Classifier(NamedTuple):
    """What is trained on the adapted source examples."""

    # (key, source with features (n, k), weights (n,) or None)
    fit: Callable[[Key, Samples, Array | None], PyTree]
    logits: Callable[[PyTree, Array], Array]  # (n, k) -> (n, c)


class Fitted(NamedTuple):
    """The parameters of a pipeline."""

    alignment: PyTree
    classifier: PyTree


class Pipeline(NamedTuple):
    """A fit, and the `predict` of transfer_jax.evaluation for either domain.

    With a batch of {'x': (n, d)}, jax.tree_util.Partial(predict, fitted) answers
    {'logits': (n, c), 'features': (n, k)}, float32.
    """

    fit: Callable[[Key, Samples, Samples], Fitted]  # (key, source, target)
    predict: Callable[[Fitted, Batch], dict[str, Array]]  # of target examples
    predict_source: Callable[[Fitted, Batch], dict[str, Array]]


def pipeline(align: Shallow, classify: Classifier | None = None) -> Pipeline:
    """Adapt, then train `classify` on the adapted source examples.

    The labels of the target are taken away before `align` sees it. Arithmetic is in
    float64; predictions leave in float32, the precision of everything around them.

    Raises:
      ValueError: neither or both of `align` and `classify` can classify.
    """
    if (align.predict is None) == (classify is None):
        raise ValueError(
            'a pipeline needs one classifier: pass `classify`, unless the method '
            'classifies by itself'
        )

    def fit(key, source, target):
        for samples in (source, target):
            chex.assert_rank([samples.x, samples.label, samples.mask], [2, 1, 1])
            chex.assert_equal_shape_prefix(samples, 1)
        chex.assert_equal_shape_suffix([source.x, target.x], 1)
        first, second = jax.random.split(key)
        with jax.enable_x64(True):
            source, target = _double(source), _double(target)
            target = target._replace(label=jnp.full_like(target.label, -1))
            alignment = align.fit(first, source, target)
            if classify is None:
                return Fitted(alignment, ())
            weights = align.weights(alignment) if align.weights else None
            adapted = source._replace(x=align.source(alignment, source.x))
            return Fitted(alignment, classify.fit(second, adapted, weights))

    def predictor(adapt):
        def predict(fitted, batch):
            with jax.enable_x64(True):
                x = jnp.asarray(batch['x'], jnp.float64)
                features = adapt(fitted.alignment, x)
                if classify is None:
                    logits = align.predict(fitted.alignment, x)
                else:
                    logits = classify.logits(fitted.classifier, features)
                return {
                    'logits': logits.astype(jnp.float32),
                    'features': features.astype(jnp.float32),
                }

        return predict

    return Pipeline(fit, predictor(align.target), predictor(align.source))


def _double(samples: Samples) -> Samples:
    return Samples(
        jnp.asarray(samples.x, jnp.float64),
        jnp.asarray(samples.label, jnp.int32),
        jnp.asarray(samples.mask, jnp.float64),
    )
