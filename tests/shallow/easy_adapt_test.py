"""EasyAdapt: its features, and its kernel as their inner product."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops, shallow
from transfer_jax.types import Samples

CLASSES = 3
KEY = jax.random.key(0)


def samples(seed, n=24, d=4, turn=1.0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % CLASSES
    centre = np.random.default_rng(9).normal(size=(CLASSES, d))
    return Samples(turn * centre[label] + rng.normal(size=(n, d)), label, np.ones(n))


def pair():
    target = samples(1, turn=-0.5)
    return samples(0), target, jax.tree.map(lambda leaf: leaf[:9], target)


def made(align, classify):
    source, target, labelled = pair()
    pipe = shallow.pipeline(align, classify)
    return pipe, pipe.fit(KEY, source, target, labelled)


def test_features_have_a_common_part_and_one_of_their_domain():
    align, x = shallow.easy_adapt(), np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = [[1, 2, 1, 2, 0, 0], [3, 4, 3, 4, 0, 0]]
    np.testing.assert_array_equal(align.source((), x), expected)
    expected = [[1, 2, 0, 0, 1, 2], [3, 4, 0, 0, 3, 4]]
    np.testing.assert_array_equal(align.target((), x), expected)


def test_the_linear_kernel_is_the_inner_product_of_the_features():
    source, target, _ = pair()
    plain, marked = shallow.easy_adapt(), shallow.mark_domain()
    kernel = shallow.easy_adapt_kernel(ops.linear_kernel)
    both = [
        np.concatenate([a.source((), source.x), a.target((), target.x)])
        for a in (plain, marked)
    ]
    np.testing.assert_allclose(
        jax.jit(kernel)(both[1], both[1]), both[0] @ both[0].T, rtol=1e-5, atol=1e-5
    )


def test_the_kernel_machine_is_the_linear_one_of_the_features():
    linear = shallow.kernel_svm(CLASSES, kernel=ops.linear_kernel)
    kernel = shallow.easy_adapt_kernel(ops.linear_kernel)
    new = samples(2, turn=-0.5).x
    features, one = made(shallow.easy_adapt(), linear)
    kernels, two = made(
        shallow.mark_domain(), shallow.kernel_svm(CLASSES, kernel=kernel)
    )
    for domain in ('predict', 'predict_source'):
        np.testing.assert_allclose(
            getattr(features, domain)(one, {'x': new})['logits'],
            getattr(kernels, domain)(two, {'x': new})['logits'],
            atol=1e-3,
        )


def test_a_kernel_counts_twice_within_a_domain():
    kernel = shallow.easy_adapt_kernel(ops.gaussian_kernel(jnp.array([0.5])))
    align, x = shallow.mark_domain(), np.array([[0.0], [1.0]])
    source, target = align.source((), x), align.target((), x)
    near = np.exp(-1)
    within, across = [[2, 2 * near], [2 * near, 2]], [[1, near], [near, 1]]
    np.testing.assert_allclose(kernel(source, source), within, rtol=1e-6)
    np.testing.assert_allclose(kernel(target, target), within, rtol=1e-6)
    np.testing.assert_allclose(kernel(source, target), across, rtol=1e-6)


def test_the_target_has_its_specific_classifier():
    # Equal features, different classes: only specific features separate the domains.
    x = np.random.default_rng(0).normal(size=(30, 4))
    label = (x[:, 0] > 0).astype(int)
    source = Samples(x, label, np.ones(30))
    target = source._replace(label=1 - label)
    logits = {}
    for name, align in (('specific', shallow.easy_adapt()), ('none', shallow.none())):
        pipe = shallow.pipeline(align, shallow.linear_svm(2))
        fitted = pipe.fit(KEY, source, target, target)
        logits[name] = np.asarray(pipe.predict(fitted, {'x': x})['logits'])
    assert np.mean(logits['specific'].argmax(1) == target.label) > 0.95
    np.testing.assert_allclose(logits['none'], 0, atol=1e-6)  # each x in both classes


@pytest.mark.parametrize('align', [shallow.easy_adapt, shallow.mark_domain])
def test_it_needs_labelled_target_examples(align):
    source, target, _ = pair()
    pipe = shallow.pipeline(align(), shallow.nearest_neighbour(CLASSES))
    with pytest.raises(ValueError, match='target_labelled'):
        pipe.fit(KEY, source, target)
