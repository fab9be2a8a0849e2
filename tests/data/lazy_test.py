"""Image files that are decoded when they are read."""

import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.miniatures import classification
from transfer_jax import data
from transfer_jax.data import folders, image_files, images, lazy, transforms


@pytest.fixture
def folder(tmp_path):
    """Two classes of three photographs, all of different sizes."""
    rng = np.random.default_rng(0)
    for name in ('cat', 'dog'):
        (tmp_path / name).mkdir()
        for i in range(3):
            image = rng.integers(0, 256, (20 + i, 30, 3), np.uint8)
            Image.fromarray(image).save(tmp_path / name / f'{i}.png')
    return tmp_path


def test_files_are_those_of_the_folder_in_the_order_of_their_bytes(folder):
    files = lazy.from_folder(folder)
    whole = folders.from_folder(folder, size=16)
    assert files.classes == whole.classes == ('cat', 'dog')
    np.testing.assert_array_equal(files.label, whole.label)
    item = files[0]
    assert item['image'].shape[0] in (20, 21, 22) and item['label'] == whole.label[0]
    with pytest.raises(ValueError, match=r"only \['cat'\]"):
        lazy.from_folder(folder, ('cat',))


def test_threads_change_nothing(folder):
    """Items are decoded in parallel; their positions and draws do not change."""
    change = transforms.chain(transforms.zoom(0.2, size=8), transforms.flip())
    streams = [
        data.labelled(
            lazy.from_folder(folder),
            batch_size=4,
            seed=3,
            transform=change,
            threads=threads,
        )
        for threads in (1, 3)
    ]
    for t in range(4):
        one, many = (stream[t] for stream in streams)
        assert one['image'].shape == (4, 8, 8, 3) and one['image'].dtype == np.uint8
        for name in one:
            np.testing.assert_array_equal(one[name], many[name])


def test_processes_change_nothing(folder):
    """Two of them make batches in turns; they end when the reader is closed."""
    change = transforms.chain(transforms.zoom(0.2, size=8), transforms.flip())
    options = {'batch_size': 4, 'seed': 3, 'transform': change}
    scale = data.normalise(np.full(3, 0.5))
    alone = data.labelled(lazy.from_folder(folder), **options).map(scale)
    many = data.labelled(lazy.from_folder(folder), processes=2, **options).map(scale)
    with data.zipped(source=many).read(2, 7) as reader:
        found = list(reader)
    assert len(found) == 5
    for t, batch in enumerate(found, 2):
        for name, value in alone[t].items():
            np.testing.assert_array_equal(batch['source'][name], value)
    reader = many.read(0)
    next(reader)
    reader.close()
    assert list(reader) == []


