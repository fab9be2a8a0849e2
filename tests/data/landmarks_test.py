"""Readers of retrieval sets on miniatures: counts, boxes, lists, and each error."""

import numpy as np
import pytest
from PIL import Image

from tests.miniatures import retrieval as miniatures
from transfer_jax.data import files, landmarks, shapes


@pytest.fixture
def oxford(tmp_path):
    miniatures.oxford5k(tmp_path)
    return tmp_path


def _names(gallery, rows):
    return [gallery.images[row].stem for row in rows]


def test_oxford5k_has_boxes_positives_and_junk(oxford):
    gallery = landmarks.load('oxford5k', oxford)
    assert len(gallery.images) == 12 and len(gallery.queries) == 2
    assert gallery.trapezoidal and not gallery.leave_out_query
    query = gallery.queries[0]
    assert query.name == 'all_souls_1' and query.box == (4.5, 2.1, 40.0, 33.7)
    assert _names(gallery, [query.index]) == ['all_souls_000013']
    assert _names(gallery, query.positives) == [
        f'all_souls_{number}' for number in ('000013', '000026', '000051')
    ]
    assert _names(gallery, query.junk) == ['all_souls_000090']
    assert gallery.queries[1].junk.size == 0


def test_paris6k_leaves_out_what_its_publisher_lists_as_damaged(tmp_path):
    assert len(landmarks.CORRUPT) == 20
    assert {'paris_louvre_000136', 'paris_museedorsay_001059'} < landmarks.CORRUPT
    miniatures.paris6k(tmp_path)
    gallery = landmarks.load('paris6k', tmp_path)
    assert len(gallery.images) == 11
    query = gallery.queries[1]
    assert _names(gallery, query.positives) == [
        f'paris_louvre_{number:06}' for number in (137, 138, 139)
    ]
    assert _names(gallery, [query.index]) == ['paris_louvre_000137']


def test_the_first_image_of_a_group_of_holidays_is_its_query(tmp_path):
    miniatures.holidays(tmp_path)
    gallery = landmarks.load('holidays', tmp_path)
    assert len(gallery.images) == 12 and gallery.leave_out_query
    found = {q.name: _names(gallery, q.positives) for q in gallery.queries}
    assert found == {
        '100000': ['100001', '100002'],
        '100100': ['100101'],
        '100300': ['100301', '100302'],
        '149900': ['149901', '149902', '149903'],
    }
    (tmp_path / 'holidays/jpg/100100.jpg').unlink()
    with pytest.raises(ValueError, match='100101.jpg: its query 100100.jpg is not'):
        landmarks.load('holidays', tmp_path)
    (tmp_path / 'holidays/jpg/100101.jpg').rename(tmp_path / 'holidays/jpg/100200.jpg')
    with pytest.raises(ValueError, match='100200.jpg: a query without an answer'):
        landmarks.load('holidays', tmp_path)
    (tmp_path / 'holidays/jpg/100200.jpg').rename(tmp_path / 'holidays/jpg/a.jpg')
    with pytest.raises(ValueError, match='a.jpg: not named NUMBER.jpg'):
        landmarks.load('holidays', tmp_path)


def test_four_images_of_ukbench_answer_each_of_them(tmp_path):
    miniatures.ukbench(tmp_path)
    gallery = landmarks.load('ukbench', tmp_path)
    assert len(gallery.queries) == 12 and not gallery.leave_out_query
    assert gallery.queries[6].positives.tolist() == [4, 5, 6, 7]
    (tmp_path / 'ukbench/full/ukbench00005.jpg').unlink()
    with pytest.raises(ValueError, match='ukbench00005.jpg is missing'):
        landmarks.load('ukbench', tmp_path)


@pytest.mark.parametrize(
    'file, text, culprit',
    [
        ('all_souls_1_good.txt', None, 'no all_souls_1_good.txt beside it'),
        ('all_souls_1_query.txt', None, '_junk.txt: there is no all_souls_1_query.txt'),
        (
            'all_souls_1_ok.txt',
            'all_souls_000099',
            'ok.txt: all_souls_000099.jpg is not',
        ),
        (
            'all_souls_1_query.txt',
            'oxc1_all_souls_000013',
            "000013' is not IMAGE x0 y0",
        ),
        ('all_souls_1_query.txt', '', "'' is not IMAGE x0 y0"),
        (
            'all_souls_1_query.txt',
            'oxc1_all_souls_000013 9 0 9 8',
            'box 9 0 9 8 is empty',
        ),
        ('all_souls_1_query.txt', 'oxc1_a 0 0 9 8', 'image a.jpg is not in the folder'),
        ('radcliffe_camera_1_good.txt', '', 'empty, so no image is correct'),
    ],
)
def test_ground_truth_that_does_not_fit_is_named(oxford, file, text, culprit):
    path = oxford / 'oxford5k' / 'groundtruth' / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ValueError, match=culprit):
        landmarks.load('oxford5k', oxford)


