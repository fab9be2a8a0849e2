"""What the estimators share: a fit on two domains, and a map for each of them.

A subclass declares its parameters in `__init__` and names the function that builds its
method; everything else is here.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Mapping
from typing import ClassVar

import jax
import numpy as np
from scipy import special
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from transfer_jax.shallow import shallow
from transfer_jax.shallow.sklearn import recipes, rows, scoring

ROUTED = {'sample_domain': True}  # metadata that is routed by default
# scikit-learn's names of parameters, and those of the functions of `shallow`
NAMES = {
    'n_components': 'dimension',
    'n_neighbors': 'neighbours',
    'max_iter': 'iterations',
    'tol': 'tolerance',
    'C': 'cost',
    'source_C': 'source_cost',
}


def check_fit(estimator, X, y, sample_domain, target_labels: bool):
    """The validated (x, y) of a fit, whether a row is of the source, and known labels.

    Raises:
      ValueError: features or labels that cannot be used, a missing or wrong
        `sample_domain`, or a domain without rows.
    """
    rows.check_labels(y)
    x, y = validate_data(estimator, X, y, dtype=np.float64, ensure_min_samples=2)
    check_classification_targets(y)
    source = rows.of_fit(sample_domain, len(x))
    return x, y, source, rows.known(y, source, target_labels)


def check_rows(estimator, X, sample_domain):
    """The validated rows of a fitted estimator, and whether each is of the source."""
    check_is_fitted(estimator)
    x = validate_data(estimator, X, dtype=np.float64, reset=False)
    return x, rows.are_source(sample_domain, len(x))


class TakesLabels:
    """Mixin of estimators whose fit needs y, before BaseEstimator in the bases."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class DomainEstimator(TakesLabels, BaseEstimator):
    """Base of the estimators of a method of `transfer_jax.shallow`.

    Attributes:
      build: the function of `shallow` that builds the method.
      renamed: {parameter: argument of `build`}, beyond those of `NAMES`.
      target_labels: a parameter of most subclasses; True for methods that need labelled
        target rows.
    """

    build: ClassVar[Callable[..., shallow.Shallow]]
    renamed: ClassVar[Mapping[str, str]] = {}
    target_labels: bool = False

    __metadata_request__fit = ROUTED

    def fit(self, X, y, sample_domain=None):
        """Fits the method on the rows of both domains.

        Args:
          X: (n, d).
          y: (n,) labels. Those of target rows are ignored, except with labelled target
            rows, where -1 is an unknown label.
          sample_domain: (n,), positive for source rows, negative for target rows;
            required.

        Raises:
          ValueError: no `sample_domain`, a domain without rows, or an error of the
            method; the message names the remedy.
        """
        x, y, source, known = check_fit(self, X, y, sample_domain, self.target_labels)
        classes, codes = rows.codes(y, known)
        labelled = ~source & known
        self._recipe = self._to_build(len(classes))
        with self._in_own_names():
            built = recipes.build(self._recipe)
        if built.method.semi_supervised and not labelled.any():
            raise ValueError(
                f'y: {type(self).__name__} needs target rows with a label; -1 marks '
                'those without'
            )
        parts = [source, ~source & ~labelled, labelled]
        parts = [rows.samples(x, codes, part) for part in parts if part.any()]
        seed = check_random_state(getattr(self, 'random_state', 0)).randint(2**31 - 1)
        with self._in_own_names():
            fitted = built.fit(jax.random.key(seed), *parts)
        self.fitted_ = jax.tree.map(np.asarray, fitted)  # which can be pickled
        self._finish(classes, x, y, source)
        return self

    def _to_build(self, classes) -> recipes.Recipe:
        """The recipe of the method with the present parameters."""
        names = self._names()
        given = self.get_params(deep=False)
        for name in ('target_labels', 'random_state'):
            given.pop(name, None)
        arguments = {names.get(name, name): value for name, value in given.items()}
        return recipes.recipe(type(self).build, classes, **arguments)

    def _names(self) -> dict[str, str]:
        """{parameter: argument of `build`}, where they differ."""
        return NAMES | dict(self.renamed)

    @contextlib.contextmanager
    def _in_own_names(self):
        """An error that begins with an argument of `build` names the parameter."""
        try:
            yield
        except ValueError as error:
            given = self.get_params(deep=False)
            for ours, theirs in self._names().items():
                if ours in given and str(error).startswith(f'{theirs} '):
                    message = str(error).removeprefix(theirs)
                    raise ValueError(ours + message) from error
            raise

    def _finish(self, classes, x, y, source):
        """What a kind of estimator takes from its fit."""

    def _mapped(self, x, source) -> np.ndarray:
        """(n, k), source rows by the source map and all others by the target map."""
        maps = recipes.build(self._recipe).maps
        maps = (functools.partial(f, self.fitted_) for f in maps)
        return rows.map_rows(*maps, x, source)


