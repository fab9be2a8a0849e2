"""Paths, labels, masks and merges; a typo raises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import tree

PARAMS = {
    'encoder': {'conv_1': {'bias': jnp.zeros(2), 'kernel': jnp.ones((3, 2))}},
    'head': [jnp.zeros(1), jnp.ones(1)],
}
PATHS = ['encoder/conv_1/bias', 'encoder/conv_1/kernel', 'head/0', 'head/1']


def test_paths_are_in_the_order_of_the_leaves():
    assert tree.paths(PARAMS) == PATHS


def test_the_first_label_wins():
    rules = [('.*/bias', 'a'), ('encoder/.*', 'b'), ('head/.*', 'c')]
    labels = tree.labels(PARAMS, rules)
    assert labels == {
        'encoder': {'conv_1': {'bias': 'a', 'kernel': 'b'}},
        'head': ['c', 'c'],
    }


def test_a_pattern_must_match_the_whole_path():
    with pytest.raises(ValueError, match=r"'encoder' matches no path.*head/1"):
        tree.labels(PARAMS, [('encoder', 'a')], 'b')


def test_a_later_pattern_may_match_only_labelled_leaves():
    rules = [('encoder/.*', 'a'), ('.*/bias', 'b')]
    assert tree.labels(PARAMS, rules, 'c')['encoder']['conv_1']['bias'] == 'a'


def test_a_leaf_without_a_label_is_named():
    with pytest.raises(ValueError, match='head/0, head/1'):
        tree.labels(PARAMS, [('encoder/.*', 'a')])


def test_mask_is_true_where_a_pattern_matches():
    mask = tree.mask(PARAMS, ['head/0', '.*/kernel'])
    assert jax.tree.leaves(mask) == [False, True, True, False]
    with pytest.raises(ValueError, match='conv_2'):
        tree.mask(PARAMS, ['encoder/conv_2/.*'])


def _loaded(names=PATHS):
    shapes = dict(zip(PATHS, jax.tree.leaves(PARAMS), strict=True))
    return {name: np.full(shapes[name].shape, 7.0) for name in names}


def test_merge_replaces_and_keeps_types():
    merged = tree.merge(PARAMS, _loaded())
    assert jax.tree.structure(merged) == jax.tree.structure(PARAMS)
    for leaf, before in zip(
        jax.tree.leaves(merged), jax.tree.leaves(PARAMS), strict=True
    ):
        assert leaf.dtype == before.dtype and (leaf == 7).all()


def test_merge_keeps_what_is_skipped():
    merged = tree.merge(PARAMS, _loaded(PATHS[:2]), skip=['head/.*'])
    np.testing.assert_array_equal(merged['head'][1], 1.0)
    np.testing.assert_array_equal(merged['encoder']['conv_1']['bias'], 7.0)


@pytest.mark.parametrize(
    'loaded, skip, message',
    [
        (_loaded(PATHS[1:]), [], r"missing \['encoder/conv_1/bias'\]"),
        (_loaded() | {'other': np.zeros(1)}, [], r"unexpected \['other'\]"),
        (_loaded() | {'head/0': np.zeros(3)}, [], r'head/0 has shape \(3,\)'),
        (_loaded(), ['head/.*'], 'unexpected'),
        (_loaded(), ['hed/.*'], "'hed/.*' matches no path"),
    ],
)
def test_merge_refuses_what_does_not_fit(loaded, skip, message):
    with pytest.raises(ValueError, match=message):
        tree.merge(PARAMS, loaded, skip)
