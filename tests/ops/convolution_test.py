"""Convolution: every form is the same sum."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.ops import convolution

FORMS = [convolution.by_xla, convolution.by_patches]
# (h, w, c, kh, kw, k, stride, padding); c = 3 and c = 6 use different code paths
SHAPES = [
    (7, 9, 3, 3, 3, 4, 1, 0),
    (7, 9, 6, 3, 3, 4, 1, 2),
    (8, 7, 3, 3, 3, 2, 2, 1),
    (9, 9, 6, 2, 3, 3, 2, 0),
    (6, 5, 2, 1, 1, 3, 2, 1),
    (4, 4, 6, 4, 4, 5, 1, 0),
]


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def _inputs(shape, n=2):
    h, w, c, kh, kw, k, _, _ = shape
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, h, w, c)), rng.standard_normal((kh, kw, c, k))


def _sum(x, kernel, stride, padding):
    """The definition, position by position."""
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    kh, kw, _, k = kernel.shape
    n, h, w, _ = x.shape
    rows, columns = (h - kh) // stride + 1, (w - kw) // stride + 1
    y = np.zeros((n, rows, columns, k))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            y[:, i, j] = np.einsum('nhwc,hwck->nk', window, kernel)
    return y


def _gradients(x, kernel, g, stride, padding):
    """Gradients of sum(g * y) by x and by the kernel, position by position."""
    kh, kw, _, _ = kernel.shape
    wide = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    by_x, by_kernel = np.zeros_like(wide), np.zeros_like(kernel)
    for i in range(g.shape[1]):
        for j in range(g.shape[2]):
            rows = slice(i * stride, i * stride + kh)
            columns = slice(j * stride, j * stride + kw)
            by_x[:, rows, columns] += np.einsum('nk,hwck->nhwc', g[:, i, j], kernel)
            by_kernel += np.einsum('nk,nhwc->hwck', g[:, i, j], wide[:, rows, columns])
    h, w = x.shape[1:3]
    return by_x[:, padding : padding + h, padding : padding + w], by_kernel


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('form', FORMS)
def test_every_form_is_the_definition_and_so_are_its_gradients(form, shape):
    x, kernel = _inputs(shape)
    stride, padding = shape[-2:]
    expected = _sum(x, kernel, stride, padding)
    g = np.random.default_rng(1).standard_normal(expected.shape)

    @jax.jit
    def run(x, kernel, g):
        y, pull = jax.vjp(
            lambda x, kernel: form(x, kernel, stride=stride, padding=padding), x, kernel
        )
        return y, pull(g)

    y, gradients = run(x, kernel, g)
    assert y.dtype == jnp.float64
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-10)
    for ours, theirs in zip(
        gradients, _gradients(x, kernel, g, stride, padding), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('channels', [3, 6])
def test_the_result_has_the_type_of_the_inputs(channels, dtype):
    x = jnp.ones((1, 5, 5, channels), dtype)
    kernel = jnp.ones((3, 3, channels, 2), dtype)
    y = jax.jit(convolution.convolve)(x, kernel)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype(float), 9.0 * channels)


def test_second_and_forward_derivatives_exist():
    x, kernel = _inputs(SHAPES[0])

    def penalty(kernel):
        def energy(x):
            return jnp.sum(convolution.convolve(x, kernel) ** 3)

        return jnp.sum(jax.grad(energy)(x) ** 2)

    direction = np.random.default_rng(2).standard_normal(kernel.shape)
    slope = jax.jit(lambda k: jnp.vdot(jax.grad(penalty)(k), direction))(kernel)
    _, forward = jax.jit(lambda k: jax.jvp(penalty, (k,), (direction,)))(kernel)
    np.testing.assert_allclose(forward, slope, rtol=1e-10)


def _places(x, kernel, stride, sides, dilation, groups):
    """The definition with padding of each side, dilation and groups."""
    x = np.pad(x, [(0, 0), *sides, (0, 0)])
    kh, kw, group_channels, k = kernel.shape
    rows = (x.shape[1] - (kh - 1) * dilation - 1) // stride + 1
    columns = (x.shape[2] - (kw - 1) * dilation - 1) // stride + 1
    y = np.zeros((len(x), rows, columns, k))
    for i, j, a, b, out in np.ndindex(rows, columns, kh, kw, k):
        first = out // (k // groups) * group_channels
        read = x[:, i * stride + a * dilation, j * stride + b * dilation]
        y[:, i, j, out] += (
            read[:, first : first + group_channels] @ kernel[a, b, :, out]
        )
    return y


# (h, w, c, kh, kw, k, stride, padding, the same in numbers, dilation, groups)
WAYS = [
    (6, 7, 2, 3, 3, 4, 2, 'SAME', ((0, 1), (1, 1)), 1, 1),
    (6, 5, 6, 3, 2, 3, 1, 'SAME', ((1, 1), (0, 1)), 1, 1),
    (5, 5, 2, 1, 1, 3, 2, 'SAME', ((0, 0), (0, 0)), 1, 1),
    (7, 7, 6, 3, 3, 2, 1, 'SAME', ((2, 2), (2, 2)), 2, 1),
    (7, 8, 2, 3, 3, 3, 2, ((2, 0), (1, 3)), ((2, 0), (1, 3)), 2, 1),
    (6, 6, 4, 3, 3, 4, 2, 'SAME', ((0, 1), (0, 1)), 1, 4),
    (6, 5, 5, 3, 3, 5, 1, 2, ((2, 2), (2, 2)), 2, 5),
    (5, 6, 4, 3, 3, 6, 1, 1, ((1, 1), (1, 1)), 1, 2),
    (5, 6, 3, 3, 3, 6, 1, 1, ((1, 1), (1, 1)), 1, 3),
]


@pytest.mark.parametrize('way', WAYS)
def test_same_padding_dilation_and_groups(way):
    h, w, c, kh, kw, k, stride, padding, sides, dilation, groups = way
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, h, w, c))
    kernel = rng.standard_normal((kh, kw, c // groups, k))
    expected = _places(x, kernel, stride, sides, dilation, groups)
    fields = {'stride': stride, 'padding': padding, 'dilation': dilation}
    g = rng.standard_normal(expected.shape)

    def loss(form, x, kernel):
        y = form(x, kernel, groups=groups, **fields)
        return jnp.vdot(y, g), y

    @jax.jit
    def run(x, kernel):
        return [
            jax.grad(functools.partial(loss, form), (0, 1), has_aux=True)(x, kernel)
            for form in (convolution.convolve, convolution.by_xla)
        ]

    ours, theirs = run(x, kernel)
    np.testing.assert_allclose(ours[1], expected, rtol=0, atol=1e-10)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)


@pytest.mark.cpu('the forms of convolution')
@pytest.mark.parametrize(
    'window, side, groups, use_xla, native',
    [
        (3, 5, 1, False, 0),
        (3, 5, 1, True, 1),
        (3, 4, 1, True, 0),  # an output of 2x2: smaller than the window
        (1, 5, 1, True, 0),
        (3, 5, 6, True, 0),
        (3, 5, 2, False, 1),
    ],
)
def test_which_form_is_used(window, side, groups, use_xla, native):
    x = jnp.ones((1, side, side, 6))
    kernel = jnp.ones((window, window, 6 // groups, 6))
    run = jax.make_jaxpr(
        lambda x, k: convolution.convolve(x, k, groups=groups, use_xla=use_xla)
    )
    assert str(run(x, kernel)).count('conv_general_dilated[') == native
