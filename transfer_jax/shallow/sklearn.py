"""Shallow methods as scikit-learn estimators: NumPy in, NumPy out.

>>> import numpy as np
>>> from sklearn.model_selection import cross_validate
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> from transfer_jax import shallow
>>> from transfer_jax.shallow.sklearn import AdaptedClassifier
>>> rng = np.random.default_rng(0)
>>> y = np.arange(160) % 2
>>> x = 4 * y[:, None] + rng.normal(size=(160, 3))
>>> sample_domain = np.repeat([1, -2], 80)  # a source and a target
>>> x[80:] = x[80:] @ np.diag([1, -1, 1]) + 5  # shift the target
>>> model = make_pipeline(
...     StandardScaler(),
...     AdaptedClassifier(shallow.subspace_alignment, shallow.nearest_neighbour,
...                       dimension=2))
>>> scores = cross_validate(
...     model, x, y, cv=3, params={'adaptedclassifier__sample_domain': sample_domain})
>>> scores['test_score'].shape
(3,)

The conventions are skada's: `sample_domain` is positive for source rows and negative
for target rows, and -1 in `y` is an unknown label. The labels of target rows are used
only with `target_labels=True`, so y may hold them for scoring.

With metadata routing (which importing skada turns on) pass `sample_domain` directly, as
params={'sample_domain': sample_domain}.

Import this module by name; `transfer_jax.shallow` does not import it.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special
from sklearn import metrics
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from transfer_jax.shallow import recipes, sample_domains

CLASSIFY = 'classify_'  # prefix of the hyper-parameters of a classifier
_ROUTED = {'sample_domain': True}  # metadata that is routed by default


class _Built(recipes.Parameters, BaseEstimator):
    """Base of both estimators: the fit, and a map for each domain."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _fit(self, x, y, sample_domain, recipe_of):
        """Fits the pipeline; returns (x, codes, whether a row is of the source)."""
        x, y = validate_data(self, x, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        if sample_domain is None:
            raise ValueError(
                'sample_domain: pass it to the fit, positive for source rows and '
                'negative for target rows'
            )
        source = sample_domains.checked(sample_domain, len(x)) > 0
        for rows, name in ((source, 'source'), (~source, 'target')):
            if not rows.any():
                raise ValueError(f'sample_domain: no {name} rows')
        classes, codes = sample_domains.codes(y, source, self.target_labels)
        key = jax.random.key(check_random_state(self.random_state).randint(2**31 - 1))
        self._recipe = recipe_of(len(classes))
        labelled = ~source & (codes >= 0)
        parts = [source, ~source & ~labelled, labelled]
        if not parts[1].any():
            raise ValueError('target_labels: no target row is unlabelled')
        parts = [sample_domains.samples(x, codes, rows) for rows in parts if rows.any()]
        align, pipeline = recipes.build_pipeline(self._recipe)
        self.fitted_ = jax.tree.map(np.asarray, pipeline.fit(key, *parts))
        self.classes_, self.weights_ = classes, None
        if align.weights:
            with jax.enable_x64(True):
                self.weights_ = np.asarray(align.weights(self.fitted_.alignment))
        return x, codes, source

    def _mapped(self, x, source) -> np.ndarray:
        """(n, k), source rows by the source map and all others by the target map."""
        align, _ = recipes.build_pipeline(self._recipe)

        def adapted(function, rows):
            with jax.enable_x64(True):
                return function(self.fitted_.alignment, jnp.asarray(rows, jnp.float64))

        maps = [functools.partial(adapted, f) for f in (align.source, align.target)]
        return sample_domains.map_rows(*maps, x, source)

    def _checked(self, x, sample_domain):
        check_is_fitted(self)
        x = validate_data(self, x, dtype=np.float64, reset=False)
        return x, sample_domains.checked(sample_domain, len(x)) > 0


class Adapter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Built):
    """A shallow method as a transformer.

    `transform` maps all rows as target rows, or with `sample_domain` each row by the
    map of its domain. `fit_transform` returns all rows of the fit in order, including
    target rows, so a classifier after it in a pipeline must ignore those. One that does
    is AdaptedClassifier(shallow.none, classify).

    Args:
      build: the builder of the method, such as shallow.subspace_alignment.
      target_labels: whether labels of target rows (except -1) mark labelled target
        examples; otherwise they are not used.
      random_state: of the method's key.
      parameters: of `build`, except `classes`, which is taken from the labels.
    """

    __metadata_request__fit = _ROUTED
    __metadata_request__transform = _ROUTED

    def __init__(self, build, *, target_labels=False, random_state=0, **parameters):
        self.build = build
        self.target_labels = target_labels
        self.random_state = random_state
        self.set_given(parameters)

    def fit(self, X, y, sample_domain=None):
        """Fits on X (n, d); `sample_domain` (n,) is required.

        Raises:
          ValueError: no `sample_domain`, a domain without rows, or an error of `build`
            or of its fit.
        """
        x, _, _ = self._fit(X, y, sample_domain, self._to_adapt)
        self._n_features_out = self._mapped(x[:1], np.zeros(1, bool)).shape[1]
        return self

    def transform(self, X, sample_domain=None):
        """(n, d) -> (n, k) float64; without `sample_domain`, as target rows."""
        return self._mapped(*self._checked(X, sample_domain))

    def fit_transform(self, X, y, sample_domain=None):
        """Fits, and returns the rows, each mapped by the map of its domain."""
        return self.fit(X, y, sample_domain).transform(X, sample_domain)

    def _to_adapt(self, classes):
        arguments = self.arguments(self.build, classes)
        return recipes.Recipe(self.build, arguments, adapts_only=True)


