"""DeepLab-v2: sizes, frozen statistics, the second classifier, cuts, enlargement."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.models import deeplab, weights
from transfer_jax.recipes import backbones


def _shapes(module, *shape):
    init = functools.partial(module.init_with_output, train=False)
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    (answer, taps), variables = jax.eval_shape(init, jax.random.key(0), x)
    return answer.shape, {name: tap.shape for name, tap in taps.items()}, variables


def test_sizes():
    """An image of 321 pixels has maps of 161, 81 and 41 positions, as in the paper."""
    module = models.DeepLab(auxiliary=True)
    answer, taps, variables = _shapes(module, 2, 321, 329, 3)
    assert answer == (2, 321, 329, 19)
    assert taps['conv1'] == (2, 161, 165, 64)
    assert taps['pool1'] == (2, 81, 83, 64)
    assert taps['block4_3'] == (2, 41, 42, 2048)
    assert taps['scores'] == taps['auxiliary'] == (2, 41, 42, 19)
    count = {k: sum(x.size for x in jax.tree.leaves(v)) for k, v in _params(variables)}
    assert count['scores'] == 4 * (9 * 2048 * 19 + 19)
    assert count['auxiliary'] == 4 * (9 * 1024 * 19 + 19)
    # The rest is a ResNet-101 without its classifier.
    rest = sum(count.values()) - count['scores'] - count['auxiliary']
    assert rest == 44_549_160 - 1000 * (2048 + 1)

    answer, taps, _ = _shapes(models.DeepLab(classes=0), 1, 64, 64, 3)
    assert answer == taps['block4_3'] == (1, 9, 9, 2048)
    above = models.DeepLab(start_after='block3_23')
    answer, taps, variables = _shapes(above, 1, 9, 9, 1024)
    assert answer == (1, 9, 9, 19)
    assert set(variables['params']) == {'block4_1', 'block4_2', 'block4_3', 'scores'}


def _params(variables):
    return variables['params'].items()


def test_statistics_are_those_of_the_file_in_training_too():
    module = models.DeepLab(end_at='block1_1')
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 9, 9, 3)), jnp.float32)
    variables = jax.jit(functools.partial(module.init, train=False))(
        jax.random.key(0), x
    )
    (trained, _), moved = module.apply(
        variables, x, train=True, mutable=['batch_stats']
    )
    np.testing.assert_array_equal(trained, module.apply(variables, x, train=False)[0])
    jax.tree.map(
        np.testing.assert_array_equal, moved['batch_stats'], variables['batch_stats']
    )


def test_enlarged_maps_keep_their_corners():
    maps = np.array([[0.0, 4.0], [8.0, 12.0]], np.float32).reshape(1, 2, 2, 1)
    large = np.asarray(deeplab.enlarge(maps, (3, 5)))[0, ..., 0]
    expected = [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8], [8, 9, 10, 11, 12]]
    np.testing.assert_allclose(large, expected, atol=1e-5)
    line = np.arange(3, dtype=np.float32).reshape(1, 1, 3, 1)
    large = np.asarray(deeplab.enlarge(line, (4, 9)))[0, ..., 0]
    np.testing.assert_allclose(large, np.tile(np.linspace(0, 2, 9), (4, 1)), atol=1e-5)


@pytest.mark.parametrize('missing', ['layer5', 'layer6'])
def test_either_classifier_may_be_absent(missing):
    mapping = weights.MAPPINGS['deeplab_v2']
    module = models.DeepLab(auxiliary=missing == 'layer6')
    shapes = backbones.variable_shapes(module, 33)
    styles = {'conv': ['weight'], 'norm': [*mapping.style.norms]}
    named, leaves = {}, dict(_flat(shapes))
    for theirs, ours in mapping.layers.items():
        kinds = styles.get(ours.rpartition('/')[2], ['weight', 'bias'])
        for kind in kinds if not theirs.startswith(missing) else ():
            names = mapping.style.norms if 'norm' in ours else mapping.style.kernels
            path = names[kind].format(ours)
            shape = leaves[path].shape if path in leaves else (3, 3, 1024, 19)
            shape = shape[1:] if path.startswith('batch_stats') else shape
            shape = shape[:1:-1] + shape[:2] if len(shape) == 4 else shape
            named[f'Scale.{theirs}.{kind}'] = np.zeros(shape, np.float32)
    skip = ('scores',) if missing == 'layer6' else ()
    first = jax.tree.map(lambda x: np.ones(x.shape, np.float32), shapes)
    params, _ = weights.convert(named, first, mapping, skip=skip)
    assert set(params) == set(shapes['params'])
    top = {float(x.max()) for x in jax.tree.leaves(params['scores'])}
    assert top == ({1.0} if skip else {0.0})
    if skip:
        with pytest.raises(ValueError, match=r"skip=\('scores',\)"):
            weights.convert(named, first, mapping)


def _flat(shapes):
    for keys, leaf in jax.tree_util.tree_leaves_with_path(shapes):
        yield jax.tree_util.keystr(keys, simple=True, separator='/'), leaf