def test_two_images_of_one_name_are_refused(tmp_path):
    miniatures.paris6k(tmp_path)
    folder = tmp_path / 'paris6k/images'
    image = folder / 'defense/paris_defense_000605.jpg'
    (folder / 'louvre/paris_defense_000605.jpg').write_bytes(image.read_bytes())
    with pytest.raises(ValueError, match='defense_000605.jpg has the same name'):
        landmarks.load('paris6k', tmp_path)


def test_groups_of_a_folder_answer_each_other(tmp_path):
    miniatures.groups(tmp_path / 'mine')
    gallery = landmarks.load(f'folder:{tmp_path / "mine"}')
    assert gallery.name == 'mine' and len(gallery.images) == 10
    assert len(gallery.queries) == 9  # not the shoe: it is alone
    assert gallery.queries[5].positives.tolist() == [6, 7, 8]
    assert gallery.leave_out_query and not gallery.trapezoidal
    rows = [f'{path},{path.parent.name}' for path in gallery.images]
    (tmp_path / 'list.csv').write_text('\n'.join(['file,label', *rows]))
    listed = landmarks.load(f'csv:{tmp_path / "list.csv"}')
    assert listed.images == gallery.images
    assert [q.positives.tolist() for q in listed.queries] == [
        q.positives.tolist() for q in gallery.queries
    ]
    with pytest.raises(ValueError, match='no group has two images'):
        landmarks.from_groups('mine', gallery.images[:2], (0, 1))


def test_a_missing_or_unknown_set_says_what_to_do(tmp_path):
    with pytest.raises(files.MissingData, match='oxbuild_images.tgz'):
        landmarks.load('oxford5k', tmp_path)
    with pytest.raises(
        ValueError, match="no retrieval set 'oxford'; choose from oxford5k"
    ):
        landmarks.load('oxford', tmp_path)


@pytest.mark.parametrize(
    'whole, box, shape',
    [
        ((768, 1024), None, (768, 1024)),
        ((1000, 2000), None, (512, 1024)),
        ((2000, 1330), None, (1024, 672)),  # 681 before it is rounded
        ((500, 333), None, (512, 320)),  # not enlarged
        ((1000, 2000), (0, 0, 1000, 500), (256, 512)),  # scaled as the whole
        ((768, 1024), (0, 0, 9, 768), (768, 64)),
    ],
)
def test_the_longest_side_has_the_size_and_others_are_rounded(whole, box, shape):
    assert shapes.shape_of(whole, 1024, box, square=False) == shape
    assert shapes.shape_of(whole, 1024, box, square=True) == (1024, 1024)


def test_pictures_are_decoded_by_shape_in_order(oxford):
    paths = landmarks.load('oxford5k', oxford).images
    pictures = [shapes.Picture(path) for path in paths]
    groups = shapes.by_shape(pictures, 48, square=False)
    assert {shape: rows.tolist() for shape, rows in groups.items()} == {
        (48, 48): list(range(12))  # 36 is rounded up to the least side
    }
    batches = shapes.batches(pictures[:5], (48, 48), 3)
    assert [batch['mask'].tolist() for batch in batches] == [[1, 1, 1], [1, 1, 0]]
    image = np.concatenate([batch['image'] for batch in batches])
    with Image.open(paths[1]) as file:
        expected = file.resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(image[1], expected)
    np.testing.assert_array_equal(image[4], image[5])


def test_a_box_cuts_its_image(oxford):
    path = landmarks.load('oxford5k', oxford).images[2]  # 48 x 48
    with Image.open(path) as file:
        whole = np.asarray(file)
    cut = shapes.decode(shapes.Picture(path, (8, 4, 40, 20)), (16, 32))
    np.testing.assert_array_equal(cut, whole[4:20, 8:40])
    beyond = shapes.decode(shapes.Picture(path, (-2, -9, 48.5, 99)), (48, 48))
    np.testing.assert_array_equal(beyond, whole)


def test_all_damaged_files_and_boxes_outside_are_named(oxford):
    paths = landmarks.load('oxford5k', oxford).images
    paths[0].write_bytes(b'no image')
    pictures = [shapes.Picture(paths[0]), shapes.Picture(paths[1], (50, 0, 60, 9))]
    with pytest.raises(ValueError) as error:
        shapes.by_shape(pictures, 48, square=True)
    assert 'all_souls_000013.jpg: not a readable image' in str(error.value)
    assert 'all_souls_000026.jpg: the box (50, 0, 60, 9) is outside' in str(error.value)
