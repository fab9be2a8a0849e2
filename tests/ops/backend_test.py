"""The backend itself: a release computed this wrongly without any error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures('optimised')


def test_a_product_of_three_matrices_is_right():
    # jaxlib 0.10.2 on CPU is wrong by half of the largest value (jax issue 39103).
    rng = np.random.default_rng(0)
    shapes = ((80, 800), (800, 80), (80, 80))
    a, b, c = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    # On a GPU the default is TF32, which is off by 3e-4.
    precision = None if jax.default_backend() == 'cpu' else 'highest'
    with jax.default_matmul_precision(precision):
        actual = jax.jit(lambda a, b, c: jnp.sum((a @ (b @ c)) ** 2, 1))(a, b, c)
    wide = a.astype(np.float64) @ (b.astype(np.float64) @ c)
    np.testing.assert_allclose(actual, (wide**2).sum(1), rtol=1e-4)
