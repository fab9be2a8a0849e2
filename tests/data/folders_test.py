"""Images in a user's folders: layouts, strays, splits, CSV."""

import hashlib
import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.data import pictures
from transfer_jax import data
from transfer_jax.data import folders, image_files, images, lazy, listings, streams

pytestmark = pytest.mark.usefixtures('no_warnings')  # but those that a test names


def _write(root, image, labels):
    for number, (picture, label) in enumerate(zip(image, labels, strict=True)):
        folder = root / f'class_{label}'
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f'{number}.png')


def _names(root, listing):
    return [file.relative_to(root).as_posix() for file in listing.files]


def test_a_folder_is_ordered_by_the_digest_of_its_files(tmp_path):
    image, labels = (
        pictures.images(40),
        np.arange(40) % 3,
    )  # more than one task of a thread
    _write(tmp_path, image, labels)
    counts = []
    arrays = folders.from_folder(tmp_path, progress=counts.append)
    assert arrays.classes == ('class_0', 'class_1', 'class_2')
    paths = list(tmp_path.glob('*/*.png'))
    paths.sort(key=lambda p: hashlib.sha256(p.read_bytes()).digest())
    order = [int(path.stem) for path in paths]
    assert order != sorted(order)
    np.testing.assert_array_equal(arrays.image, image[order])
    np.testing.assert_array_equal(arrays.label, labels[order])
    assert counts == [16, 32, 40]


def test_files_moved_between_classes_leave_the_unlabelled_stream(tmp_path):
    image, labels = pictures.images(), np.arange(12) % 3
    permuted = np.random.default_rng(1).permutation(labels)
    _write(tmp_path / 'a', image, labels)
    _write(tmp_path / 'b', image, permuted)
    first, second = (folders.from_folder(tmp_path / name) for name in 'ab')
    assert (first.label != second.label).any()
    one, two = (
        streams.unlabelled(arrays, batch_size=5, seed=3) for arrays in (first, second)
    )
    for step in range(6):
        np.testing.assert_array_equal(one[step]['image'], two[step]['image'])


def test_every_format_in_any_capitals_and_at_any_depth(tmp_path):
    endings = 'jpg JPG jpeg jfif png PNG tif tiff TIFF webp gif bmp ppm pgm jp2 tga'
    names = [f'cat/{i}/deep/x.{end}' for i, end in enumerate(endings.split())]
    pictures.save(tmp_path, *names)
    pictures.save(tmp_path, 'dog/a.png')
    arrays = folders.from_folder(tmp_path, size=4)
    assert np.bincount(arrays.label).tolist() == [len(names), 1]
    assert not images.suffixes() & {'.eps', '.ps', '.wmf', '.h5', '.pdf', '.mpg'}


def test_strays_of_the_system_are_left_out_silently(tmp_path):
    pictures.save(
        tmp_path, 'κατ/ã.png', '犬/写真 1.png', '__MACOSX/dog/y.png', '.git/x.png'
    )
    pictures.save(
        tmp_path, '犬/.ipynb_checkpoints/x.png', '犬/@eaDir/x.png', '犬/.hidden/a.png'
    )
    for name in ('.DS_Store', '犬/._x.jpg', '犬/Thumbs.db', 'desktop.ini'):
        (tmp_path / name).write_text('')
    arrays = folders.from_folder(tmp_path)
    assert arrays.classes == ('κατ', '犬') and len(arrays) == 2
    listing = folders.unlabelled(tmp_path)
    assert _names(tmp_path, listing) == ['κατ/ã.png', '犬/写真 1.png']
    assert listing.left_out == {
        'hidden': 6,
        'in __MACOSX': 1,
        'in .ipynb_checkpoints': 1,
        'in @eaDir': 1,
    }


def test_what_may_be_an_image_is_named_in_one_line(tmp_path):
    pictures.save(tmp_path, 'cat/a.png', 'dog/b.png', 'loose.png')
    for name in ('cat/a.txt', 'cat/b.TXT', 'dog/c.heic', 'dog/none', 'dog/.x'):
        (tmp_path / name).write_text('')
    (tmp_path / 'dog' / 'gone.png').symlink_to(tmp_path / 'nowhere.png')
    (tmp_path / 'dog' / 'self.png').symlink_to('self.png')
    (tmp_path / 'bird (red)').mkdir()
    line = (
        f'left out of {tmp_path}: 4 no images (2 .txt, 1 .heic, 1 no ending), '
        '2 broken links, 1 hidden, 1 image in no class, 1 empty class (bird (red))'
    )
    with pytest.warns(UserWarning) as caught:
        arrays = folders.from_folder(tmp_path)
    assert arrays.classes == ('cat', 'dog') and len(arrays) == 2
    counts = folders.files_by_class(tmp_path).left_out
    assert sorted(listings.line(tmp_path, counts)) == sorted(line)
    assert [str(w.message) for w in caught] == [listings.line(tmp_path, counts)]
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match='1 empty class'):
        lazy.from_folder(tmp_path)


