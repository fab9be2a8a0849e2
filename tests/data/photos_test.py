"""Domains of photographs: how they are split, cropped and named."""

import io

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import features, images


def save(path, value, size=(20, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, (value, value, value)).save(path)


def test_caltech_follows_its_list_of_splits(tmp_path):
    lines = ['file,split']
    for i, (name, split) in enumerate(
        [('b/0.png', 'train'), ('b/1.png', 'test'), ('a/2.png', 'train')]
        + [('a/3.png', 'test')]
    ):
        save(tmp_path / 'caltech101' / name, i)
        lines.append(f'{name},{split}')
    for name in ('a/4.jpg', 'b/5.jpg'):  # the layout is found by its .jpg files
        save(tmp_path / 'caltech101' / name, 9)
        lines.append(f'{name},train')
    (tmp_path / 'caltech101' / 'MANIFEST.csv').write_text('\n'.join(lines))
    domain = data.load('caltech101', size=8, data_dir=str(tmp_path))
    assert domain.classes == ('a', 'b')
    assert (len(domain.train), len(domain.test)) == (4, 2)
    assert sorted(domain.test.image[:, 0, 0, 0].tolist()) == [1, 3]
    assert dict(zip(domain.test.image[:, 0, 0, 0], domain.test.label, strict=True)) == {
        1: 1,
        3: 0,
    }


def test_a_file_without_a_split_is_named(tmp_path):
    save(tmp_path / 'caltech101' / 'a' / '0.jpg', 0)
    (tmp_path / 'caltech101' / 'MANIFEST.csv').write_text('file,split\nother,train')
    with pytest.raises(ValueError, match=r'does not list .*0\.jpg'):
        data.load('caltech101', size=8, data_dir=str(tmp_path))


def test_a_domain_without_a_split_is_cut_independently_of_labels(tmp_path):
    """Files moved between classes stay in the same part."""

    def build(root, turn):
        for domain in ('amazon', 'caltech10', 'dslr', 'webcam'):
            for i, name in enumerate(features.OFFICE_CALTECH10):
                label = (i + turn) % 10
                other = features.OFFICE_CALTECH10[label]
                folder = root / 'office_caltech10' / 'images' / domain
                save(folder / other / f'{name}.jpg', 25 * i)
        return data.load('office_dslr', size=8, data_dir=str(root))

    one, two = build(tmp_path / '0', 0), build(tmp_path / '1', 3)
    assert (len(one.train), len(one.test)) == (8, 2)
    np.testing.assert_array_equal(one.train.image, two.train.image)
    np.testing.assert_array_equal((one.train.label + 3) % 10, two.train.label)


def test_coil_views_alternate(tmp_path):
    for number in (7, 30):
        for degrees in (0, 15, 30, 45):
            save(tmp_path / 'coil100' / f'obj{number}__{degrees}.png', degrees)
    domain = data.load('coil100', size=8, data_dir=str(tmp_path))
    assert domain.classes == ('7', '30')
    assert set(domain.train.image[:, 0, 0, 0].tolist()) == {0, 30}
    assert set(domain.test.image[:, 0, 0, 0].tolist()) == {15, 45}


def test_a_missing_set_read_as_published_is_named_without_a_command(tmp_path):
    with pytest.raises(data.MissingData, match='PACS') as error:
        data.load('pacs_photo', size=8, data_dir=str(tmp_path))
    assert 'prepare' not in str(error.value).lower()


def test_the_central_square_is_cropped():
    """60 x 20: the shorter side becomes 8, and columns 8 to 16 of 24 remain."""
    page = np.zeros((20, 60, 3), np.uint8)
    page[:, 20:40] = 200
    content = png(Image.fromarray(page))
    image = images.decode(content, 'x', 8, 1.0)
    assert image.shape == (8, 8, 3)
    assert (image[:, 1:-1] == 200).all()
    assert images.decode(content, 'x', 8).min() == 0  # stretched: all of it


@pytest.mark.parametrize(
    'mode, value, expected',
    [
        ('1', 1, (255, 255, 255)),
        ('L', 100, (100, 100, 100)),
        ('LA', (100, 0), (100, 100, 100)),
        ('RGBA', (1, 2, 3, 4), (1, 2, 3)),
        ('CMYK', (255, 0, 0, 0), (0, 255, 255)),
        ('I;16', 257 * 100, (100, 100, 100)),
        ('P', 0, (0, 0, 0)),
    ],
)
def test_every_kind_of_image_becomes_rgb(mode, value, expected):
    kind = 'TIFF' if mode == 'CMYK' else 'PNG'
    image = images.decode(png(Image.new(mode, (4, 4), value), kind), 'x', None)
    np.testing.assert_array_equal(image, np.broadcast_to(expected, (4, 4, 3)))


def test_floating_point_pixels_are_named():
    content = png(Image.new('F', (4, 4), 0.5), 'TIFF')
    with pytest.raises(ValueError, match='scan.tif.*floating-point'):
        images.decode(content, 'scan.tif', None)


@pytest.mark.real_data
def test_the_real_sets(data_dir):
    path = data_dir('caltech101', 'office_caltech10')
    domain = data.load('caltech101', size=16, data_dir=path)
    assert len(domain.train) == 30 * len(domain.classes)
    dslr = data.load('office_dslr', size=16, data_dir=path)
    assert len(dslr.train) + len(dslr.test) == 157


def png(picture, kind='PNG'):
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()
