"""One estimator of each family against the checks of scikit-learn itself."""

import numpy as np
import pytest
from sklearn import neighbors
from sklearn.utils import estimator_checks
from sklearn.utils.validation import _num_samples

from transfer_jax.shallow import sklearn as estimators

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _as_users_run_it(routing_as_by_default):
    """Nothing here depends on the last digits: programs that compile sooner do."""


def _turns(x):
    """Two source rows, one target row, and so on."""
    return np.where(np.arange(_num_samples(x)) % 3 < 2, 1, -1)


class Coral(estimators.Coral):
    """Fits without `sample_domain`, as scikit-learn's checks do: domains take turns."""

    def fit(self, X, y, sample_domain=None):
        return super().fit(X, y, _turns(X))

    def fit_transform(self, X, y):  # all rows by one map, as `transform` does
        return self.fit(X, y).transform(X)


class KMM(estimators.KMM):
    """The same for a weighting."""

    def fit(self, X, y, sample_domain=None):
        return super().fit(X, y, _turns(X))


class DSCM(estimators.DSCM):
    """The same for a method that classifies."""

    def fit(self, X, y, sample_domain=None):
        return super().fit(X, y, _turns(X))


class AdaptedClassifier(estimators.AdaptedClassifier):
    """The same for an adapter and a classifier."""

    _required_parameters = ('adapter', 'classifier')  # has no default instance

    def fit(self, X, y, sample_domain=None):
        return super().fit(X, y, _turns(X))


@estimator_checks.parametrize_with_checks(
    [
        Coral(),
        KMM(),
        DSCM(),
        AdaptedClassifier(estimators.Coral(), neighbors.KNeighborsClassifier(1)),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
