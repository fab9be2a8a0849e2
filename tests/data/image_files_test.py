"""Decoding files: damaged ones, large ones, duplicates."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.data import pictures
from transfer_jax.data import folders, image_files

pytestmark = pytest.mark.usefixtures('no_warnings')  # but those that a test names


def test_damaged_files_are_named_together_with_the_remedy(tmp_path):
    pictures.save(tmp_path, *(f'cat/{i:02d}.png' for i in range(20)), 'dog/good.png')
    for i in range(12):
        path = tmp_path / 'cat' / f'{i:02d}.png'
        path.write_bytes(path.read_bytes()[:60])
    (tmp_path / 'dog' / 'text.jpg').write_text('hello')
    with pytest.raises(ValueError) as error:
        folders.from_folder(tmp_path)
    text = str(error.value)
    assert text.startswith(
        f'{tmp_path}: 13 of 22 files cannot be read: cat/00.png: not'
    )
    assert 'cat/09.png' in text and 'cat/10.png' not in text and 'BytesIO' not in text
    assert text.count('\n') == 0 and 'and 3 more; repair or remove them' in text
    assert text.endswith(
        'skip_unreadable=True (--skip-unreadable of experiments.adapt)'
    )
    with pytest.warns(UserWarning, match='left out of .*: 13 of 22 files.*cat/00.png'):
        arrays = folders.from_folder(tmp_path, skip_unreadable=True)
    assert np.bincount(arrays.label).tolist() == [8, 1]
    for i in range(12):
        (tmp_path / 'cat' / f'{i:02d}.png').unlink()
    (tmp_path / 'dog' / 'text.jpg').unlink()
    sound = folders.from_folder(tmp_path)
    np.testing.assert_array_equal(arrays.image, sound.image)
    np.testing.assert_array_equal(arrays.label, sound.label)
    (tmp_path / 'dog' / 'text.jpg').write_bytes(b'x')
    (tmp_path / 'dog' / 'good.png').write_bytes(b'')
    words = '3 of 3.*no format that Pillow reads.*good.png.*the file is empty'
    with pytest.raises(ValueError, match=words):
        files = [tmp_path / 'dog' / name for name in ('text.jpg', 'good.png')]
        image_files.images_from_files([*files, files[0]], skip_unreadable=True)


def test_what_is_no_file_is_named(tmp_path, monkeypatch):
    pictures.save(tmp_path, 'a.png', 'secret.png')
    (tmp_path / 'folder.jpg').mkdir()
    (tmp_path / 'link.jpg').symlink_to('nowhere')
    os.mkfifo(tmp_path / 'pipe.jpg')
    names = ('a', 'folder', 'link', 'pipe', 'absent')
    files = [tmp_path / f'{name}.{"png" if name == "a" else "jpg"}' for name in names]
    read = pathlib.Path.read_bytes

    def refuse(path):
        if path.name == 'secret.png':
            raise PermissionError(13, 'Permission denied', str(path))
        return read(path)

    monkeypatch.setattr(pathlib.Path, 'read_bytes', refuse)
    with pytest.raises(ValueError) as error:
        image_files.images_from_files([*files, tmp_path / 'secret.png'])
    for text in (
        'folder.jpg: is a folder',
        'link.jpg: is a broken link',
        'pipe.jpg: is no file',
        'absent.jpg: there is no such file',
        'secret.png: Permission denied',
        '5 of 6 files',
    ):
        assert text in str(error.value)
    with pytest.warns(UserWarning):
        decoded = image_files.decode_all(files[::-1], '', skip_unreadable=True)
    assert decoded.rows.tolist() == [4]


def test_images_of_several_sizes_need_a_size(tmp_path):
    pictures.save(tmp_path, 'a/1.png', 'a/2.png')
    pictures.save(tmp_path, 'a/big.png', size=9)
    with pytest.raises(ValueError, match=r'several sizes \(6 x 6, 9 x 9\)'):
        folders.from_folder(tmp_path)
    assert folders.from_folder(tmp_path, size=4).image.shape == (3, 4, 4, 3)


def test_duplicates_are_pairs_of_files_with_the_same_bytes(tmp_path):
    pictures.save(tmp_path, 'a/1.png', 'a/2.png', 'b/3.png')
    copies = {'a/copy.png': 'a/1.png', 'b/4.png': 'a/1.png', 'b/5.png': 'a/2.png'}
    for name, original in copies.items():
        (tmp_path / name).write_bytes((tmp_path / original).read_bytes())
    a, b = (folders.unlabelled(tmp_path / name).files for name in 'ab')

    def pairs(*files):
        found = image_files.duplicates(*files)
        return [(one.name, other.name) for one, other in found]

    assert pairs(a) == [('1.png', 'copy.png')] and pairs(b) == []
    assert pairs(a, b) == [
        ('1.png', '4.png'),
        ('2.png', '5.png'),
        ('copy.png', '4.png'),
    ]
    assert pairs(a, [tmp_path / 'absent.png']) == []


def test_a_large_jpeg_is_read_at_a_fraction_of_its_size(tmp_path):
    Image.new('L', (12_000, 12_000), 90).save(tmp_path / 'x.jpg', quality=50)
    limit = Image.MAX_IMAGE_PIXELS
    result = image_files.images_from_files([tmp_path / 'x.jpg'], size=8, zoom=1.2)
    np.testing.assert_array_equal(result.image, np.full((1, 8, 8, 3), 90))
    assert Image.MAX_IMAGE_PIXELS == limit


def test_a_jpeg_has_the_limit_of_the_size_it_is_read_at(tmp_path, monkeypatch):
    ramp = np.add.outer(np.arange(256.0), np.arange(256.0)) / 2
    picture = Image.fromarray(ramp.astype(np.uint8)).resize((4200, 4200))
    picture.save(tmp_path / 'x.jpg')
    picture.save(tmp_path / 'progressive.jpg', progressive=True)
    whole = picture.convert('RGB').resize((64, 64), Image.Resampling.BILINEAR)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1_000_000)
    for zoom in (None, 1.0):
        result = image_files.images_from_files([tmp_path / 'x.jpg'], size=64, zoom=zoom)
        np.testing.assert_allclose(result.image[0], np.asarray(whole), atol=2)
    for name, size in (('x.jpg', None), ('progressive.jpg', 64)):
        with pytest.raises(ValueError, match='4200 x 4200 pixels are more than'):
            image_files.images_from_files([tmp_path / name], size=size)
    image_files.images_from_files(
        [tmp_path / 'progressive.jpg'], size=64, large_images=True
    )


def test_other_images_above_the_limit_are_named_with_the_remedy(tmp_path):
    pictures.save(tmp_path, 'a/1.png')
    (tmp_path / 'a' / 'scan.png').write_bytes(pictures.png_of(20_000, 20_000))
    with pytest.raises(ValueError, match='scan.png: 20000 x 20000') as error:
        folders.from_folder(tmp_path, size=6)
    assert 'large_images=True (--large-images' in str(error.value)
    assert 'repair' not in str(error.value)
    with pytest.warns(UserWarning, match='scan.png'):
        assert len(folders.from_folder(tmp_path, size=6, skip_unreadable=True)) == 1


@pytest.mark.parametrize('ending', ['png', 'gif', 'tif', 'webp'])
def test_large_images_are_read_on_demand(tmp_path, monkeypatch, ending):
    files = [tmp_path / f'x.{ending}']
    Image.new('RGB', (9, 5)).save(files[0])
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 20)
    with pytest.raises(ValueError, match='4[05] pixels|more than the 40.*large_images'):
        image_files.images_from_files(files, size=4)
    # TIFF and WebP have the limit within the format; it is on again afterwards.
    image_files.images_from_files(files, size=4, large_images=True)
    assert Image.MAX_IMAGE_PIXELS == 20
