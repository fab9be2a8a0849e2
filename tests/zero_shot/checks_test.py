"""Bad input: one line that names the culprit."""

import jax
import numpy as np
import pytest

from transfer_jax import zero_shot

KEY = jax.random.key(0)
X = np.arange(24.0).reshape(6, 4) % 7
LABEL = np.array([0, 1, 2, 0, 1, 2])
VECTORS = np.array([[1.0, 0], [0, 1], [1, 1]])
COMPILED = zero_shot.pipeline(zero_shot.eszsl())


def changed(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


@pytest.mark.parametrize(
    'x, label, vectors, message',
    [
        (X, changed(LABEL, 4, 3), VECTORS, 'label 3 in row 4 has no vector'),
        (X, changed(LABEL, 4, -1), VECTORS, 'label -1 in row 4 has no vector'),
        (X, LABEL % 2, VECTORS, 'class 2 has a vector but no example'),
        (changed(X, 3, np.nan), LABEL, VECTORS, 'NaN or infinite features in 1 of 6'),
        (X, LABEL, changed(VECTORS, 1, np.nan), 'NaN .* in the vector of class 1'),
        (X, LABEL, changed(VECTORS, 1, 0), 'the vector of class 1 is all zeros'),
        (X, LABEL, changed(VECTORS, 2, [1, 0]), 'classes 0 and 2 have the same'),
        (X, 0 * LABEL, VECTORS[:1], 'at least 2 seen classes are needed'),
        (X, LABEL[:5], VECTORS, r'label \(5,\) .* must be \(n, d\), \(n,\)'),
    ],
)
def test_a_fit_refuses(x, label, vectors, message):
    with pytest.raises(ValueError, match=message) as error:
        COMPILED.fit(KEY, x, label, vectors)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'x, vectors, message',
    [
        (X, np.ones((2, 3)), r'vectors \(2, 3\): the fit had vectors of dimension 2'),
        (X[:, :3], VECTORS, r'features \(6, 3\): the fit had features of dimension 4'),
        (changed(X, 2, np.inf), VECTORS, 'NaN or infinite features in 1 of 6 rows'),
        (X, changed(VECTORS, 2, np.nan), 'NaN or infinite vectors'),
    ],
)
def test_scores_refuse(x, vectors, message):
    fitted = COMPILED.fit(KEY, X, LABEL, VECTORS)
    with pytest.raises(ValueError, match=message):
        COMPILED.scores(fitted, x, vectors)


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: zero_shot.eszsl(0.0), 'gamma 0.0: must be positive'),
        (lambda: zero_shot.eszsl(1.0, -1), 'lambda -1: must be positive'),
        (lambda: zero_shot.eszsl_path([1, 2], [1]), '2 gammas and 1 lambdas'),
        (lambda: zero_shot.sae(0.0), 'lambda 0.0'),
        (lambda: zero_shot.sae(to='images'), 'choose from features, vectors'),
        (lambda: zero_shot.dap(prior='none'), 'choose from classes, half'),
        (lambda: zero_shot.iap(floor=0.0), 'floor 0.0'),
        (lambda: zero_shot.conse(0), 'top 0'),
        (lambda: zero_shot.sync(0.0), 'penalty 0.0'),
        (lambda: zero_shot.sje(rate=0), 'rate 0'),
        (lambda: zero_shot.ale(margin=0), 'margin 0'),
        (lambda: zero_shot.devise(epochs=0), 'epochs 0'),
        (lambda: zero_shot.latem(maps=0), 'maps 0'),
        (
            lambda: zero_shot.path(zero_shot.eszsl, {'gamma': [1, 2], 'lam': [1]}),
            'constants of one length',
        ),
        (lambda: zero_shot.path(zero_shot.sae, {'lam': [1, 0]}), 'lambda 0.0'),
    ],
)
def test_constants_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rows_of_zeros_stay():
    rows = zero_shot.unit_rows(np.array([[3.0, 4], [0, 0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], rtol=1e-6)
