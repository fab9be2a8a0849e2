"""Retrieval on miniatures of each set: protocols, whitening data, sizes, mistakes."""

import dataclasses

import flax.linen as nn
import numpy as np
import pytest

from experiments.tasks import file_features, photo_features
from experiments.transfer import retrieval, retrieval_lists
from tests.miniatures import retrieval as miniatures
from transfer_jax import cli, data
from transfer_jax.models import layers
from transfer_jax.recipes import backbones

SMALL = retrieval.Config('oxford5k', 'tiny', 48, 4, 2, 'random')
WANTED = {'gem': ('map', photo_features.gem)}
MAKE = {
    'oxford5k': miniatures.oxford5k,
    'paris6k': miniatures.paris6k,
    'holidays': miniatures.holidays,
    'ukbench': miniatures.ukbench,
}
QUERIES = {'oxford5k': 2, 'paris6k': 2, 'holidays': 4, 'ukbench': 12}


class Tiny(nn.Module):
    """One convolution, as a network of the list of backbones."""

    classes: int = 0

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.relu(layers.Conv(8, 5, stride=4, name='conv')(x))
        return x, {'map': x}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    row = backbones.get('squeezenet')._replace(module=Tiny, last_map='map', size=48)
    monkeypatch.setitem(backbones.PRETRAINED, 'tiny', row)


def _predictor():
    return photo_features.predictor(
        'tiny', WANTED, (48, 48, 3), data_dir=None, random=0
    )


@pytest.mark.parametrize('name', MAKE)
def test_every_set_is_measured_from_its_files(name, tmp_path):
    MAKE[name](tmp_path)
    study = retrieval.build(dataclasses.replace(SMALL, task=name))
    assert len(study.trials) == 10
    row = study.measure(study.prepare(str(tmp_path)), study.trials[1])
    assert row['queries'] == QUERIES[name]
    assert all(0 <= row[value] <= 1 for value in study.values)
    if name == 'ukbench':  # each image is nearest to itself
        assert row['recall_1'] == 1 and row['n_s'] == 4 * row['precision_4']


@pytest.mark.slow
@pytest.mark.parametrize('name', MAKE)
def test_every_set_goes_from_files_to_report(name, tmp_path):
    MAKE[name](tmp_path)
    study = retrieval.build(dataclasses.replace(SMALL, task=name))
    result = cli.execute(study, tmp_path / 'run', str(tmp_path))
    assert len(result['rows']) == len(study.trials)
    for row in result['rows']:
        assert all(0 <= row[value] <= 1 for value in result['values'])
    assert (tmp_path / 'run' / 'report.html').stat().st_size > 1000


def test_own_photographs_are_a_set(tmp_path):
    miniatures.groups(tmp_path / 'mine')
    task = f'folder:{tmp_path / "mine"}'
    config = dataclasses.replace(SMALL, task=task, resize='square', size=33)
    study = retrieval.build(config)
    prepared = study.prepare(None)
    row = study.measure(prepared, study.trials[1])
    assert row['queries'] == 9 and row['mAP'] == row['mAP_plain']


def _gallery(leave_out_query=False, trapezoidal=True):
    """Six images; the first query has an image of junk, the second none."""
    query = data.landmarks.Query
    queries = (
        query('a', 0, None, np.array([0, 1, 2]), np.array([3])),
        query('b', 4, None, np.array([5]), np.zeros(0, int)),
    )
    return data.landmarks.Gallery(
        'g', tuple('abcdef'), queries, leave_out_query, trapezoidal
    )


def test_junk_leaves_the_ranking_and_the_rule_is_that_of_the_set():
    ranked = np.array([[3, 0, 4, 1, 5, 2], [0, 5, 1, 2, 3, -1]])
    row = retrieval_lists.measure(_gallery(), lambda rows: ranked[rows])
    # Without junk: correct at 1, 3 and 5 of 5; and at 2
    plain = (1 + 2 / 3 + 3 / 5) / 3
    area = (1 + (1 / 2 + 2 / 3) / 2 + (2 / 4 + 3 / 5) / 2) / 3
    assert row['mAP_plain'] == pytest.approx((plain + 1 / 2) / 2)
    assert row['mAP'] == pytest.approx((area + 1 / 4) / 2)
    assert row['recall_1'] == 0.5 and row['recall_10'] == 1
    assert row['precision_4'] == pytest.approx((2 + 1) / 8)
    other = retrieval_lists.measure(
        _gallery(trapezoidal=False), lambda rows: ranked[rows]
    )
    assert other['mAP'] == other['mAP_plain'] == row['mAP_plain']
    marked = retrieval_lists.marked(_gallery(), np.array([0]), ranked[:1])
    assert marked.tolist() == [[False, True, False, True, False, True]]


