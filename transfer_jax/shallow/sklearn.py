"""Closed-form methods as scikit-learn estimators: NumPy in, NumPy out.

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
>>> x[80:] = x[80:] @ np.diag([1, -1, 1]) + 5  # which is another
>>> model = make_pipeline(
...     StandardScaler(),
...     AdaptedClassifier(shallow.subspace_alignment, shallow.nearest_neighbour,
...                       dimension=2))
>>> found = cross_validate(
...     model, x, y, cv=3, params={'adaptedclassifier__sample_domain': sample_domain})
>>> found['test_score'].shape
(3,)

The conventions are skada's: `sample_domain` is positive for source rows and negative
for target rows, and -1 in `y` is a label that is not known. The labels of target rows
are not read unless `target_labels=True` says so; so y may hold them for a score.

Where metadata routing is on (importing skada turns it on), `sample_domain` itself is
handed over, as params={'sample_domain': sample_domain}.

Import this module by its name; `transfer_jax.shallow` does not import it.
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

from transfer_jax.shallow import recipes, two_domains

CLASSIFY = 'classify_'  # stands before the hyper-parameters of a classifier
_FIT = {'sample_domain': True}  # what metadata routing hands over unasked


class _Built(recipes.Parameters, BaseEstimator):
    """What both estimators share: the fit, and a map for each domain."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _fit(self, x, y, sample_domain, recipe_of):
        """Fits the pipeline; returns (x, codes, which rows are the source's)."""
        x, y = validate_data(self, x, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        if sample_domain is None:
            raise ValueError(
                'sample_domain: pass it to the fit, positive for source rows and '
                'negative for target rows'
            )
        source = two_domains.domain(sample_domain, len(x)) > 0
        for there, word in ((source, 'source'), (~source, 'target')):
            if not there.any():
                raise ValueError(f'sample_domain: no {word} rows')
        classes, codes = two_domains.codes(y, source, self.target_labels)
        key = jax.random.key(check_random_state(self.random_state).randint(2**31 - 1))
        self._recipe = recipe_of(len(classes))
        labelled = ~source & (codes >= 0)
        parts = [source, ~source & ~labelled, labelled]
        if not parts[1].any():
            raise ValueError('target_labels: no target row is unlabelled')
        parts = [two_domains.samples(x, codes, rows) for rows in parts if rows.any()]
        align, made = recipes.made(self._recipe)
        self.fitted_ = jax.tree.map(np.asarray, made.fit(key, *parts))
        self.classes_, self.weights_ = classes, None
        if align.weights:
            with jax.enable_x64(True):
                self.weights_ = np.asarray(align.weights(self.fitted_.alignment))
        return x, codes, source

    def _mapped(self, x, source) -> np.ndarray:
        """(n, k), rows of the source by its map and all others by the target's."""
        align, _ = recipes.made(self._recipe)

        def adapted(function, rows):
            with jax.enable_x64(True):
                return function(self.fitted_.alignment, jnp.asarray(rows, jnp.float64))

        maps = [functools.partial(adapted, f) for f in (align.source, align.target)]
        return two_domains.answers(*maps, x, source)

    def _checked(self, x, sample_domain):
        check_is_fitted(self)
        x = validate_data(self, x, dtype=np.float64, reset=False)
        return x, two_domains.domain(sample_domain, len(x)) > 0


class Adapter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Built):
    """A closed-form adaptation as a transformer.

    `transform` maps rows as the target's, or where `sample_domain` is given, each as
    its domain's. `fit_transform` gives every row of the fit in its place, target rows
    too; so a classifier that follows it in a pipeline must leave those out. One that
    does is AdaptedClassifier(shallow.none, classify).

    Args:
      build: what gives the method, such as shallow.subspace_alignment.
      target_labels: labels of target rows (but -1) are those of labelled target
        examples; else nobody reads them.
      random_state: of the method's key.
      parameters: of `build`, except `classes`, which the labels of the fit tell.
    """

    __metadata_request__fit = _FIT
    __metadata_request__transform = _FIT

    def __init__(self, build, *, target_labels=False, random_state=0, **parameters):
        self.build = build
        self.target_labels = target_labels
        self.random_state = random_state
        self.take(parameters)

    def fit(self, X, y, sample_domain=None):
        """Fit on X (n, d); `sample_domain` (n,) must be given.

        Raises:
          ValueError: no `sample_domain`, a domain without rows, or what `build` and its
            fit refuse.
        """
        x, _, _ = self._fit(X, y, sample_domain, self._to_adapt)
        self._n_features_out = self._mapped(x[:1], np.zeros(1, bool)).shape[1]
        return self

    def transform(self, X, sample_domain=None):
        """(n, d) -> (n, k) float64; without `sample_domain`, rows of the target."""
        return self._mapped(*self._checked(X, sample_domain))

    def fit_transform(self, X, y, sample_domain=None):
        """The fit, and its rows, each mapped as its domain's."""
        return self.fit(X, y, sample_domain).transform(X, sample_domain)

    def _to_adapt(self, classes):
        arguments = self.arguments(self.build, classes)
        return recipes.Recipe(self.build, arguments, adapts_only=True)


