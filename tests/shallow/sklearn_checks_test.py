"""The estimators against the checks of scikit-learn itself."""

import numpy as np
import pytest
import sklearn
from sklearn.utils import estimator_checks

from transfer_jax import shallow
from transfer_jax.shallow.sklearn import AdaptedClassifier, Adapter


@pytest.fixture(autouse=True)
def routing_as_by_default():
    """Importing skada, as other tests do, turns metadata routing on globally."""
    with sklearn.config_context(enable_metadata_routing=False):
        yield


class HalvedAdapter(Adapter):
    """Fits without `sample_domain`, as scikit-learn's checks do: domains alternate."""

    def fit(self, X, y, sample_domain=None):
        return super().fit(X, y, _turns(X))

    def fit_transform(self, X, y):
        return self.fit(X, y).transform(X)

    def __str__(self):  # the test's name, without the address of a function
        return 'Adapter'


class HalvedClassifier(AdaptedClassifier):
    """The same for the classifier."""

    def fit(self, X, y, sample_domain=None):
        return super().fit(X, y, _turns(X))

    def __str__(self):
        return 'AdaptedClassifier'


def _turns(x):
    count = len(x) if hasattr(x, '__len__') else np.shape(x)[0]
    return np.where(np.arange(count) % 3 < 2, 1, -1)


EXPECTED = {
    'check_do_not_raise_errors_in_init_or_set_params': 'names are checked at once',
    'check_no_attributes_set_in_init': 'hyper-parameters are those of the builder',
    'check_transformer_data_not_an_array': 'the stand-in needs a length',
    'check_classifier_data_not_an_array': 'the stand-in needs a length',
}


@estimator_checks.parametrize_with_checks(
    [
        HalvedAdapter(shallow.subspace_alignment, dimension=1),
        HalvedClassifier(shallow.none, shallow.nearest_class_mean),
    ],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
