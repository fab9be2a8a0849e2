"""The density ratio of an accelerator equals that of scikit-learn on the host."""

import numpy as np
import pytest

from transfer_jax import selection
from transfer_jax.selection import projection, ratio_on_device, weights


def _domains(n, m, d, shift, seed=0):
    rng = np.random.default_rng(seed)
    source = np.maximum(rng.normal(0, 1, (n, d)), 0)
    target = np.maximum(rng.normal(shift, 1.2, (m, d)), 0)
    return source.astype(np.float32), target.astype(np.float32)


@pytest.mark.parametrize('shift', [0.0, 0.3, 3.0])  # 3: the domains are separable
def test_log_odds_are_those_of_the_host(shift):
    source, target = _domains(120, 90, 30, shift)
    source[:, 3] = target[:, 3] = 0.5  # a feature that says nothing
    found = ratio_on_device.log_odds(source, target)
    wanted = weights._log_odds(source, target)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(found, wanted, atol=2e-3 * max(1, abs(wanted).max()))


def test_wide_features_are_sketched_alike(monkeypatch):
    monkeypatch.setattr(projection, 'WIDE', 20)
    monkeypatch.setattr(projection, 'SKETCH', 10)
    source, target = _domains(120, 90, 30, 0.5)
    source[:, ::7] = target[:, ::7] = 0.5  # as dead units
    found = ratio_on_device.log_odds(source, target)
    np.testing.assert_allclose(found, weights._log_odds(source, target), atol=5e-3)


def test_an_accelerator_uses_it(monkeypatch):
    source, target = _domains(60, 50, 8, 0.5)
    host = selection.density_ratio(source, target)
    monkeypatch.setattr(weights.jax, 'default_backend', lambda: 'gpu')
    monkeypatch.setattr(weights, '_log_odds', None)
    np.testing.assert_allclose(selection.density_ratio(source, target), host, rtol=5e-3)


def test_features_that_are_all_constant_weigh_alike():
    ones = np.ones((40, 5), np.float32)
    found = ratio_on_device.log_odds(ones, ones[:20])
    np.testing.assert_allclose(found, np.log(20 / 40), atol=1e-4)
