"""MNIST-M and SYN NUMBERS, read from miniatures of their authors' files."""

import numpy as np
import pytest
import scipy.io
from PIL import Image

from tests.miniatures import digits
from transfer_jax import data
from transfer_jax.data import domains


def _file(root, name):
    with Image.open(root / 'mnist_m' / 'mnist_m_test' / name) as picture:
        return np.asarray(picture)


def test_mnist_m_follows_its_lists(tmp_path):
    digits.mnist_m_original(tmp_path)
    domain = data.load('mnist_m_original', size=32, data_dir=tmp_path)
    assert domain.classes == tuple('0123456789')
    assert (len(domain.train), len(domain.test)) == (80, 40)
    assert np.bincount(domain.train.label).tolist() == [8] * 10
    (row,) = np.flatnonzero(
        (domain.test.image == _file(tmp_path, '00000013.png')).all((1, 2, 3))
    )
    assert domain.test.label[row] == 3


def test_mnist_m_of_28_pixels_is_the_central_part(tmp_path):
    """As for mnist_m, which is made here."""
    digits.mnist_m_original(tmp_path)
    domain = data.load('mnist_m_original', size=28, data_dir=tmp_path)
    centre = _file(tmp_path, '00000013.png')[2:30, 2:30]
    assert (domain.test.image == centre).all((1, 2, 3)).sum() == 1


def test_syn_numbers_are_read_from_mat_files(tmp_path):
    digits.syn_numbers(tmp_path)
    domain = data.load('syn_numbers', size=32, data_dir=tmp_path)
    assert (len(domain.train), len(domain.test)) == (80, 40)
    content = scipy.io.loadmat(tmp_path / 'SynthDigits' / 'synth_test_32x32.mat')
    for i in (0, 13, 39):
        np.testing.assert_array_equal(domain.test.image[i], content['X'][..., i])
        assert domain.test.label[i] == content['y'][i, 0] == i % 10
    small = data.load('syn_numbers', size=16, data_dir=tmp_path)
    assert small.test.image.shape == (40, 16, 16, 3)


def test_ten_is_a_zero(tmp_path):
    digits.syn_numbers(tmp_path)
    _change(tmp_path, y=np.array([[10], *([i % 10] for i in range(1, 40))]))
    domain = data.load('syn_numbers', size=32, data_dir=tmp_path)
    assert domain.test.label[0] == 0


def test_the_miniature_of_mnist_is_read(tmp_path):
    digits.mnist(tmp_path)
    domain = data.load('mnist', size=28, data_dir=tmp_path)
    assert domain.train.image.shape == (80, 28, 28, 3)
    assert domain.test.label[:12].tolist() == [*range(10), 0, 1]


def _change(root, **variables):
    path = root / 'SynthDigits' / 'synth_test_32x32.mat'
    content = scipy.io.loadmat(path)
    rest = {k: v for k, v in content.items() if not k.startswith('__')} | variables
    scipy.io.savemat(path, {k: v for k, v in rest.items() if v is not None})


@pytest.mark.parametrize(
    'variables, message',
    [
        ({'y': None}, 'synth_test_32x32.mat: has no variable y, only X'),
        ({'y': np.ones((39, 1))}, 'X has 40 images, but y has 39 labels'),
        ({'y': np.full((40, 1), 11)}, r'y has the label 11; digits are 0\.\.9'),
        ({'X': np.zeros((28, 28, 3, 40), np.uint8)}, r'must be \(32, 32, 3, n\) uint8'),
        ({'X': np.zeros((32, 32, 3, 40))}, r'must be \(32, 32, 3, n\) uint8'),
    ],
)
def test_files_of_another_content_are_refused_in_one_line(tmp_path, variables, message):
    digits.syn_numbers(tmp_path)
    _change(tmp_path, **variables)
    with pytest.raises(ValueError, match=message) as error:
        data.load('syn_numbers', size=32, data_dir=tmp_path)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'row, message',
    [
        ('00000000.png 10', r'00000000.png has the class 10; .* are 0\.\.9'),
        ('00000000.png', "labels.txt: '00000000.png' is not a file and the number"),
        ('99999999.png 1', r'files that are not there: .*99999999.png \(of 40\)'),
    ],
)
def test_a_wrong_line_is_named(tmp_path, row, message):
    digits.mnist_m_original(tmp_path)
    path = tmp_path / 'mnist_m' / 'mnist_m_test_labels.txt'
    rows = path.read_text().splitlines()
    path.write_text('\n'.join([row, *rows[1:]]))
    with pytest.raises(ValueError, match=message) as error:
        data.load('mnist_m_original', size=32, data_dir=tmp_path)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['mnist_m_original', 'syn_numbers'])
def test_missing_files_are_said_to_be_from_their_authors(tmp_path, name):
    with pytest.raises(data.MissingData, match='yaroslav.ganin.net'):
        data.load(name, size=32, data_dir=tmp_path)
    assert domains.NAMED[name].size in (28, 32)