def _inner_has(name):
    return lambda self: (
        not isinstance(self.classify, BaseEstimator) or hasattr(self.classify, name)
    )


class AdaptedClassifier(ClassifierMixin, _Built):
    """A closed-form adaptation and the classifier trained on what it gives.

    Predictions are for rows of the target, or where `sample_domain` is given, each for
    its domain's. Source rows are always labelled, so that their y may be -1 as any
    other class, unless `target_labels=True`, where -1 is a label that is not known.

    Args:
      build: what gives the method, such as shallow.subspace_alignment.
      classify: what gives the classifier, such as shallow.linear_svm; or a scikit-learn
        classifier, which gets a method's weights as `sample_weight`; or None, where the
        method classifies by itself.
      target_labels: labels of target rows (but -1) are those of labelled target
        examples; else nobody reads them.
      random_state: of the keys of method and classifier.
      parameters: of `build`, and of `classify` with `classify_` before their names;
        except `classes`, which the labels of the fit tell.
    """

    __metadata_request__fit = _FIT
    __metadata_request__predict = _FIT
    __metadata_request__predict_proba = _FIT
    __metadata_request__decision_function = _FIT
    __metadata_request__score = _FIT

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
        self.take(parameters)

    def fit(self, X, y, sample_domain=None):
        """Fit on X (n, d); `sample_domain` (n,) must be given.

        Raises:
          ValueError: no `sample_domain`, a domain without rows, or what the method and
            the classifier refuse.
        """
        x, codes, source = self._fit(X, y, sample_domain, self._to_classify)
        self.classify_ = None
        if self._foreign():
            known = codes >= 0
            own = {}
            if self.weights_ is not None:
                weights = np.ones(len(x))
                weights[source] = self.weights_
                own['sample_weight'] = weights[known]
            adapted = self._mapped(x, source)[known]
            self.classify_ = clone(self.classify).fit(adapted, codes[known], **own)
        return self

    def predict(self, X, sample_domain=None):
        """(n, d) -> (n,) labels of `classes_`."""
        x, source = self._checked(X, sample_domain)
        if self.classify_ is not None:
            return self.classes_[self.classify_.predict(self._mapped(x, source))]
        return self.classes_[self._logits(x, source).argmax(1)]

    @available_if(_inner_has('decision_function'))
    def decision_function(self, X, sample_domain=None):
        """Logits (n, c); of two classes, those of the second minus the first's (n,)."""
        x, source = self._checked(X, sample_domain)
        if self.classify_ is not None:
            return self.classify_.decision_function(self._mapped(x, source))
        logits = self._logits(x, source)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    @available_if(_inner_has('predict_proba'))
    def predict_proba(self, X, sample_domain=None):
        """The softmax of the logits (n, c).

        Of shallow.softmax_regression these are probabilities; of distances, margins or
        cosines they are numbers in the same order.
        """
        x, source = self._checked(X, sample_domain)
        if self.classify_ is not None:
            return self.classify_.predict_proba(self._mapped(x, source))
        return special.softmax(self._logits(x, source), axis=1)

    def score(self, X, y, sample_weight=None, sample_domain=None):
        """The share of rows that are predicted right."""
        predicted = self.predict(X, sample_domain)
        return metrics.accuracy_score(y, predicted, sample_weight=sample_weight)

    def _foreign(self) -> bool:
        return isinstance(self.classify, BaseEstimator)

    def defaults(self):
        """{hyper-parameter: default} of method and classifier."""
        own = super().defaults()
        if self.classify is not None and not self._foreign():
            of_classify = recipes.parameters(self.classify)
            own |= {CLASSIFY + name: value for name, value in of_classify.items()}
        return own

    def _to_classify(self, classes):
        arguments = self.arguments(self.build, classes)
        if self._foreign() or self.classify is None:
            return recipes.Recipe(self.build, arguments, adapts_only=self._foreign())
        own = self.arguments(self.classify, classes, CLASSIFY)
        return recipes.Recipe(self.build, arguments, self.classify, own)

    def _logits(self, x, source) -> np.ndarray:
        _, made = recipes.made(self._recipe)

        def answered(predict, rows):
            return np.asarray(predict(self.fitted_, {'x': rows})['logits'], np.float64)

        maps = [
            functools.partial(answered, f) for f in (made.predict_source, made.predict)
        ]
        return two_domains.answers(*maps, x, source)
