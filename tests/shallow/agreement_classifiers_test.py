"""Adapted classifiers against those of skada and ADAPT."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def test_dasvm_trains_the_machines_of_skada():
    """skada 0.6 has a single cost, and exchanges one example per side whatever its k.

    It removes source examples also where the target's band holds none on that side, and
    its last machine is one of all target examples; so agreement ends where that sets
    in, here after the sixth exchange.
    """
    pytest.importorskip('skada')
    from skada._self_labeling import DASVMClassifier
    from sklearn.svm import SVC

    rng = np.random.default_rng(1)
    label, n = np.arange(40) % 2, np.ones(40)
    xs = rng.normal(size=(40, 2)) + 1.4 * np.outer(2 * label - 1, [1, 0])
    xt = rng.normal(size=(40, 2)) + 1.4 * np.outer(2 * label - 1, [0.8, 0.6])
    xt += [0.3, 0]
    theirs = DASVMClassifier(SVC(kernel='linear', tol=1e-6), save_estimators=True)
    theirs.fit(
        np.concatenate([xs, xt]),
        np.concatenate([label, -n]),
        sample_domain=np.repeat([1, -2], 40),
    )
    previous = None
    for count in (0, 1, 3, 6):
        align = shallow.dasvm(2, start=1.0, rho=1, iterations=count)
        made = shallow.pipeline(align)
        fitted = made.fit(KEY, Samples(xs, label, n), Samples(xt, label, n))
        ours = np.asarray(made.predict(fitted, {'x': xt})['logits'])
        expected = theirs.estimators[count].decision_function(xt)
        np.testing.assert_allclose(ours[:, 1], expected, atol=5e-4)
        np.testing.assert_allclose(ours[:, 0], -expected, atol=5e-4)
        assert previous is None or np.abs(expected - previous).max() > 0.01
        previous = expected


def test_easy_adapt_with_an_svm_is_what_adapt_makes_of_it():
    """The scores are those of ADAPT 0.4.5: FA(LinearSVC(tol=1e-10), Xt=xt, yt=yt)."""
    rng = np.random.default_rng(0)
    ys, yt = np.arange(12) % 3, np.arange(6) % 3
    xs = rng.normal(size=(12, 4)) + ys[:, None]
    xt = rng.normal(size=(6, 4)) - yt[:, None]
    new = rng.normal(size=(3, 4))
    made = shallow.pipeline(shallow.easy_adapt(), shallow.linear_svm(3))
    labelled = Samples(xt, yt, np.ones(6))
    fitted = made.fit(KEY, Samples(xs, ys, np.ones(12)), labelled, labelled)
    expected = [
        [2.85035165, -3.73238606, -0.38981717],
        [-0.47420014, 2.91447665, -3.29077311],
        [0.97913271, -1.99547702, -0.35916769],
    ]
    result = made.predict(fitted, {'x': new})['logits']
    np.testing.assert_allclose(result, expected, atol=0.02)
