"""Image files that are decoded when they are read."""

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import folders, lazy, transforms


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


def test_a_file_that_has_gone_is_named(folder):
    files = lazy.from_folder(folder)
    files.paths[2].unlink()
    with pytest.raises(ValueError, match=files.paths[2].name):
        files[2]
