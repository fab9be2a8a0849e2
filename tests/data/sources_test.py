"""Arrays, and reading them from TFDS."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import files, sources

SHAPES = ((6, 9, 3), (12, 7, 3), (8, 8, 3))


def _images(n=12, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, size, size, 3), dtype=np.uint8)


def test_take_keeps_rows_and_classes():
    arrays = sources.Arrays(_images(), np.arange(12, dtype=np.int32), ('a',) * 12)
    taken = arrays.take(np.array([3, 1]))
    np.testing.assert_array_equal(taken.image, arrays.image[[3, 1]])
    assert taken[0]['label'] == 3 and taken.classes == arrays.classes


def test_a_view_without_labels_has_none_at_all():
    arrays = sources.Arrays(_images(), np.zeros(12, np.int32))
    view = sources.without_labels(arrays)
    assert not hasattr(view, 'label') and set(view[0]) == {'image'}
    items = [arrays[i] for i in range(3)]
    assert set(sources.without_labels(items)[1]) == {'image'}


class _FakeTfds(list):
    """The result of `tfds.data_source`, with one class that no item has."""

    class dataset_info:
        class label:
            names = ['zero', 'one', 'two']

        features = {'label': label}

    def __getitems__(self, rows):
        return [self[row] for row in rows]


def test_tfds_is_decoded_once_with_its_class_names(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    items = [
        {'image': picture, 'label': np.int64(i % 2)}
        for i, picture in enumerate(_images(4))
    ]
    items *= 300  # more than is read at once
    asked = []

    def data_source(name, split, data_dir):
        asked.append((name, split, data_dir))
        return _FakeTfds(items)

    monkeypatch.setattr(tfds, 'data_source', data_source)
    arrays = sources.from_tfds('shapes', 'train', tmp_path)
    assert asked == [('shapes', 'train', tmp_path)]
    np.testing.assert_array_equal(arrays.image, np.tile(_images(4), (300, 1, 1, 1)))
    assert arrays.label.tolist() == [0, 1] * 600
    assert arrays.classes == ('zero', 'one', 'two')


def test_tfds_images_of_several_sizes_are_stretched_as_those_of_folders(
    tmp_path, monkeypatch
):
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    pictures = [rng.integers(256, size=s, dtype=np.uint8) for s in SHAPES]
    items = [{'image': p, 'label': np.int64(i % 3)} for i, p in enumerate(pictures)]
    monkeypatch.setattr(tfds, 'data_source', lambda *a, **k: _FakeTfds(items))
    arrays = sources.from_tfds('shapes', 'train', tmp_path, 8)
    assert arrays.image.shape == (3, 8, 8, 3) and arrays.label.tolist() == [0, 1, 2]
    for found, picture in zip(arrays.image, pictures, strict=True):
        resized = Image.fromarray(picture).resize((8, 8), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(found, np.asarray(resized))
    with pytest.raises(ValueError, match='tfds:shapes .* all of one size') as error:
        sources.from_tfds('shapes', 'train', tmp_path)
    assert '\n' not in str(error.value)


def test_tfds_domains_of_several_sizes_are_loaded(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    (tmp_path / 'shapes').mkdir()
    items = [
        {'image': np.full(SHAPES[i % 3], 10 * i, np.uint8), 'label': np.int64(i % 2)}
        for i in range(10)
    ]
    monkeypatch.setattr(tfds, 'data_source', lambda *a, **k: _FakeTfds(items))
    monkeypatch.setattr(sources, 'tfds_splits', lambda *_: ('train',))
    domain = data.load('tfds:shapes', size=5, data_dir=tmp_path)
    assert domain.train.image.shape == (8, 5, 5, 3) and len(domain.test) == 2
    values = [*domain.train.image[:, 0, 0, 0], *domain.test.image[:, 0, 0, 0]]
    assert sorted(values) == list(range(0, 100, 10))


def test_tfds_of_other_things_is_refused_in_one_line(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(
        tfds, 'data_source', lambda *a, **k: _FakeTfds([{'text': 'hello'}])
    )
    with pytest.raises(ValueError, match='tfds:novels .* not a set of images'):
        sources.from_tfds('novels', 'train', tmp_path)


@pytest.mark.real_data
def test_tfds_is_read_without_tensorflow(data_dir):
    dirs = files.data_dirs(data_dir())
    paths = [path for folder in dirs for path in folder.glob('mnist/3.*/*-test.*')]
    if not paths:
        pytest.skip('no prepared tensorflow-datasets mnist on the search path')
    script = (
        'import sys\n'
        'from transfer_jax.data import sources\n'
        f'a = sources.from_tfds("mnist", "test[:50]", {str(paths[0].parents[2])!r})\n'
        'assert a.image.shape == (50, 28, 28, 1), a.image.shape\n'
        'assert a.classes == tuple("0123456789")\n'
        f'splits = sources.tfds_splits("mnist", {str(paths[0].parents[2])!r})\n'
        'assert set(splits) == {"train", "test"}\n'
        'assert "tensorflow" not in sys.modules and "jax" not in sys.modules\n'
    )
    root = pathlib.Path(sources.__file__).parents[2]
    subprocess.run([sys.executable, '-c', script], check=True, cwd=root)
