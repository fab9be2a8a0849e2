"""Images and labels of .npz files, and what is refused."""

import numpy as np
import pytest

from transfer_jax.data import npz, streams


def _images(n=12, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize('kind', ['uint8', 'int64', 'uint64'])
def test_npz_of_images_and_labels(tmp_path, kind):
    image, label = _images(), (np.arange(12) % 3).astype(kind)
    np.savez(tmp_path / 'b.npz', image=image, label=label)
    assert npz.from_npz(tmp_path / 'b.npz').classes == ('0', '1', '2')
    np.savez(tmp_path / 'a.npz', image=image, label=label, classes=['x', 'y', 'z'])
    arrays = npz.from_npz(tmp_path / 'a.npz')
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
    assert npz.has_splits(tmp_path / 'a.npz')
    train = npz.from_npz(tmp_path / 'a.npz', 'train')
    test = npz.from_npz(tmp_path / 'a.npz', 'test')
    assert train.image.shape == (12, 6, 6, 1) and len(test) == 4
    assert train.classes == test.classes == ('0', '1', '2')


_GOOD = {'image': _images(), 'label': np.zeros(12, int)}
_NAMES = np.array(['cat', 'dog'] * 6)


@pytest.mark.parametrize(
    'changes, words',
    [
        ({'image': _images() / 255}, 'float64: for numbers in [0, 1] give np.rint'),
        ({'image': _images().transpose(0, 3, 1, 2)}, 'image.transpose(0, 2, 3, 1)'),
        ({'image': _images()[:, None, ..., 0]}, 'image.transpose(0, 2, 3, 1)'),
        ({'image': _images()[..., [0, 1, 2, 0]]}, 'transparency, image[..., :3]'),
        ({'image': _images()[..., :2]}, 'transparency, image[..., :1]'),
        ({'image': np.array([{}], object)}, 'image holds Python objects'),
        ({'label': np.full(12, -1)}, 'label 0 is -1: leave out rows without a label'),
        ({'label': np.zeros(12)}, 'whole numbers, not float64: give label.astype'),
        ({'label': np.arange(12) * 2**36}, 'label 755914244096 would mean 755,914,244'),
        ({'label': np.full(12, 2**63, np.uint64)}, 'label 9223372036854775808 would'),
        ({'label': np.zeros(5, int)}, '12 images need labels of shape (12,), not (5,)'),
        ({'label': np.zeros((12, 1), int)}, 'label[:, 0]'),
        ({'label': np.int64(3)}, 'label: one number is not a label for each'),
        ({'label': _NAMES}, 'number them, classes, label = np.unique'),
        ({'label': _NAMES.astype(object)}, 'label holds Python objects'),
        ({'label': np.full(12, 2), 'classes': ['a', 'b']}, '0..1 for its 2 classes'),
        ({'classes': 'cat'}, 'classes must be a list with the name of each label'),
        ({'classes': ['a', 'b', 'a']}, 'classes has a more than once'),
        ({'classes': np.array(['a'], object)}, 'give np.array(classes, str)'),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file_and_the_remedy(
    tmp_path, changes, words
):
    np.savez(tmp_path / 'wrong.npz', **_GOOD | changes)
    with pytest.raises(ValueError, match='wrong.npz: ') as error:
        npz.from_npz(tmp_path / 'wrong.npz')
    assert words in str(error.value) and '\n' not in str(error.value)


def test_other_files_are_refused(tmp_path):
    (tmp_path / 'text.npz').write_text('hello')
    np.savez(tmp_path / 'torn.npz', **_GOOD)
    content = (tmp_path / 'torn.npz').read_bytes()
    (tmp_path / 'torn.npz').write_bytes(content[: len(content) // 2])
    np.save(tmp_path / 'one.npy', _images())
    (tmp_path / 'folder').mkdir()
    np.savez(tmp_path / 'keys.npz', images=_images())
    for name, words in {
        'text.npz': 'cannot be read',
        'torn.npz': 'cannot be read',
        'one.npy': 'holds one array, as .npy; save',
        'folder': 'is a folder',
        'absent.npz': 'there is no such file',
        'keys.npz': r"holds the arrays \['images'\]; it needs image and label",
    }.items():
        with pytest.raises(ValueError, match=f'{name}: {words}'):
            npz.from_npz(tmp_path / name)


@pytest.mark.parametrize(
    'labels, words',
    [
        ([1, 2, 3], '1 of 4 classes have no image: 0'),
        (range(0, 40, 3), '26 of 40 classes have no image: 1, 2, 4, .* and 16 more'),
    ],
)
def test_classes_without_an_image_are_named(tmp_path, labels, words):
    label = np.resize(np.array(labels, np.uint8), 14)
    np.savez(tmp_path / 'a.npz', image=_images(14), label=label)
    with pytest.warns(UserWarning, match=words) as caught:
        arrays = npz.from_npz(tmp_path / 'a.npz')
    assert len(arrays.classes) == max(labels) + 1 and caught[0].filename == __file__


def test_the_names_of_classes_need_no_image(tmp_path):
    np.savez(tmp_path / 'a.npz', image=np.array([{}], object), label=[1, 0])
    assert npz.class_names(tmp_path / 'a.npz') == ('0', '1')


def test_labels_permuted_in_an_npz_leave_the_unlabelled_stream(tmp_path):
    image, labels = _images(), np.arange(12) % 3
    for name, label in (('a', labels), ('b', labels[::-1])):
        np.savez(tmp_path / f'{name}.npz', image=image, label=label)
    one, two = (
        streams.unlabelled(npz.from_npz(tmp_path / f'{name}.npz'), batch_size=5, seed=3)
        for name in 'ab'
    )
    for step in range(6):
        np.testing.assert_array_equal(one[step]['image'], two[step]['image'])


def test_images_need_no_labels(tmp_path):
    image = np.zeros((3, 5, 5), np.uint8)
    np.savez(tmp_path / 'a.npz', image=image)
    assert npz.images_of(tmp_path / 'a.npz').shape == (3, 5, 5, 1)
    np.savez(tmp_path / 'b.npz', train_x=image)
    assert npz.images_of(tmp_path / 'b.npz') is None
    np.savez(tmp_path / 'c.npz', image=image / 255)
    (tmp_path / 'd.npz').write_bytes(b'no zip')
    for name, words in (('c', 'c.npz: image: images must'), ('d', 'd.npz: cannot be')):
        with pytest.raises(ValueError, match=words):
            npz.images_of(tmp_path / f'{name}.npz')
