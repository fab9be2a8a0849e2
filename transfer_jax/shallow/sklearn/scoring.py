"""Accuracies of one domain: `score` of the classifiers, and two scorers."""

import warnings
from typing import Any

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, check_consistent_length

from transfer_jax.shallow.sklearn import rows

_ROUTE = (
    'in cross-validation call sklearn.set_config(enable_metadata_routing=True) and '
    "pass params={'sample_domain': ...}"
)


def score(estimator: Any, X, y, sample_weight=None, sample_domain=None) -> float:
    """The accuracy on the rows of one domain whose label is known.

    That domain is the source if `sample_domain` marks any source row (source
    validation, which needs no target label), else the target. Without `sample_domain`
    all rows are target rows, which a warning says.

    Raises:
      ValueError: a label -1 without `sample_domain`; no row with a known label.
    """
    labels = _checked(X, y)
    known = _are_known(estimator, labels)
    if sample_domain is None:
        if not known.all():
            raise ValueError(
                'score: y has labels -1 (unknown) and sample_domain is missing, so its '
                'other rows may be of the source; pass sample_domain, which may be -1 '
                f'if all rows are of the target; {_ROUTE}'
            )
        warnings.warn(
            'score: without sample_domain all rows are scored as target rows. If some '
            'are of the source, the accuracy is of neither domain: pass sample_domain, '
            f'which may be -1 if all rows are of the target; {_ROUTE}',
            stacklevel=3,
        )
    source = rows.are_source(sample_domain, len(labels))
    scored = _scored(known, source, source.any())
    predicted = estimator.predict(X, sample_domain)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight)[scored]
    return metrics.accuracy_score(
        labels[scored], predicted[scored], sample_weight=sample_weight
    )


class DomainAccuracy(BaseEstimator):
    """A scorer: the accuracy on the rows of one domain whose label is known.

    For the `scoring` of cross_validate or GridSearchCV, with metadata routing turned on
    and params={'sample_domain': ...}. Source rows are predicted with their domain.

    Args:
      domain: 'source' or 'target'.
    """

    __metadata_request__score = {'sample_domain': True}

    def __init__(self, domain: str = 'source'):
        self.domain = domain

    def __call__(self, estimator: Any, X, y, sample_domain=None) -> float:
        """The accuracy of a fitted estimator.

        Raises:
          ValueError: an unknown domain, no `sample_domain`, or no row of this domain
            with a known label.
        """
        return self.score(estimator, X, y, sample_domain)

    def score(self, estimator: Any, X, y, sample_domain=None) -> float:
        """The same, under the name by which scikit-learn routes `sample_domain`."""
        if self.domain not in ('source', 'target'):
            raise ValueError(f"domain {self.domain!r}: choose 'source' or 'target'")
        if sample_domain is None:
            raise ValueError(
                f'{self.domain} accuracy: sample_domain is missing; {_ROUTE}'
            )
        of_source = self.domain == 'source'
        routed = sklearn.get_config()['enable_metadata_routing']
        if of_source and hasattr(estimator, 'steps') and not routed:
            # Its first steps would map source rows as target rows.
            raise ValueError(
                'source accuracy: a Pipeline passes sample_domain to its steps only '
                'after sklearn.set_config(enable_metadata_routing=True)'
            )
        labels = _checked(X, y)
        source = rows.are_source(sample_domain, len(labels))
        scored = _scored(_are_known(estimator, labels), source, of_source)
        domain = {'sample_domain': np.ones(scored.sum())} if of_source else {}
        predicted = estimator.predict(
            _safe_indexing(X, np.flatnonzero(scored)), **domain
        )
        return metrics.accuracy_score(labels[scored], predicted)


def _checked(X, y) -> np.ndarray:
    rows.check_labels(y)
    check_consistent_length(X, y)
    return np.asarray(y)


def _are_known(estimator, y) -> np.ndarray:
    """All labels but -1, which counts as a label if it is a class of the fit."""
    unknown = rows.are_unknown(y)
    if rows.are_unknown(np.asarray(estimator.classes_)).any():
        return np.ones(len(y), bool)
    return ~unknown


def _scored(known, source, of_source) -> np.ndarray:
    scored = known & (source if of_source else ~source)
    if not scored.any():
        name = 'source' if of_source else 'target'
        raise ValueError(
            f'y: no {name} row with a known label (-1 is unknown), so there is no '
            f'accuracy; {rows.SHUFFLE}'
        )
    return scored


source_accuracy = DomainAccuracy('source')
target_accuracy = DomainAccuracy('target')
