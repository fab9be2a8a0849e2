"""What the estimators share: names of classes, and a fit and scores by name.

A subclass declares its parameters in `__init__` and names the function that builds its
method; everything else is here.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from transfer_jax import metrics
from transfer_jax.zero_shot import checks, method

Vectors = Mapping[Any, Any]  # {name of a class: vector (a,)}
ROUTED = {'class_vectors': True}  # metadata that is routed by default
NOT_OF_THE_METHOD = ('unit_rows', 'random_state')


class ZeroShotClassifier(ClassifierMixin, BaseEstimator):
    """Base of the estimators of a method of `transfer_jax.zero_shot`.

    After `fit`, `classes_` (k,) are the seen classes and `score_unit_` is the unit of
    `gamma`: the mean over training rows of the standard deviation of the scores of the
    seen classes.

    Attributes:
      build: the function of `zero_shot` that builds the method.
    """

    build: ClassVar[Callable[..., method.ZeroShot]]

    __metadata_request__fit = ROUTED
    __metadata_request__predict = ROUTED
    __metadata_request__decision_function = ROUTED
    __metadata_request__score = ROUTED

    def fit(self, X, y, class_vectors: Vectors):
        """Fits the method on examples of the seen classes.

        Args:
          X: (n, d).
          y: (n,) names of classes.
          class_vectors: {name: vector}, of every class in `y`; others are dropped.

        Raises:
          ValueError: a class in `y` without a vector, fewer than 2 classes, two classes
            with the same vector, a vector of zeros or of another length, or values that
            are not finite.
        """
        x, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        classes, label = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f'y: at least 2 classes are needed, not 1 class, {classes}'
            )
        names = classes.tolist()
        missing = [name for name in names if name not in class_vectors]
        if missing:
            raise ValueError(
                f'class_vectors: no vector of {", ".join(map(repr, missing))}, which '
                'occurs in y'
            )
        vectors = _matrix({name: class_vectors[name] for name in names})
        self._recipe = self._to_build()
        compiled = _compiled(self._recipe)
        x, vectors = self._prepared(x), self._prepared(vectors)
        seed = check_random_state(getattr(self, 'random_state', 0)).randint(2**31 - 1)
        fitted = compiled.fit(jax.random.key(seed), x, label, vectors)
        self.fitted_ = jax.tree.map(np.asarray, fitted)  # which can be pickled
        self.classes_ = classes
        scores = compiled.scores(self.fitted_, x, vectors)
        self.score_unit_ = metrics.score_deviation(scores)
        return self

    def decision_function(self, X, class_vectors: Vectors, gamma: float = 0.0):
        """(n, d) -> scores (n, c), a column for each of `class_vectors`, in its order.

        Args:
          gamma: subtracted from the scores of the seen classes, in units of
            `score_unit_` (calibrated stacking).

        Raises:
          ValueError: as `fit` for the vectors; a gamma without unseen or without seen
            classes among them.
        """
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        vectors = _matrix(class_vectors)
        scores = _compiled(self._recipe).scores(
            self.fitted_, self._prepared(x), self._prepared(vectors)
        )
        if gamma == 0:
            return scores
        seen = np.isin(list(class_vectors), self.classes_)
        return metrics.calibrated(scores, seen, gamma * self.score_unit_)

    def predict(self, X, class_vectors: Vectors, gamma: float = 0.0):
        """(n, d) -> (n,) names of `class_vectors`, as `decision_function`."""
        scores = self.decision_function(X, class_vectors, gamma)
        return np.array(list(class_vectors))[scores.argmax(1)]

    def score(self, X, y, class_vectors: Vectors):
        """The mean accuracy per class, with the classes in `y` to choose from.

        Raises:
          ValueError: as `predict`, or a class in `y` without a vector.
        """
        y = np.asarray(y)
        names = np.unique(y).tolist()
        missing = [name for name in names if name not in class_vectors]
        if missing:
            raise ValueError(f'class_vectors: no vector of {missing[0]!r}')
        predicted = self.predict(X, {name: class_vectors[name] for name in names})
        return metrics.mean_class_accuracy(predicted, y, names)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _to_build(self) -> tuple[Callable[..., method.ZeroShot], tuple]:
        """The function that builds the method, and its arguments."""
        given = self.get_params(deep=False)
        arguments = {k: v for k, v in given.items() if k not in NOT_OF_THE_METHOD}
        return type(self).build, tuple(arguments.items())

    def _prepared(self, rows) -> np.ndarray:
        """The rows, of length 1 if so chosen."""
        if not self.unit_rows:
            return rows
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(length > 0, length, 1)


@functools.lru_cache(maxsize=64)
def _compiled(recipe) -> method.ZeroShot:
    """Cached, so that fits and predictions of equal estimators share programs."""
    build, arguments = recipe
    return method.pipeline(build(**dict(arguments)))


def _matrix(class_vectors: Vectors) -> np.ndarray:
    """(c, a), the vectors in the order of the names.

    Raises:
      ValueError: no classes, or vectors that cannot be used; the message has names.
    """
    if not len(class_vectors):
        raise ValueError('class_vectors: there are no classes')
    names = list(class_vectors)
    rows = [np.asarray(class_vectors[name], np.float64) for name in names]
    for name, row in zip(names, rows, strict=True):
        if row.ndim != 1 or len(row) != len(rows[0]):
            raise ValueError(
                f'class_vectors: {name!r} has shape {row.shape}, but {names[0]!r} has '
                f'{rows[0].shape}'
            )
    matrix = np.stack(rows)
    checks.distinct(matrix, [repr(name) for name in names])
    return matrix
