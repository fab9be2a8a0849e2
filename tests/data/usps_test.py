"""USPS: the scale of its values and its known counts."""

import gzip

import numpy as np
import pytest

from transfer_jax.data import domains, usps


def test_the_scale_from_paper_to_ink_is_0_to_255(tmp_path):
    (tmp_path / 'usps').mkdir()
    milli = np.array([-1000, -500, 0, 1000], np.int16)
    x = np.tile(np.repeat(milli, 4), (2, 16, 1))
    y = np.array([3, 9], np.uint8)
    np.savez(
        tmp_path / 'usps' / 'usps_16x16.npz',
        **{'train_x_milli': x, 'train_y': y, 'test_x_milli': x, 'test_y': y},
    )
    train = domains.load('usps', size=16, channels=1, data_dir=tmp_path).train
    assert train.image[1, 5, ::4, 0].tolist() == [0, 64, 128, 255]
    assert train.label.tolist() == [3, 9]


def test_the_publishers_text_becomes_the_file_we_read(tmp_path):
    rng = np.random.default_rng(0)
    values = np.round(rng.uniform(-1, 1, (3, 256)), 3)
    for split in ('train', 'test'):
        rows = [
            f'{label}.0000 ' + ' '.join(f'{v:.4f}' for v in row) + ' \n'
            for label, row in zip((6, 5, 0), values, strict=True)
        ]
        with gzip.open(tmp_path / f'zip.{split}.gz', 'wt') as file:
            file.writelines(rows)
    usps.convert(tmp_path, tmp_path / 'usps' / 'usps_16x16.npz')
    test = domains.load('usps', size=16, channels=1, data_dir=tmp_path).test
    expected = np.rint((values + 1) / 2 * 255).reshape(3, 16, 16)
    np.testing.assert_allclose(test.image[..., 0], expected, atol=1)
    assert test.label.tolist() == [6, 5, 0]


def test_other_text_is_refused(tmp_path):
    with gzip.open(tmp_path / 'zip.train.gz', 'wt') as file:
        file.write('6 1 2 3\n')
    with pytest.raises(ValueError, match='lines of 4 numbers, not 257'):
        usps.convert(tmp_path, tmp_path / 'out.npz')
    with pytest.raises(ValueError, match='zip.train.gz: cannot be read'):
        usps.convert(tmp_path / 'absent', tmp_path / 'out.npz')


@pytest.mark.real_data
def test_usps_has_its_known_counts(data_dir):
    domain = domains.load('usps', size=28, channels=1, data_dir=data_dir('usps'))
    train = [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
    test = [359, 264, 198, 166, 200, 160, 170, 147, 166, 177]
    assert np.bincount(domain.train.label).tolist() == train
    assert np.bincount(domain.test.label).tolist() == test
    image = domain.train.image
    assert image.shape == (7291, 28, 28, 1) and image.min() == 0 and image.max() == 255
    assert (image[:, 0, 0] == 0).mean() > 0.9  # paper is black
