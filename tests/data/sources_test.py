"""Arrays, and reading them from folders, .npz files and TFDS."""

import hashlib
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from transfer_jax.data import files, sources, streams


def _images(n=12, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, size, size, 3), dtype=np.uint8)


def _write_folder(root, image, labels):
    for number, (picture, label) in enumerate(zip(image, labels, strict=True)):
        folder = root / f'class_{label}'
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f'{number}.png')


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


@pytest.mark.parametrize('kind', ['uint8', 'int64', 'uint64'])
def test_npz_of_images_and_labels(tmp_path, kind):
    image, label = _images(), (np.arange(12) % 3).astype(kind)
    np.savez(tmp_path / 'b.npz', image=image, label=label)
    assert sources.from_npz(tmp_path / 'b.npz').classes == ('0', '1', '2')
    np.savez(tmp_path / 'a.npz', image=image, label=label, classes=['x', 'y', 'z'])
    arrays = sources.from_npz(tmp_path / 'a.npz')
    np.testing.assert_array_equal(arrays.image, image)
    assert arrays.label.dtype == np.int32 and arrays.classes == ('x', 'y', 'z')


def test_npz_with_splits_names_the_classes_of_both(tmp_path):
    np.savez(
        tmp_path / 'a.npz',
        train_x=_images()[..., 0],
        train_y=np.zeros(12, int),
        test_x=_images(4, seed=1)[..., 0],
        test_y=np.array([0, 1, 2, 1]),
    )
    assert not sources.npz_has_splits(tmp_path / 'missing.npz')
    assert sources.npz_has_splits(tmp_path / 'a.npz')
    train = sources.from_npz(tmp_path / 'a.npz', 'train')
    test = sources.from_npz(tmp_path / 'a.npz', 'test')
    assert train.image.shape == (12, 6, 6, 1) and len(test) == 4
    assert train.classes == test.classes == ('0', '1', '2')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'images': _images()}, 'needs image and label, or train_x'),
        ({'image': _images() / 255, 'label': np.zeros(12, int)}, 'uint8'),
        ({'image': _images(), 'label': np.full(12, -1)}, 'labels must be'),
        ({'image': _images(), 'label': np.zeros(12)}, 'whole numbers'),
        (
            {'image': _images(), 'label': np.arange(12) * 2**36},
            'label 755914244096 of label would mean .* classes',
        ),
        ({'image': _images(), 'label': np.zeros(5, int)}, 'labels of shape'),
        (
            {'image': _images(), 'label': np.full(12, 2), 'classes': ['a', 'b']},
            '2 classes',
        ),
    ],
)
def test_npz_errors_name_the_file_and_the_fault(tmp_path, content, message):
    np.savez(tmp_path / 'wrong.npz', **content)
    with pytest.raises(ValueError, match=message) as error:
        sources.from_npz(tmp_path / 'wrong.npz')
    assert 'wrong.npz' in str(error.value)


def test_an_invalid_npz_and_one_with_objects_are_refused(tmp_path):
    (tmp_path / 'text.npz').write_text('hello')
    np.savez(tmp_path / 'objects.npz', image=np.array([{}], object), label=[0])
    for name in ('text.npz', 'objects.npz'):
        with pytest.raises(ValueError, match=f'{name}: cannot be read'):
            sources.from_npz(tmp_path / name)
    with pytest.raises(ValueError, match='no such file'):
        sources.from_npz(tmp_path / 'absent.npz')


def test_a_folder_is_ordered_by_the_digest_of_its_files(tmp_path):
    image, labels = _images(), np.arange(12) % 3
    _write_folder(tmp_path, image, labels)
    arrays = sources.from_folder(tmp_path)
    assert arrays.classes == ('class_0', 'class_1', 'class_2')
    paths = list(tmp_path.glob('*/*.png'))
    paths.sort(key=lambda p: hashlib.sha256(p.read_bytes()).digest())
    order = [int(path.stem) for path in paths]
    assert order != sorted(order)
    np.testing.assert_array_equal(arrays.image, image[order])
    np.testing.assert_array_equal(arrays.label, labels[order])


def test_files_moved_between_classes_leave_the_unlabelled_stream(tmp_path):
    image, labels = _images(), np.arange(12) % 3
    permuted = np.random.default_rng(1).permutation(labels)
    _write_folder(tmp_path / 'a', image, labels)
    _write_folder(tmp_path / 'b', image, permuted)
    first, second = (sources.from_folder(tmp_path / name) for name in 'ab')
    assert (first.label != second.label).any()
    one, two = (
        streams.unlabelled(arrays, batch_size=5, seed=3) for arrays in (first, second)
    )
    for step in range(6):
        np.testing.assert_array_equal(one[step]['image'], two[step]['image'])


def test_labels_permuted_in_an_npz_leave_the_unlabelled_stream(tmp_path):
    image, labels = _images(), np.arange(12) % 3
    for name, label in (('a', labels), ('b', labels[::-1])):
        np.savez(tmp_path / f'{name}.npz', image=image, label=label)
    one, two = (
        streams.unlabelled(
            sources.from_npz(tmp_path / f'{name}.npz'), batch_size=5, seed=3
        )
        for name in 'ab'
    )
    for step in range(6):
        np.testing.assert_array_equal(one[step]['image'], two[step]['image'])


def test_folder_errors_name_the_culprit(tmp_path):
    with pytest.raises(ValueError, match='no such folder'):
        sources.from_folder(tmp_path / 'absent')
    (tmp_path / 'empty' / 'cat').mkdir(parents=True)
    (tmp_path / 'empty' / 'cat' / 'notes.txt').write_text('none yet')
    with pytest.raises(ValueError, match='empty: holds no images'):
        sources.from_folder(tmp_path / 'empty')
    _write_folder(tmp_path / 'good', _images(2), [0, 1])
    content = (tmp_path / 'good' / 'class_1' / '1.png').read_bytes()
    (tmp_path / 'good' / 'class_1' / 'torn.png').write_bytes(content[:60])
    with pytest.raises(ValueError, match='torn.png: not a readable image'):
        sources.from_folder(tmp_path / 'good')
    with pytest.raises(ValueError, match=r"has the classes \['class_0'\]"):
        sources.from_folder(tmp_path / 'good', classes=('class_1',))


def test_images_of_several_sizes_need_a_size(tmp_path):
    _write_folder(tmp_path, _images(2), [0, 0])
    Image.fromarray(_images(1, size=9)[0]).save(tmp_path / 'class_0' / 'big.png')
    with pytest.raises(ValueError, match='several sizes'):
        sources.from_folder(tmp_path)
    assert sources.from_folder(tmp_path, size=4).image.shape == (3, 4, 4, 3)


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
