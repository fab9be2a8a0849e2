"""What every zero-shot method must do."""

import functools
import inspect

import jax
import numpy as np
import pytest

from tests.zero_shot import generated
from transfer_jax import zero_shot
from transfer_jax.zero_shot import method as methods

KEY = jax.random.key(0)
quick = {'epochs': 4, 'batch': 16}
# {name: (a function of constants, two values of each, does the order matter)}
CASES = {
    'eszsl': (zero_shot.eszsl, {'gamma': [0.1, 1.0], 'lam': [0.1, 0.3]}, False),
    'sae': (zero_shot.sae, {'lam': [0.1, 1.0]}, False),
    'sae_vectors': (
        functools.partial(zero_shot.sae, to='vectors'),
        {'lam': [0.1, 1.0]},
        False,
    ),
    'dap': (zero_shot.dap, {'cost': [10.0, 100.0]}, False),
    'iap': (zero_shot.iap, {'cost': [10.0, 100.0]}, False),
    'conse': (zero_shot.conse, {'top': [3, 5], 'cost': [100.0, 100.0]}, False),
    'sync': (zero_shot.sync, {'penalty': [1e-4, 1e-3], 'scale': [1.0, 2.0]}, False),
    'devise': (
        functools.partial(zero_shot.devise, **quick),
        {'rate': [1.0, 2.0]},
        True,
    ),
    'ale': (functools.partial(zero_shot.ale, **quick), {'margin': [0.1, 0.2]}, True),
    'sje': (functools.partial(zero_shot.sje, **quick), {'rate': [1.0, 3.0]}, True),
    'latem': (
        functools.partial(zero_shot.latem, maps=2, **quick),
        {'rate': [1.0, 2.0]},
        True,
    ),
}
NAMES = list(CASES)


@functools.cache
def world():
    return generated.world()


@functools.cache
def fitted(name):
    """(compiled method, its fit) with the first value of each constant."""
    make, constants, _ = CASES[name]
    compiled = zero_shot.pipeline(make(**{k: v[0] for k, v in constants.items()}))
    return compiled, compiled.fit(KEY, *world()[:3])


def scores(name):
    compiled, fit = fitted(name)
    return compiled.scores(fit, world().test_x, world().unseen)


@pytest.mark.parametrize('name', NAMES)
def test_unseen_classes_are_recognised(name):
    result = scores(name)
    assert result.dtype == np.float64
    assert result.shape == (32, 4)
    assert np.isfinite(result).all()
    assert np.mean(result.argmax(1) == world().test_label) > 0.5  # chance is 0.25


@pytest.mark.parametrize('name', NAMES)
def test_the_order_of_the_classes_does_not_matter(name):
    """Nor is the score of a class changed by the classes beside it."""
    compiled, _ = fitted(name)
    x, label, vectors, test_x, _, unseen = world()
    order = np.random.default_rng(1).permutation(len(vectors))
    fit = compiled.fit(KEY, x, np.argsort(order)[label], vectors[order])
    result = compiled.scores(fit, test_x, unseen[::-1])[:, ::-1]
    # L-BFGS stops by itself, so the last digits of its minimum depend on the way there.
    loose = 1e-2 if name in ('dap', 'iap', 'conse', 'sync') else 1e-8
    np.testing.assert_allclose(result, scores(name), rtol=loose, atol=loose)
    alone = compiled.scores(fit, test_x, unseen[:1])
    np.testing.assert_allclose(alone, result[:, :1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('name', [n for n in NAMES if not CASES[n][2]])
def test_the_order_of_the_examples_does_not_matter(name):
    compiled, _ = fitted(name)
    x, label, vectors, test_x, _, unseen = world()
    order = np.random.default_rng(1).permutation(len(x))
    fit = compiled.fit(KEY, x[order], label[order], vectors)
    result = compiled.scores(fit, test_x, unseen)
    loose = 1e-2 if name in ('dap', 'iap', 'conse', 'sync') else 1e-8
    np.testing.assert_allclose(result, scores(name), rtol=loose, atol=loose)


@pytest.mark.parametrize('name', NAMES)
def test_a_path_is_the_fits_of_its_constants_in_one_program(name):
    make, constants, _ = CASES[name]
    both = zero_shot.path(make, constants)
    x, label, vectors, test_x, _, unseen = world()
    fit = both.fit(KEY, x, label, vectors)
    result = both.scores(fit, test_x, unseen)
    assert result.shape == (2, 32, 4)
    loose = 1e-5 if name in ('dap', 'iap', 'conse', 'sync') else 1e-9
    np.testing.assert_allclose(result[0], scores(name), rtol=loose, atol=loose)
    programs = methods._fit_path._cache_size()
    other = zero_shot.path(make, {k: 1.1 * np.array(v) for k, v in constants.items()})
    other.fit(KEY, x, label, vectors)
    assert methods._fit_path._cache_size() == programs


@pytest.mark.parametrize('name', NAMES)
def test_a_fit_takes_the_vectors_of_its_classes_only(name):
    compiled, _ = fitted(name)
    x, label, vectors, *_, unseen = world()
    assert list(inspect.signature(compiled.fit).parameters) == [
        'key',
        'x',
        'label',
        'vectors',
    ]
    with pytest.raises(ValueError, match='class 12 has a vector but no example'):
        compiled.fit(KEY, x, label, np.concatenate([vectors, unseen]))


@pytest.mark.parametrize('name', [n for n in NAMES if CASES[n][2]])
def test_the_key_decides_what_is_drawn(name):
    compiled, first = fitted(name)
    same = compiled.fit(KEY, *world()[:3])
    other = compiled.fit(jax.random.key(1), *world()[:3])
    np.testing.assert_array_equal(first.parameters.maps, same.parameters.maps)
    apart = np.asarray(first.parameters.maps) - np.asarray(other.parameters.maps)
    assert abs(apart).max() > 0.01