def test_links_are_followed_but_not_for_ever(tmp_path):
    pictures.save(tmp_path, 'real/x.png', 'set/cat/a.png')
    (tmp_path / 'set' / 'dog').symlink_to(tmp_path / 'real')
    (tmp_path / 'set' / 'cat' / 'b.png').symlink_to(tmp_path / 'real' / 'x.png')
    (tmp_path / 'set' / 'cat' / 'up').symlink_to(tmp_path / 'set')
    listing = folders.files_by_class(tmp_path / 'set')
    found = [(f.relative_to(tmp_path).as_posix(), label) for f, label in listing.items]
    assert found == [('set/cat/a.png', 0), ('set/cat/b.png', 0), ('set/dog/x.png', 1)]
    assert listing.left_out == {'link to a folder above': 1}


def test_a_folder_without_images_says_what_is_in_it(tmp_path):
    with pytest.raises(ValueError, match='no such folder'):
        folders.from_folder(tmp_path / 'absent')
    pictures.save(tmp_path, 'flat/a.png')
    with pytest.raises(ValueError, match='a.png: is no folder'):
        folders.unlabelled(tmp_path / 'flat' / 'a.png')
    with pytest.raises(
        ValueError, match='lie in no folder of a class; expected <class>/'
    ):
        folders.from_folder(tmp_path / 'flat')
    (tmp_path / 'empty' / 'cat').mkdir(parents=True)
    (tmp_path / 'empty' / 'cat' / 'notes.txt').write_text('none yet')
    for read in (folders.from_folder, folders.unlabelled):
        with pytest.raises(ValueError, match=r'empty: holds no images.*1 no image \('):
            read(tmp_path / 'empty')


def test_classes_may_be_given(tmp_path):
    _write(tmp_path, pictures.images(2), [0, 1])
    arrays = folders.from_folder(tmp_path, classes=('class_1', 'x', 'class_0'))
    assert sorted(arrays.label) == [0, 2]
    with pytest.raises(ValueError, match=r"has the classes \['class_0'\]"):
        folders.from_folder(tmp_path, classes=('class_1',))


@pytest.mark.parametrize(
    'layout, train, test',
    [
        ('Train/a Train/b TEST/a', 2, 1),
        ('training/a testing/a', 1, 1),
        ('train/a train/b val/a', 2, 1),
        ('train/a valid/b test/a test/b', 2, 2),
        ('train/a dev/a/deep test/b', None, None),
        ('train/a train/b', 2, None),
        ('validation/a validation/b validation/c', 3, None),
        ('val/a test/a', 2, None),
    ],
)
def test_splits_are_no_classes(tmp_path, layout, train, test):
    pictures.save(tmp_path, *(f'{name}/x.png' for name in layout.split()))
    if train is None:
        with pytest.raises(ValueError, match=r"test: has the classes \['b'\]"):
            folders.parts(tmp_path)
        return
    parts = folders.parts(tmp_path)
    assert len(parts.train.items) == train
    assert (parts.test and len(parts.test.items)) == test
    assert {'a', 'b', 'c'} >= set(parts.train.classes)
    files = folders.files_by_class(tmp_path).items
    assert len(files) == train + (test or 0) == len(folders.from_folder(tmp_path))


def test_a_split_without_classes_is_left_out(tmp_path):
    """As in many competitions: the test images have no labels."""
    pictures.save(tmp_path, 'train/a/x.png', 'train/b/x.png', 'test/1.png')
    parts = folders.parts(tmp_path)
    assert parts.test is None and len(parts.train.items) == 2
    assert parts.train.left_out == {'split without classes test': 1}
    assert len(folders.unlabelled(tmp_path / 'test').files) == 1


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    pictures.save(tmp_path, 'one/train/x.png')
    assert folders.parts(tmp_path / 'one').train.classes == ('train',)
    pictures.save(tmp_path, 'toys/train/old/x.png', 'toys/ball/x.png')
    with pytest.warns(UserWarning, match='toys: train, beside ball, are taken for cl'):
        assert folders.parts(tmp_path / 'toys').train.classes == ('ball', 'train')
    pictures.save(tmp_path, 'flat/train/x.png', 'flat/test/x.png')
    with pytest.warns(UserWarning, match='test, train, without folders in them'):
        assert folders.parts(tmp_path / 'flat').train.classes == ('test', 'train')
    pictures.save(tmp_path, 'both/val/a/x.png', 'both/valid/a/x.png')
    with pytest.raises(ValueError, match='val and valid are names of one split'):
        folders.parts(tmp_path / 'both')


def test_a_lone_split_is_cut_as_a_folder_of_classes(tmp_path):
    _write(tmp_path / 'a' / 'train', pictures.images(20), np.arange(20) % 2)
    _write(tmp_path / 'b', pictures.images(20), np.arange(20) % 2)
    one, two = (data.load(f'folder:{tmp_path}/{name}', size=6) for name in 'ab')
    assert (one.name, len(one.train), len(one.test)) == ('a', 16, 4)
    np.testing.assert_array_equal(one.train.image, two.train.image)
    np.testing.assert_array_equal(one.test.label, two.test.label)