def test_blocks_of_queries_give_what_all_at_once_give(monkeypatch):
    ranked = np.array([[3, 0, 4, 1, 5, 2], [0, 5, 1, 2, 3, -1]])
    whole = retrieval_lists.measure(_gallery(), lambda rows: ranked[rows])
    monkeypatch.setattr(retrieval_lists, 'BLOCK', 1)
    assert retrieval_lists.measure(_gallery(), lambda rows: ranked[rows]) == whole


def test_a_query_of_holidays_is_not_in_its_own_ranking(tmp_path):
    miniatures.holidays(tmp_path)
    config = dataclasses.replace(SMALL, task='holidays')
    study = retrieval.build(config)
    prepared = study.prepare(str(tmp_path))
    rank = retrieval._ranker(config, prepared, study.trials[0])
    index, own = rank(), [query.index for query in prepared.listed.queries]
    assert index.shape == (4, 11)
    assert not (index == np.array(own)[:, None]).any()
    np.testing.assert_array_equal(rank(rows=np.array([2, 3])), index[2:])
    vectors = [prepared.descriptors(x, 'tiny')['gem'] for x in ('queries', 'gallery')]
    np.testing.assert_array_equal(vectors[0], vectors[1][own])


def test_whitening_can_be_fitted_on_another_set(tmp_path):
    miniatures.oxford5k(tmp_path)
    miniatures.paris6k(tmp_path)
    found = {}
    for other in ('', 'oxford5k', 'paris6k', 'fake'):
        study = retrieval.build(dataclasses.replace(SMALL, whitening_data=other))
        prepared = study.prepare(str(tmp_path))
        trial = {**study.trials[0], 'method': 'whitened'}
        found[other] = study.measure(prepared, trial)
        seen = prepared.descriptors.cache_info().currsize
        assert seen == (3 if other else 2)
    assert found[''] == found['oxford5k'] != found['paris6k']


def test_files_give_the_features_of_their_images_in_memory(tmp_path):
    miniatures.ukbench(tmp_path)
    paths = data.landmarks.load('ukbench', tmp_path).images
    pictures = [data.shapes.Picture(path) for path in paths]
    found = file_features.features(
        pictures, _predictor(), ('gem',), 48, square=True, title=''
    )
    images = data.image_files.images_from_files(paths, size=48).image
    expected = photo_features.features('tiny', images, WANTED, data_dir=None, random=0)
    np.testing.assert_array_equal(found['gem'], expected['gem'])


def test_every_shape_comes_back_to_its_place(tmp_path, monkeypatch):
    miniatures.ukbench(tmp_path)
    monkeypatch.setattr(data.shapes, 'LEAST', 32)
    monkeypatch.setattr(file_features, 'PIXELS', 3 * 48 * 48)  # batches of 3 or 4
    paths = data.landmarks.load('ukbench', tmp_path).images
    pictures = [data.shapes.Picture(path) for path in paths]
    options = {'square': False, 'title': ''}
    predictor = _predictor()
    found = file_features.features(pictures, predictor, ('gem',), 48, **options)
    for i in (0, 1, 5, 11):
        alone = file_features.features(
            pictures[i : i + 1], predictor, ('gem',), 48, **options
        )
        np.testing.assert_allclose(found['gem'][i], alone['gem'][0], rtol=1e-4)


@pytest.mark.parametrize(
    'change, culprit',
    [
        ({'task': 'oxford'}, "no task 'oxford'; choose from coil100.*folder:PATH"),
        ({'task': 'folder:'}, "no task 'folder:'"),
        ({'resize': 'crop'}, "no resize 'crop'; choose from auto, square, longest"),
        ({'task': 'fake', 'resize': 'longest'}, "'longest' is for files"),
        ({'networks': 'tiny,lenet'}, "no backbone 'lenet'"),
        ({'whitening_data': 'pariss'}, "unknown domain 'pariss'"),
    ],
)
def test_mistakes_in_a_config_are_named(change, culprit, tmp_path):
    miniatures.oxford5k(tmp_path)
    with pytest.raises(ValueError, match=culprit):
        study = retrieval.build(dataclasses.replace(SMALL, **change))
        study.prepare(str(tmp_path))
