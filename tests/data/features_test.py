"""Feature vectors: reading, normalisation, draws and batches."""

import os

import numpy as np
import pytest
from scipy import io

from transfer_jax import data
from transfer_jax.data import features, files

COUNTS = np.array([[1, 3, 0], [2, 2, 0], [3, 1, 0], [0, 0, 0]], np.uint8)


def write(folder, counts=COUNTS, labels=(1, 2, 10, 3), name='amazon_SURF_L10.mat'):
    directory = folder / 'office_caltech10' / 'surf'
    directory.mkdir(parents=True)
    content = {'fts': counts, 'labels': np.array(labels, np.uint8)[:, None]}
    io.savemat(directory / name, content)
    return directory / name


def test_histograms_are_shares_standardised_over_their_domain(tmp_path):
    write(tmp_path)
    table = features.office_caltech10('amazon', tmp_path)
    share = np.array([0.25, 0.5, 0.75, 0.0])  # of the first word
    expected = (share - share.mean()) / np.sqrt(np.mean((share - share.mean()) ** 2))
    np.testing.assert_allclose(table.x[:, 0], expected, rtol=1e-6)
    assert table.x[:, 2].tolist() == [0, 0, 0, 0]  # a word that never occurs
    assert table.x.dtype == np.float32 and table.label.dtype == np.int32
    assert table.label.tolist() == [0, 1, 9, 2]
    assert table.classes[9] == 'projector'


def test_later_folders_of_the_search_path_are_searched(tmp_path):
    write(tmp_path / 'b')
    both = f'{tmp_path / "a"}{os.pathsep}{tmp_path / "b"}'
    assert len(features.office_caltech10('amazon', both)) == 4


def test_a_missing_file_is_named_with_its_path_and_origin(tmp_path):
    with pytest.raises(files.MissingData) as caught:
        features.office_caltech10('dslr', tmp_path)
    message = str(caught.value)
    assert 'office_caltech10/surf/dslr_SURF_L10.mat' in message
    assert 'Get it from' in message and str(tmp_path) in message


def test_an_unknown_domain_is_refused():
    with pytest.raises(ValueError, match='caltech10, amazon, webcam, dslr'):
        features.office_caltech10('caltech')


@pytest.mark.parametrize('labels', [(0, 1, 2, 3), (1, 2, 3, 11), (1, 2, 3)])
def test_labels_that_do_not_fit_are_refused(tmp_path, labels):
    path = write(tmp_path, labels=labels)
    with pytest.raises(ValueError, match=path.name):
        features.office_caltech10('amazon', tmp_path)


def test_a_broken_file_is_named(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ValueError, match=f'{path.name}: cannot be read'):
        features.office_caltech10('amazon', tmp_path)
    io.savemat(path, {'other': COUNTS})
    with pytest.raises(ValueError, match='fts'):
        features.office_caltech10('amazon', tmp_path)


def test_a_draw_has_as_many_of_each_class_and_follows_its_seed():
    label = np.repeat([0, 1, 2], [5, 9, 30])
    rows = features.draw_per_class(label, 5, seed=0)
    assert np.bincount(label[rows]).tolist() == [5, 5, 5]
    assert len(set(rows.tolist())) == 15
    again, other = (features.draw_per_class(label, 5, seed) for seed in (0, 1))
    assert rows.tolist() == again.tolist() != other.tolist()


def test_a_class_too_small_for_a_draw_is_named():
    with pytest.raises(ValueError, match='class 1 has 2 examples; 3'):
        features.draw_per_class(np.array([0, 0, 0, 1, 1]), 3, seed=0)


def test_tables_are_batched_with_and_without_labels():
    table = features.fake(0.0, n=10)
    batches = data.batches(table, 4)
    assert [set(batch) for batch in batches] == [{'x', 'label', 'mask'}] * 3
    last = batches[2]
    np.testing.assert_array_equal(last['x'][:2], table.x[8:])
    assert last['mask'].tolist() == [1, 1, 0, 0]
    assert last['x'].dtype == np.float32 and last['label'].dtype == np.int32
    unlabelled = data.batches(features.Unlabelled(table.x), 4)
    assert set(unlabelled[0]) == {'x', 'mask'}
    rows = np.array([3, 1])
    np.testing.assert_array_equal(table.take(rows).label, table.label[rows])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ('domain', 'counts'),
    [
        ('caltech10', [151, 110, 100, 138, 85, 128, 133, 94, 87, 97]),
        ('amazon', [92, 82, 94, 99, 100, 100, 99, 100, 94, 98]),
        ('dslr', [12, 21, 12, 13, 10, 24, 22, 12, 8, 23]),
        ('webcam', [29, 21, 31, 27, 27, 30, 43, 30, 27, 30]),
    ],
)
def test_office_caltech10_has_its_published_counts(domain, counts):
    try:
        table = features.office_caltech10(domain)
    except files.MissingData:
        pytest.skip('the SURF features of Office-Caltech10 are not in the data folder')
    assert table.x.shape == (sum(counts), 800)
    assert np.bincount(table.label).tolist() == counts
    np.testing.assert_allclose(table.x.mean(0), 0, atol=1e-5)
