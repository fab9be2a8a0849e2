"""The interface of a shallow method, and the pipeline that makes it a predictor.

Methods compute in the precision of their inputs. `pipeline` passes float64, which
eigenproblems and distances need.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax.shallow import checks
from transfer_jax.types import Array, Batch, Key, PyTree, Samples


class Shallow(NamedTuple):
    """A shallow method: its fit, and the feature maps of both domains.

    `fit` receives float64. Target labels are -1, except those of the examples passed as
    `target_labelled`, which come first.
    """

    fit: Callable[[Key, Samples, Samples], PyTree]  # (key, source, target)
    source: Callable[[PyTree, Array], Array]  # (n, d) -> (n, k)
    target: Callable[[PyTree, Array], Array]  # (n, d) -> (n, k)
    # Weights (n,) of the source examples, for instance weighting
    weights: Callable[[PyTree], Array] | None = None
    # (n, d) -> (n, c) logits, for methods that classify by themselves
    predict: Callable[[PyTree, Array], Array] | None = None
    semi_supervised: bool = False  # requires labelled target examples
    host: bool = False  # calls a solver on NumPy arrays: no jit, no vmap
    # (fitted, source, target) -> what the user of a fit should be warned of
    cautions: Callable[[PyTree, Samples, Samples], Sequence[str]] | None = None


def unchanged(fitted: PyTree, x: Array) -> Array:
    """The map of a method that does not change features."""
    del fitted
    return x


class Classifier(NamedTuple):
    """A classifier trained on the adapted source examples."""

    # (key, source with features (n, k), weights (n,) or None)
    fit: Callable[[Key, Samples, Array | None], PyTree]
    logits: Callable[[PyTree, Array], Array]  # (n, k) -> (n, c)
    host: bool = False  # as in Shallow


class Fitted(NamedTuple):
    """The fitted parameters of a pipeline."""

    alignment: PyTree
    classifier: PyTree


class Pipeline(NamedTuple):
    """A fit, and a `predict` for transfer_jax.evaluation for each domain.

    For a batch {'x': (n, d)}, jax.tree_util.Partial(predict, fitted) returns
    {'logits': (n, c), 'features': (n, k)}, float32.
    """

    # (key, source, target, target_labelled=None)
    fit: Callable[..., Fitted]
    predict: Callable[[Fitted, Batch], dict[str, Array]]  # of target examples
    predict_source: Callable[[Fitted, Batch], dict[str, Array]]


def pipeline(align: Shallow, classify: Classifier | None = None) -> Pipeline:
    """Adapts, then trains `classify` on the adapted source examples.

    `fit(key, source, target, target_labelled=None)` removes the labels of `target`
    before `align` sees it. Target labels enter only as `target_labelled` (the
    semi-supervised protocol): these examples are added to the target, and after
    adaptation to the source examples that train `classify`. Arithmetic is in float64;
    predictions are float32. The fit is compiled, unless the method or the classifier
    calls a solver on the host. After it there is a warning for what its method cautions
    against, such as a plan that has not converged; not if the fit is traced.

    Raises:
      ValueError: neither or both of `align` and `classify` can classify. `fit` raises
        it for features that are not finite, a domain without examples, and a method
        that needs `target_labelled` if it is missing.
    """
    if (align.predict is None) == (classify is None):
        raise ValueError(
            'a pipeline needs one classifier: pass `classify`, unless the method '
            'classifies by itself'
        )
    host = align.host or (classify is not None and classify.host)

    def train(key, source, target, target_labelled):
        first, second = jax.random.split(key)
        source, target = double(source), double(target)
        target = target._replace(label=jnp.full_like(target.label, -1))
        if target_labelled is not None:
            target_labelled = double(target_labelled)
            target = _join(target_labelled, target)
        alignment = align.fit(first, source, target)
        if classify is None:
            return Fitted(alignment, ())
        weights = align.weights(alignment) if align.weights else None
        adapted = source._replace(x=align.source(alignment, source.x))
        if target_labelled is not None:
            mapped = align.target(alignment, target_labelled.x)
            adapted = _join(adapted, target_labelled._replace(x=mapped))
            if weights is not None:
                weights = jnp.concatenate([weights, jnp.ones(len(mapped))])
        return Fitted(alignment, classify.fit(second, adapted, weights))

    compiled = train if host else jax.jit(train)

    def fit(key, source, target, target_labelled=None):
        parts = [source, target]
        parts += [] if target_labelled is None else [target_labelled]
        for samples in parts:
            chex.assert_rank([samples.x, samples.label, samples.mask], [2, 1, 1])
            chex.assert_equal_shape_prefix(samples, 1)
        chex.assert_equal_shape_suffix([samples.x for samples in parts], 1)
        if align.semi_supervised and target_labelled is None:
            raise ValueError(
                'this method needs labelled target examples: pass them '
                'as `target_labelled`'
            )
        checks.samples(source, target, target_labelled)
        with jax.enable_x64(True):
            fitted = compiled(key, source, target, target_labelled)
        if align.cautions is not None and not checks.traced(fitted.alignment):
            for message in align.cautions(fitted.alignment, source, target):
                warnings.warn(message, stacklevel=2)
        return fitted

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


def double(samples: Samples) -> Samples:
    """The samples in float64; to be called where float64 is enabled."""
    return Samples(
        jnp.asarray(samples.x, jnp.float64),
        jnp.asarray(samples.label, jnp.int32),
        jnp.asarray(samples.mask, jnp.float64),
    )


def _join(first: Samples, second: Samples) -> Samples:
    return Samples(*(jnp.concatenate(pair) for pair in zip(first, second, strict=True)))