def test_few_images_and_many_classes(tmp_path):
    pictures.save(tmp_path, *(f'many/{i:03d}/x.png' for i in range(300)))
    assert len(folders.from_folder(tmp_path / 'many').classes) == 300
    pictures.save(tmp_path, 'few/a/1.png', *(f'few/b/{i}.png' for i in range(3)))
    domain = data.load(f'folder:{tmp_path}/few', size=6)
    assert (len(domain.train), len(domain.test)) == (3, 1)
    pictures.save(tmp_path, 'one/a/1.png')
    with pytest.raises(ValueError, match='one: 1 images cannot be cut'):
        data.load(f'folder:{tmp_path}/one', size=6)
    assert len(image_files.images_from_files([tmp_path / 'one' / 'a' / '1.png'])) == 1


def test_unlabelled_images_keep_the_order_of_their_files(tmp_path):
    names = ['b/2.png', 'a.png', 'b/1.png', 'b/c/0.png']
    pictures.save(tmp_path, *names)
    files = folders.unlabelled(tmp_path).files
    assert _names(tmp_path, folders.unlabelled(tmp_path)) == sorted(names)
    result = image_files.images_from_files(files[::-1])
    for file, image in zip(files[::-1], result.image, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(file)))
    assert not hasattr(result, 'label')


def test_a_csv_names_files_and_labels(tmp_path):
    pictures.save(tmp_path, 'x/1.png', 'x/2.png', '3.png')
    text = '\ufefffile, label,note\nx/2.png,dog,\n"x/1.png", cat ,a\n3.png,dog,b\n'
    (tmp_path / 'list.csv').write_text(text, 'utf-8')
    listing = folders.from_csv(tmp_path / 'list.csv')
    assert listing.classes == ('cat', 'dog')
    found = [(f.relative_to(tmp_path).as_posix(), i) for f, i in listing.items]
    assert found == [('x/2.png', 1), ('x/1.png', 0), ('3.png', 1)]
    arrays = image_files.from_files(listing.items, listing.classes, tmp_path)
    assert sorted(arrays.label) == [0, 1, 1]


@pytest.mark.parametrize(
    'text, words',
    [
        ('', "must name the columns file,label; it is ''"),
        ('file;label\na.png;cat\n', "it is 'file;label'"),
        ('file,label\n', 'lists no images'),
        ('file,label\na.png\n', 'line 2: has no label'),
        ('file,label\na.png,cat\n,dog\n', 'line 3: has no file'),
        ('file,label\na.png,cat\na.png,dog\n', 'line 3: a.png has another label'),
    ],
)
def test_a_csv_that_is_wrong_is_refused_in_one_line(tmp_path, text, words):
    (tmp_path / 'list.csv').write_text(text)
    with pytest.raises(ValueError, match='list.csv') as error:
        folders.from_csv(tmp_path / 'list.csv')
    assert words in str(error.value) and '\n' not in str(error.value)


def test_a_csv_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(ValueError, match='absent.csv: cannot be read as CSV'):
        folders.from_csv(tmp_path / 'absent.csv')
    pictures.save(tmp_path, 'a.png')
    with pytest.raises(ValueError, match='a.png: cannot be read as CSV'):
        folders.from_csv(tmp_path / 'a.png')


@pytest.mark.real_data
@pytest.mark.parametrize(
    'name, classes', [('pacs', 7), ('office_caltech10', 10), ('coil100', 0)]
)
def test_published_folders_are_read(data_dir, name, classes):
    path = data_dir(name)
    first = data.domains.files.locate(name, data.domains.data_dirs(path))[0]
    if not classes:
        listing = folders.unlabelled(first.parent)
        assert len(listing.files) > 100
        decoded = image_files.images_from_files(listing.files[:64], size=16)
        assert decoded.image.shape == (64, 16, 16, 3)
        return
    domain = first.parents[1]
    listing = folders.files_by_class(domain)
    assert len(listing.classes) == classes
    assert len(folders.unlabelled(domain).files) == len(listing.items)
    small = [item for i, item in enumerate(listing.items) if i % 20 == 0]
    arrays = image_files.from_files(small, listing.classes, domain, size=16)
    assert len(arrays) == len(small)


@pytest.mark.real_data
def test_grey_portraits_are_read(data_dir):
    folder = pathlib.Path(data_dir().split(os.pathsep)[0]) / 'orl_faces'
    if not folder.is_dir():
        pytest.skip('orl_faces is not on the search path')
    listing = folders.unlabelled(folder)
    decoded = image_files.images_from_files(listing.files[:20], size=32)
    np.testing.assert_array_equal(decoded.image[..., 0], decoded.image[..., 2])