def test_processes_do_not_copy_images_in_memory():
    source = data.Images(np.zeros((5, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="stream 'target': processes=2 is for files"):
        data.unlabelled(source, batch_size=2, seed=0, processes=2)
    files = data.Stream(lambda step: {}, processes=2)
    here = data.unlabelled(source, batch_size=2, seed=0)
    with pytest.raises(ValueError, match="processes=2 cannot read a stream beside 'b'"):
        data.zipped(a=files, b=here)


def _as_set(part):
    """The rows of a part, whatever their order."""
    rows = zip(part.image, part.label, strict=True)
    return sorted((image.tobytes(), int(label)) for image, label in rows)


def _evaluated(part, size, zoom=None):
    """A part of a lazy domain, whole, by batches of evaluation."""
    change = transforms.evaluation(size, zoom)
    batches = data.batches(part, 4, transform=change, threads=2)
    whole = [batches[i] for i in range(len(batches))]
    rows = np.concatenate([b['mask'] for b in whole]) == 1
    image, label = (np.concatenate([b[k] for b in whole]) for k in ('image', 'label'))
    return data.Arrays(image[rows], label[rows], part.classes)


@pytest.mark.parametrize('split', [False, True])
def test_a_folder_has_the_parts_of_data_load(folder, tmp_path_factory, split):
    root = folder
    if split:
        root = tmp_path_factory.mktemp('mine')
        shutil.copytree(folder, root / 'train')
        shutil.copytree(folder, root / 'test')
        for name in ('cat', 'dog'):
            (root / 'test' / name / '0.png').unlink()
    read = []
    files = lazy.load(f'folder:{root}', progress=read.append)
    whole = data.load(f'folder:{root}', size=8)
    assert (files.name, files.classes) == (whole.name, whole.classes)
    assert files.zoom is None and read == ([] if split else [6])
    for lazy_part, part in ((files.train, whole.train), (files.test, whole.test)):
        assert _as_set(_evaluated(lazy_part, 8)) == _as_set(part)


def test_a_large_set_is_listed_without_being_read(folder, monkeypatch):
    """Of a folder with a split, no file is opened before it is needed."""
    for part in ('train', 'test'):
        shutil.copytree(folder, folder / 'mine' / part, ignore=lambda *_: ['mine'])
    opened = []
    original = image_files.read_bytes
    monkeypatch.setattr(
        image_files, 'read_bytes', lambda *a: opened.append(a[0]) or original(*a)
    )
    files = lazy.load(f'folder:{folder}/mine')
    assert not opened
    files.train[2]
    assert opened == [files.train.paths[2]]


def test_the_order_mixes_the_classes_and_is_fixed(tmp_path):
    """A permutation of the list that does not read the labels."""
    for part in ('train', 'test'):
        for name in ('a', 'b'):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(30):
                (tmp_path / part / name / f'{i:02d}.png').touch()
    one, two = (lazy.load(f'folder:{tmp_path}') for _ in range(2))
    assert one.train.paths == two.train.paths
    label = one.train.label
    expected = np.repeat([0, 1], 30)[np.random.default_rng(0).permutation(60)]
    np.testing.assert_array_equal(label, expected)
    assert 5 < label[:20].sum() < 15


def test_a_copy_for_another_process_has_the_same_items(folder):
    files = lazy.from_folder(folder)
    copy = pickle.loads(pickle.dumps(files))
    assert len(copy) == 6 and copy.classes == files.classes
    for i in range(6):
        np.testing.assert_array_equal(copy[i]['image'], files[i]['image'])
        assert copy[i]['label'] == files[i]['label']


def test_files_can_be_taken(folder):
    files = lazy.from_folder(folder)
    taken = files.take(np.array([4, 1]))
    assert taken.paths == (files.paths[4], files.paths[1])
    assert taken.label.tolist() == [files.label[4], files.label[1]]
    assert taken.classes == files.classes
    assert files.take(slice(2)).paths == files.paths[:2]


def test_unknown_domains_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'mnist' is read lazily.* imagenet.*folder:"):
        lazy.load('mnist')
    with pytest.raises(ValueError, match='no such folder'):
        lazy.load(f'folder:{tmp_path}/none')
    (tmp_path / 'a').mkdir()
    Image.new('L', (4, 4)).save(tmp_path / 'a' / '0.png')
    with pytest.raises(ValueError, match='1 images cannot be cut'):
        lazy.load(f'folder:{tmp_path}')


def test_batches_of_evaluation_are_padded_with_the_last_item(folder):
    files = lazy.from_folder(folder)
    change = transforms.evaluation(8, 256 / 224)
    alone, many = (
        data.batches(files, 4, transform=change, threads=threads) for threads in (1, 3)
    )
    assert len(alone) == 2 and isinstance(alone.resident, str)
    for i in range(2):
        for name, value in alone[i].items():
            np.testing.assert_array_equal(value, many[i][name])
    last = alone[1]
    assert last['mask'].tolist() == [1, 1, 0, 0]
    np.testing.assert_array_equal(last['image'][2], last['image'][1])
    expected = images.decode(files.paths[5].read_bytes(), 'x', 8, 256 / 224)
    np.testing.assert_array_equal(last['image'][1], expected)


@pytest.mark.slow
def test_published_sets_are_trained_on_by_processes(tmp_path):
    """Random parts of ImageNet, made by two processes and by none."""
    classification.imagenet(tmp_path)
    train = lazy.load('imagenet', data_dir=tmp_path).train
    options = {'batch_size': 8, 'seed': 1, 'transform': transforms.training(16)}
    alone = data.labelled(train, **options, threads=2)
    with data.labelled(train, **options, processes=2).read(0, 3) as reader:
        found = list(reader)
    for t, batch in enumerate(found):
        assert batch['image'].shape == (8, 16, 16, 3)
        for name, value in alone[t].items():
            np.testing.assert_array_equal(batch[name], value)


def test_published_sets_are_trained_on_by_threads(tmp_path):
    """Random parts of one size, balanced by class if that is asked for."""
    classification.imagenet(tmp_path)
    train = lazy.load('imagenet', data_dir=tmp_path).train
    options = {'batch_size': 8, 'seed': 1, 'transform': transforms.training(16)}
    one, two = (data.labelled(train, **options, threads=k)[3] for k in (1, 2))
    assert one['image'].shape == (8, 16, 16, 3)
    np.testing.assert_array_equal(one['image'], two['image'])
    unlabelled = data.unlabelled(train, **options, threads=2)[0]
    assert set(unlabelled) == {'image'}
    balanced = data.labelled(train, **options, balanced=True)[0]
    assert np.bincount(balanced['label']).tolist() == [2, 2, 2, 2]


def test_a_file_that_has_gone_is_named(folder):
    files = lazy.from_folder(folder)
    files.paths[2].unlink()
    with pytest.raises(ValueError, match=files.paths[2].name):
        files[2]