def _inner_has(name):
    return lambda self: (
        not isinstance(self.classify, BaseEstimator) or hasattr(self.classify, name)
    )


class AdaptedClassifier(ClassifierMixin, _Built):
    """A shallow method and a classifier trained on the adapted examples.

    Predictions treat all rows as target rows, or with `sample_domain` each row by its
    domain. All source rows are labelled, so -1 in their y is a class like any other,
    except with `target_labels=True`, where -1 is an unknown label.

    Args:
      build: the builder of the method, such as shallow.subspace_alignment.
      classify: the builder of the classifier, such as shallow.linear_svm; or a
        scikit-learn classifier, which receives a method's weights as `sample_weight`;
        or None, if the method classifies by itself.
      target_labels: whether labels of target rows (except -1) mark labelled target
        examples; otherwise they are not used.
      random_state: of the keys of method and classifier.
      parameters: of `build`, and of `classify` with the prefix `classify_`, except
        `classes`, which is taken from the labels.
    """

    __metadata_request__fit = _ROUTED
    __metadata_request__predict = _ROUTED
    __metadata_request__predict_proba = _ROUTED
    __metadata_request__decision_function = _ROUTED
    __metadata_request__score = _ROUTED

    def __init__(
        self,
        build,
        classify=None,
        *,
        target_labels=False,
        random_state=0,
        **parameters,
    ):
        self.build = build
        self.classify = classify
        self.target_labels = target_labels
        self.random_state = random_state
        self.set_given(parameters)

    def fit(self, X, y, sample_domain=None):
        """Fits on X (n, d); `sample_domain` (n,) is required.

        Raises:
          ValueError: no `sample_domain`, a domain without rows, or an error of the
            method or the classifier.
        """
        x, codes, source = self._fit(X, y, sample_domain, self._to_classify)
        self.classify_ = None
        if self._from_sklearn():
            known = codes >= 0
            arguments = {}
            if self.weights_ is not None:
                weights = np.ones(len(x))
                weights[source] = self.weights_
                arguments['sample_weight'] = weights[known]
            adapted = self._mapped(x, source)[known]
            self.classify_ = clone(self.classify)
            self.classify_.fit(adapted, codes[known], **arguments)
        return self

    def predict(self, X, sample_domain=None):
        """(n, d) -> (n,) labels of `classes_`."""
        x, source = self._checked(X, sample_domain)
        if self.classify_ is not None:
            return self.classes_[self.classify_.predict(self._mapped(x, source))]
        return self.classes_[self._logits(x, source).argmax(1)]

    @available_if(_inner_has('decision_function'))
    def decision_function(self, X, sample_domain=None):
        """Logits (n, c); for two classes, second minus first logit (n,)."""
        x, source = self._checked(X, sample_domain)
        if self.classify_ is not None:
            return self.classify_.decision_function(self._mapped(x, source))
        logits = self._logits(x, source)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    @available_if(_inner_has('predict_proba'))
    def predict_proba(self, X, sample_domain=None):
        """The softmax of the logits (n, c).

        For shallow.softmax_regression these are probabilities; for distances, margins
        or cosines they only have the same order.
        """
        x, source = self._checked(X, sample_domain)
        if self.classify_ is not None:
            return self.classify_.predict_proba(self._mapped(x, source))
        return special.softmax(self._logits(x, source), axis=1)

    def score(self, X, y, sample_weight=None, sample_domain=None):
        """The accuracy of the predictions."""
        predicted = self.predict(X, sample_domain)
        return metrics.accuracy_score(y, predicted, sample_weight=sample_weight)

    def _from_sklearn(self) -> bool:
        return isinstance(self.classify, BaseEstimator)

    def defaults(self):
        """{hyper-parameter: default} of method and classifier."""
        defaults = super().defaults()
        if self.classify is not None and not self._from_sklearn():
            classify_defaults = recipes.default_parameters(self.classify)
            defaults |= {CLASSIFY + name: v for name, v in classify_defaults.items()}
        return defaults

    def _to_classify(self, classes):
        arguments = self.arguments(self.build, classes)
        if self._from_sklearn() or self.classify is None:
            return recipes.Recipe(
                self.build, arguments, adapts_only=self._from_sklearn()
            )
        classify_arguments = self.arguments(self.classify, classes, CLASSIFY)
        return recipes.Recipe(self.build, arguments, self.classify, classify_arguments)

    def _logits(self, x, source) -> np.ndarray:
        _, pipeline = recipes.build_pipeline(self._recipe)

        def logits(predict, rows):
            return np.asarray(predict(self.fitted_, {'x': rows})['logits'], np.float64)

        maps = [
            functools.partial(logits, f)
            for f in (pipeline.predict_source, pipeline.predict)
        ]
        return sample_domains.map_rows(*maps, x, source)
