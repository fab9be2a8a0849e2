"""MNIST from idx files, and MNIST-M made from it."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from transfer_jax.data import digits, domains, mnist

TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def _write_idx(path, values):
    head = struct.pack('>xxBB', 8, values.ndim) + struct.pack(
        f'>{values.ndim}I', *values.shape
    )
    path.write_bytes(gzip.compress(head + values.tobytes()))


@pytest.fixture
def tiny(tmp_path):
    """A data folder with 12 + 6 digits and two photographs."""
    rng = np.random.default_rng(0)
    (tmp_path / 'mnist').mkdir()
    (tmp_path / 'bsds500' / 'train').mkdir(parents=True)
    for prefix, n in (('train', 12), ('t10k', 6)):
        image = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
        image[:, :6] = 0
        _write_idx(tmp_path / 'mnist' / f'{prefix}-images-idx3-ubyte.gz', image)
        label = np.arange(n, dtype=np.uint8) % 10
        _write_idx(tmp_path / 'mnist' / f'{prefix}-labels-idx1-ubyte.gz', label)
    for number in range(2):
        photo = rng.integers(256, size=(40, 50, 3), dtype=np.uint8)
        path = tmp_path / 'bsds500' / 'train' / f'{number}.jpg'
        Image.fromarray(photo).save(path, quality=95)
    return tmp_path


def test_32_is_a_border_of_zeros_and_other_sizes_are_resized(tiny):
    small = domains.load('mnist', size=28, channels=1, data_dir=tiny).train.image
    large = domains.load('mnist', size=32, channels=1, data_dir=tiny).train.image
    np.testing.assert_array_equal(large[:, 2:30, 2:30], small)
    assert large[:, :2].max() == large[:, :, 30:].max() == 0
    resized = domains.load('mnist', size=16, data_dir=tiny).train.image
    assert resized.shape == (12, 16, 16, 3)


def test_mnist_m_is_the_difference_to_a_crop_of_32(tiny):
    plain = domains.load('mnist', size=32, channels=1, data_dir=tiny)
    blended = domains.load('mnist_m', size=32, data_dir=tiny)
    photos = mnist.photos(domains.data_dirs(tiny))
    for split, part in enumerate(('train', 'test')):
        digit, result = getattr(plain, part).image, getattr(blended, part).image
        for index in (0, 4):
            rng = np.random.default_rng([split, index])
            photo = photos[rng.integers(2)]
            top, left = rng.integers(40 - 31), rng.integers(50 - 31)
            crop = photo[top : top + 32, left : left + 32].astype(int)
            np.testing.assert_array_equal(result[index], np.abs(crop - digit[index]))
    np.testing.assert_array_equal(blended.test.label, plain.test.label)


def test_mnist_m_of_28_is_the_central_part(tiny):
    large = domains.load('mnist_m', size=32, data_dir=tiny).test.image
    small = domains.load('mnist_m', size=28, data_dir=tiny).test.image
    np.testing.assert_array_equal(small, large[:, 2:30, 2:30])


def test_labels_play_no_part_in_the_blending(tiny):
    before = domains.load('mnist_m', size=28, data_dir=tiny)
    path = tiny / 'mnist' / 'train-labels-idx1-ubyte.gz'
    _write_idx(path, np.arange(12, dtype=np.uint8)[::-1] % 10)
    domains._load.cache_clear()
    after = domains.load('mnist_m', size=28, data_dir=tiny)
    assert (before.train.label != after.train.label).any()
    np.testing.assert_array_equal(before.train.image, after.train.image)


def test_photographs_may_lie_outside_a_train_folder(tiny):
    for path in (tiny / 'bsds500' / 'train').glob('*.jpg'):
        path.rename(tiny / 'bsds500' / path.name)
    assert len(mnist.photos(domains.data_dirs(tiny))) == 2


def test_mnist_m_without_photographs_asks_for_them(tiny):
    for path in (tiny / 'bsds500' / 'train').glob('*.jpg'):
        path.unlink()
    with pytest.raises(domains.MissingData, match='prepare bsds500 --from FOLDER'):
        domains.load('mnist_m', size=28, data_dir=tiny)


def test_three_of_the_four_idx_files_are_not_mnist(tiny):
    (tiny / 'mnist' / 't10k-labels-idx1-ubyte.gz').unlink()
    with pytest.raises(domains.MissingData, match='t10k-labels-idx1-ubyte.gz'):
        domains.load('mnist', size=20, data_dir=tiny)


def test_damaged_idx_files_are_named(tiny):
    path = tiny / 'mnist' / 't10k-images-idx3-ubyte.gz'
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match='t10k-images-idx3-ubyte.gz: not an idx'):
        domains.load('mnist', size=20, data_dir=tiny)


@pytest.mark.real_data
def test_mnist_has_its_known_counts(data_dir):
    domain = domains.load('mnist', size=28, channels=1, data_dir=data_dir('mnist'))
    assert np.bincount(domain.train.label).tolist() == TRAIN_COUNTS
    assert np.bincount(domain.test.label).tolist() == TEST_COUNTS
    assert domain.classes == digits.CLASSES
    assert domain.train.image[0].sum() == 27525  # the first digit, a 5


@pytest.mark.real_data
def test_mnist_of_tfds_holds_the_same_test_digits(data_dir):
    from transfer_jax.data import sources

    dirs = domains.data_dirs(data_dir('mnist'))
    folders = [path for path in dirs if list(path.glob('mnist/3.*/dataset_info.json'))]
    if not folders or not list(dirs[0].glob('mnist/*.gz')):
        pytest.skip('needs both the idx files and the TFDS mnist')
    tfds = sources.from_tfds('mnist', 'test[:300]', folders[0])
    test = domains.load('mnist', size=28, channels=1, data_dir=data_dir()).test
    labels = {picture.tobytes(): label for picture, label in zip(*_pair(test))}  # noqa: B905
    assert all(labels[picture.tobytes()] == y for picture, y in zip(*_pair(tfds)))  # noqa: B905


def _pair(arrays):
    return arrays.image, arrays.label