class FeatureAdapter(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DomainEstimator
):
    """Base of the methods that map the features of both domains.

    `transform` maps all rows as target rows, or with `sample_domain` each row by the
    map of its domain. `fit_transform` returns all rows of the fit in order, including
    target rows: a classifier that follows in a plain pipeline is trained on these too,
    with -1 as a class. Use AdaptedClassifier(adapter, classifier) instead.
    """

    __metadata_request__transform = ROUTED

    def transform(self, X, sample_domain=None):
        """(n, d) -> (n, k) float64; without `sample_domain`, as target rows."""
        return self._mapped(*check_rows(self, X, sample_domain))

    def fit_transform(self, X, y, sample_domain=None):
        """Fits, and returns the rows, each mapped by the map of its domain."""
        return self.fit(X, y, sample_domain).transform(X, sample_domain)

    def _finish(self, classes, x, y, source):
        self._n_features_out = self._mapped(x[:1], np.zeros(1, bool)).shape[1]


class InstanceWeighting(DomainEstimator):
    """Base of the methods that weight source examples and leave features as they are.

    `weights_` (n_source,) after `fit` are those of the source rows, in their order. Use
    AdaptedClassifier(weighting, classifier), whose classifier takes `sample_weight`.
    """

    def _finish(self, classes, x, y, source):
        weights = recipes.build(self._recipe).method.weights
        with jax.enable_x64(True):
            self.weights_ = np.asarray(weights(self.fitted_.alignment))


class PredictsByDomain(ClassifierMixin):
    """Mixin of classifiers that predict rows by their domain, and their `score`."""

    __metadata_request__predict = ROUTED
    __metadata_request__predict_proba = ROUTED
    __metadata_request__decision_function = ROUTED
    __metadata_request__score = ROUTED

    def score(self, X, y, sample_weight=None, sample_domain=None):
        """The accuracy on the rows of one domain whose label is known (not -1).

        With `sample_domain`: on the source rows, if there are any, else on the target
        rows. So a cross-validation with metadata routing gives source validation, which
        uses no target label. Without `sample_domain` all rows are target rows, and a
        warning says so. If -1 is a class of the fit, it counts as a known label.

        Raises:
          ValueError: labels -1 without `sample_domain`, or no known label.
        """
        return scoring.score(self, X, y, sample_weight, sample_domain)


class DomainClassifier(PredictsByDomain, DomainEstimator):
    """Base of the methods that classify by themselves.

    Without `sample_domain` all rows are predicted as target rows.
    """

    def predict(self, X, sample_domain=None):
        """(n, d) -> (n,) labels of `classes_`."""
        logits = self._logits(X, sample_domain)
        return self.classes_[logits.argmax(1)]

    def decision_function(self, X, sample_domain=None):
        """Logits (n, c); for two classes, second minus first logit (n,)."""
        logits = self._logits(X, sample_domain)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X, sample_domain=None):
        """The softmax of the logits (n, c).

        For distances, margins and votes these are no probabilities, but have the same
        order.
        """
        return special.softmax(self._logits(X, sample_domain), axis=1)

    def _finish(self, classes, x, y, source):
        self.classes_ = classes
        warn_of_class(classes, y, source)

    def _logits(self, X, sample_domain) -> np.ndarray:
        x, source = check_rows(self, X, sample_domain)
        logits = recipes.build(self._recipe).logits
        logits = (functools.partial(f, self.fitted_) for f in logits)
        return rows.map_rows(*logits, x, source)


def warn_of_class(classes, y, source):
    """Warns if -1 is a class of the source and the label of all target rows."""
    if rows.are_unknown(classes).any() and rows.are_unknown(y[~source]).all():
        warnings.warn(
            'y: -1 is a class of the source, so `score` counts -1 of target rows as '
            'this class; encode the classes as 0, 1, ... if -1 is to be unknown',
            stacklevel=4,
        )
