"""Mean field of the fully connected CRF: by hand, by loops, limits and gradients."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import ops
from transfer_jax.ops import crf

RNG = np.random.default_rng(0)
UNARY = RNG.gamma(2.0, 1.0, (6, 5, 3))
IMAGE = RNG.uniform(0, 60, (6, 5, 3))
WIDTHS = {'theta_alpha': 3.0, 'theta_beta': 20.0, 'theta_gamma': 1.5}
exact = functools.partial(ops.mean_field, filter=ops.exact_filter)


def _softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _by_loops(unary, image, w1, alpha, beta, w2, gamma, iterations, symmetric):
    h, w, c = unary.shape
    pixels = [(y, x) for y in range(h) for x in range(w)]
    near, alike = np.zeros((2, h * w, h * w))
    for i, p in enumerate(pixels):
        for j, q in enumerate(pixels):
            places = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
            colours = sum((image[p] - image[q]) ** 2)
            alike[i, j] = np.exp(-places / (2 * alpha**2) - colours / (2 * beta**2))
            near[i, j] = np.exp(-places / (2 * gamma**2))
    total = np.zeros((h * w, h * w))
    for weight, kernel in ((w1, alike), (w2, near)):
        root = np.sqrt(kernel.sum(1))
        if symmetric:
            total += weight * kernel / root[:, None] / root
        else:
            total += weight * (kernel - np.eye(h * w))
    energy = unary.reshape(h * w, c)
    q = _softmax(-energy)
    for _ in range(iterations):
        q = _softmax(total @ q - energy)
    return q.reshape(h, w, c)


@pytest.mark.parametrize('symmetric', [True, False])
def test_the_exact_filter_gives_what_loops_over_pairs_of_pixels_give(symmetric):
    expected = _by_loops(UNARY, IMAGE, 0.7, 3.0, 20.0, 0.4, 1.5, 4, symmetric)
    actual = exact(
        UNARY.astype(np.float32),
        IMAGE.astype(np.float32),
        appearance_weight=0.7,
        smoothness_weight=0.4,
        iterations=4,
        symmetric=symmetric,
        **WIDTHS,
    )
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, expected, atol=2e-6)


# One pixel prefers the first label 3 : 1, the other has no preference.
PAIR = np.array([[[0, math.log(3)], [0, 0]]], np.float32)


def test_two_pixels_without_themselves():
    """The second's message is 2 log 2 (3/4, 1/4): odds 2 : 1. The first's is even."""
    actual = exact(
        PAIR,
        np.zeros((1, 2, 3), np.float32),
        appearance_weight=0.0,
        smoothness_weight=2 * math.log(2) * math.exp(1 / 2),
        theta_gamma=1.0,
        iterations=1,
        symmetric=False,
    )
    np.testing.assert_allclose(actual, [[[3 / 4, 1 / 4], [2 / 3, 1 / 3]]], rtol=1e-6)


def test_two_pixels_normalised_with_themselves():
    """Rows of the kernel are (1, k) / (1 + k): a pixel also gets its own message."""
    k = math.exp(-1 / 2)
    actual = exact(
        PAIR,
        np.zeros((1, 2, 3), np.float32),
        appearance_weight=0.0,
        smoothness_weight=2 * math.log(2) * (1 + k) / k,
        theta_gamma=1.0,
        iterations=1,
    )
    odds = [3 * 2 ** (1 / k), 2]
    np.testing.assert_allclose(actual[0, :, 0] / actual[0, :, 1], odds, rtol=1e-5)


def test_a_third_pixel_of_another_colour_exchanges_no_messages():
    image = np.zeros((1, 3, 3), np.float32)
    image[0, 2] = 255
    actual = exact(
        np.concatenate([PAIR, [[[5, 0]]]], 1).astype(np.float32),
        image,
        appearance_weight=2 * math.log(2) * math.exp(1 / 2),
        theta_alpha=1.0,
        smoothness_weight=0.0,
        iterations=1,
        symmetric=False,
    )
    apart = 1 / (1 + math.exp(5))
    expected = [[[3 / 4, 1 / 4], [2 / 3, 1 / 3], [apart, 1 - apart]]]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize('filter', [ops.exact_filter, ops.lattice_filter])
def test_without_kernels_the_marginals_are_those_of_the_unary(filter):
    actual = ops.mean_field(
        UNARY, IMAGE, appearance_weight=0.0, smoothness_weight=0.0, filter=filter
    )
    np.testing.assert_allclose(actual, _softmax(-UNARY), atol=1e-6)


def test_on_a_constant_image_both_kernels_are_one():
    image = np.full((6, 5, 3), 93.0, np.float32)
    by_appearance = exact(UNARY, image, theta_alpha=1.5, smoothness_weight=0.0)
    by_place = exact(
        UNARY, image, theta_gamma=1.5, appearance_weight=0.0, smoothness_weight=10.0
    )
    np.testing.assert_allclose(by_appearance, by_place, atol=2e-5)


@pytest.mark.parametrize('filter', [ops.exact_filter, ops.lattice_filter])
def test_classes_are_exchangeable_and_marginals_sum_to_one(filter):
    actual = ops.mean_field(UNARY, IMAGE, filter=filter)
    order = np.array([2, 0, 1])
    other = ops.mean_field(UNARY[..., order], IMAGE, filter=filter)
    np.testing.assert_allclose(other, actual[..., order], atol=1e-5)
    np.testing.assert_allclose(actual.sum(-1), 1, atol=1e-6)
    lifted = ops.mean_field(UNARY + 7.0, IMAGE, filter=filter)
    np.testing.assert_allclose(lifted, actual, atol=1e-5)


def _scene(h, w):
    """A smooth shading with one edge, and noisy potentials of its two sides."""
    y, x = np.mgrid[:h, :w]
    side = x + 0.3 * y > 0.6 * w
    image = np.stack([90 + 80 * side + y, 100 + 40 * side + x, 120 - 60 * side], -1)
    noise = np.random.default_rng(1).normal(0, 1, (h, w, 3))
    return noise + np.stack([side * 1.0, 1.0 - side, 0.7 + 0 * x], -1), image, side


def test_an_edge_of_the_image_becomes_that_of_the_labels():
    unary, image, side = _scene(18, 24)
    noisy = np.argmin(unary, -1) == np.where(side, 1, 0)
    actual = np.argmax(ops.mean_field(unary, image), -1) == np.where(side, 1, 0)
    assert noisy.mean() < 0.7 and actual.mean() == 1


@pytest.mark.parametrize('settings', [{}, {'theta_alpha': 6.0, 'theta_beta': 40.0}])
def test_the_lattice_gives_about_what_the_exact_filter_gives(settings):
    unary, image, _ = _scene(18, 24)
    settings = {'appearance_weight': 2.0, 'smoothness_weight': 0.5, **settings}
    actual = ops.mean_field(unary, image, filter=ops.lattice_filter, **settings)
    expected = exact(unary, image, **settings)
    assert np.abs(_softmax(-unary) - expected).max() > 0.3  # they have something to do
    np.testing.assert_allclose(actual, expected, atol=0.03)
    assert np.abs(actual - expected).mean() < 0.005


def test_small_images_have_the_exact_filter_and_others_the_lattice():
    unary, image, _ = _scene(18, 24)
    for symmetric, weight in ((True, 2.0), (False, 0.01)):
        settings = {
            'symmetric': symmetric,
            'appearance_weight': weight,
            'smoothness_weight': weight / 4,
        }
        small, large = (
            ops.mean_field(unary, image, exact_pixels=pixels, **settings)
            for pixels in (18 * 24, 18 * 24 - 1)
        )
        for actual, filter in ((small, ops.exact_filter), (large, ops.lattice_filter)):
            expected = ops.mean_field(unary, image, filter=filter, **settings)
            np.testing.assert_array_equal(actual, expected)
        assert np.abs(small - large).max() > 1e-3


def test_gradient_with_the_exact_filter():
    def loss(unary, w1, w2, image, alpha, gamma):
        q = exact(
            unary,
            image,
            appearance_weight=w1,
            smoothness_weight=w2,
            theta_alpha=alpha,
            theta_beta=20.0,
            theta_gamma=gamma,
            iterations=3,
        )
        return jnp.sum(q * jnp.cos(jnp.arange(q.size).reshape(q.shape)))

    with jax.enable_x64(True):
        at = (UNARY[:3, :4], 0.7, 0.4, IMAGE[:3, :4], 3.0, 1.5)
        at = tuple(jnp.asarray(a, jnp.float64) for a in at)
        check_grads(jax.jit(loss), at, order=1, modes=['rev'], rtol=1e-6)


def test_gradient_with_the_lattice():
    @jax.jit
    def loss(unary, w1, w2):
        q = ops.mean_field(
            unary,
            IMAGE[:3, :4],
            appearance_weight=w1,
            smoothness_weight=w2,
            iterations=3,
            **WIDTHS,
        )
        return jnp.sum(q * jnp.cos(jnp.arange(q.size).reshape(q.shape)))

    with jax.enable_x64(True):
        at = (jnp.asarray(UNARY[:3, :4]), jnp.asarray(0.7), jnp.asarray(0.4))
        check_grads(loss, at, order=1, modes=['rev'], rtol=1e-6)


def test_the_exact_filter_takes_some_rows_at_a_time(monkeypatch):
    f, v = RNG.normal(1000, 1, (23, 4)), RNG.normal(size=(23, 2))
    kernel = np.exp(-np.square(f[:, None] - f).sum(-1) / 2)
    monkeypatch.setattr(crf, 'ENTRIES', 23 * 5)  # five rows; the last chunk has three
    for dense in (23**2, 0):
        monkeypatch.setattr(crf, 'DENSE', dense)
        with jax.enable_x64(True):
            whole = jax.jit(lambda f, v: crf.exact_filter(f)(v))(f, v)
            others = crf.exact_filter(jnp.asarray(f), diagonal=False)(v)
        np.testing.assert_allclose(whole, kernel @ v, rtol=1e-9)
        np.testing.assert_allclose(others, kernel @ v - v, rtol=1e-9)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'image': IMAGE[:, :4]}, r'image \(6, 4, 3\): .* \(6, 5, 3\)'),
        ({'image': IMAGE[..., :1]}, r'image \(6, 5, 1\)'),
        ({'theta_alpha': 0.0}, 'theta_alpha 0.0: a width must be positive'),
        ({'theta_beta': -1.0}, 'theta_beta -1.0: a width'),
        ({'theta_gamma': float('nan')}, 'theta_gamma nan: a width'),
        ({'iterations': 0}, 'iterations 0: must be at least one'),
    ],
)
def test_bad_input_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ops.mean_field(UNARY, **({'image': IMAGE} | settings))


def test_values_of_the_image_are_known_where_only_the_unary_is_traced():
    image = jnp.asarray(IMAGE)
    lattice = functools.partial(ops.mean_field, filter=ops.lattice_filter, **WIDTHS)
    actual = jax.jit(lambda u: lattice(u, image))(UNARY)
    np.testing.assert_allclose(actual, lattice(UNARY, IMAGE), atol=1e-5)


def test_the_lattice_refuses_an_image_that_is_traced():
    with pytest.raises(ValueError, match='choose exact_filter'):
        jax.jit(functools.partial(ops.mean_field, exact_pixels=0))(UNARY, IMAGE)
