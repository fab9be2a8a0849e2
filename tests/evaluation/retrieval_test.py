"""Search against brute force, its memory, whitening and query expansion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.evaluation import retrieval

RNG = np.random.default_rng(0)
QUERIES = RNG.normal(size=(13, 5)).astype(np.float32)
GALLERY = RNG.normal(size=(41, 5)).astype(np.float32)


def scores(queries, gallery, measure):
    if measure == 'l2':
        return -((queries[:, None] - gallery) ** 2).sum(-1)
    lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    return queries @ gallery.T / (lengths[0] * lengths[1].T)


@pytest.mark.parametrize('measure', retrieval.MEASURES)
@pytest.mark.parametrize('block', [1, 7, 41, 100])
def test_blocks_give_what_the_whole_matrix_gives(measure, block):
    result = retrieval.search(QUERIES, GALLERY, 6, measure=measure, block=block)
    expected = scores(QUERIES, GALLERY, measure)
    order = np.argsort(-expected, 1)[:, :6]
    np.testing.assert_array_equal(result.index, order)
    best = np.take_along_axis(expected, order, 1)
    np.testing.assert_allclose(result.score, best, atol=1e-5)


def test_no_query_finds_itself_where_it_is_left_out():
    index = jnp.arange(41)
    result = retrieval.search(GALLERY, GALLERY, 41, leave_out=index, block=8)
    assert not (np.asarray(result.index) == np.arange(41)[:, None]).any()
    for row, answer in enumerate(np.asarray(result.index)):
        assert sorted(answer[:-1]) == [i for i in range(41) if i != row]
    assert (result.index[:, -1] == -1).all() and np.isneginf(result.score[:, -1]).all()


def test_of_equally_near_items_the_lower_index_comes_first():
    gallery = np.tile(np.float32([[1, 0], [0, 1]]), (6, 1))
    result = retrieval.search(np.float32([[1, 0]]), gallery, 6, block=5)
    assert result.index[0].tolist() == [0, 2, 4, 6, 8, 10]


def test_memory_follows_the_block_and_not_the_gallery():
    def temporary_bytes(queries, gallery, block):
        shapes = [jax.ShapeDtypeStruct((n, 8), jnp.float32) for n in (queries, gallery)]
        lowered = retrieval.search.lower(*shapes, 10, block=block)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    small = temporary_bytes(512, 4096, 64)
    assert temporary_bytes(512, 8 * 4096, 64) < 1.1 * small + 4096
    assert small < 512 * 4096  # a quarter of the distance matrix in bytes
    assert temporary_bytes(512, 4096, 256) > 4 * small


def test_whitened_features_have_unit_covariance_before_they_are_normalised():
    x = RNG.normal(size=(60, 6)) @ RNG.normal(size=(6, 6)) + 3
    fitted = retrieval.fit_whitening(x, 4)
    white = (x - np.asarray(fitted.mean)) @ np.asarray(fitted.projection)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(4), atol=1e-8)
    result = retrieval.whiten(fitted, x)
    length = np.linalg.norm(white, axis=1, keepdims=True)
    np.testing.assert_allclose(result, white / length, atol=1e-6)


def test_directions_without_variance_become_0():
    x = RNG.normal(size=(30, 2)) @ RNG.normal(size=(2, 5))
    fitted = retrieval.fit_whitening(x)
    assert (np.abs(fitted.projection).max(0) > 0).tolist() == [True] * 2 + [False] * 3


def test_more_directions_than_there_are_is_refused():
    with pytest.raises(ValueError, match='dimension 5: 4 .* span 3'):
        retrieval.fit_whitening(RNG.normal(size=(4, 6)), 5)


def test_an_expanded_query_is_the_mean_of_itself_and_its_answers():
    gallery = np.float32([[2, 0], [0, 3], [-1, 0]])
    neighbours = retrieval.Neighbours(jnp.array([[1, 2], [0, -1]]), jnp.zeros((2, 2)))
    result = retrieval.expand(np.float32([[5, 0], [0, 4]]), gallery, neighbours, 2)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(result, [[0, 1], [half, half]], atol=1e-6)
    with pytest.raises(ValueError, match='count 3'):
        retrieval.expand(gallery, gallery, neighbours, 3)


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="'dot'; choose from cosine, l2"):
        retrieval.search(QUERIES, GALLERY, 3, measure='dot')
