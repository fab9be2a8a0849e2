"""VOC, VOC Action and COCO as published, on miniatures; boxes and labels by hand."""

import json

import numpy as np
import pytest

from tests.miniatures import annotated as miniature
from transfer_jax import data
from transfer_jax.data import coco, files, voc, voc_action


@pytest.fixture
def root(tmp_path):
    for write in (miniature.voc2007, miniature.voc2012, miniature.voc2012_action):
        write(tmp_path)
    return tmp_path


@pytest.fixture
def coco_root(tmp_path):
    miniature.coco2014(tmp_path)
    return tmp_path


def edit(path, change):
    """Rewrites a JSON file after `change` of its content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


INSTANCES = 'coco/annotations/instances_train2014.json'


# VOC


@pytest.mark.parametrize(
    'year, split, count',
    [
        *[(2007, 'train', 8), (2007, 'val', 4), (2007, 'trainval', 12)],
        *[(2007, 'test', 4), (2012, 'train', 8), (2012, 'val', 4)],
    ],
)
def test_a_split_of_voc_has_the_images_of_its_list(root, year, split, count):
    photos = voc.published(year, split, root)
    assert len(photos.files) == count
    assert photos.classes == voc.CLASSES and len(voc.CLASSES) == 20
    names = (root / f'VOCdevkit/VOC{year}/ImageSets/Main/{split}.txt').read_text()
    assert [path.stem for path in photos.files] == sorted(names.split())


def test_boxes_and_difficult_objects_of_voc(root):
    photos = voc.published(2007, 'train', root)
    row = [path.stem for path in photos.files].index('000007')
    np.testing.assert_array_equal(photos.boxes[row], [[10, 20, 40, 60], [0, 0, 6, 6]])
    assert photos.label[row].tolist() == [11, 11]  # dog
    assert photos.difficult[row].tolist() == [False, True]
    assert photos.load_image(row).shape == (64, 48, 3)
    labels = voc.multi_hot(photos)
    row = [path.stem for path in photos.files].index('000012')
    assert labels[row, 7] == 1 and labels[row, 14] == -1  # a cat, a difficult person
    assert labels.shape == (8, 20) and not labels[:, 0].any()


def test_splits_leave_out_the_lists_of_a_class(root):
    folder = root / 'VOCdevkit/VOC2007'
    assert (folder / 'ImageSets/Main/cat_train.txt').is_file()
    assert voc.splits(folder) == ['test', 'train', 'trainval', 'val']
    assert len(voc.read(folder).files) == 16  # all lists, those of a class too
    with pytest.raises(ValueError, match=r"split 'x': choose from test, train, trainv"):
        voc.read(folder, 'x')
    assert len(voc.read(folder, 'cat_val').files) == 4  # but they can be read


def test_a_split_of_voc_that_is_not_there(root):
    with pytest.raises(
        ValueError, match="voc2012: no split 'test'; its labels are not"
    ):
        voc.published(2012, 'test', root)
    with pytest.raises(
        ValueError, match="no split 'dev'; choose from train, val, trai"
    ):
        voc.published(2007, 'dev', root)
    with pytest.raises(ValueError, match='voc2008: choose from voc2007, voc2012'):
        voc.published(2008, 'train', root)
    (root / 'VOCdevkit/VOC2007/ImageSets/Main/test.txt').unlink()  # not unpacked
    with pytest.raises(ValueError, match=r"VOC2007: split 'test': choose from .*, val"):
        voc.published(2007, 'test', root)


def test_a_class_that_voc_does_not_have(root):
    path = root / 'VOCdevkit/VOC2007/Annotations/000005.xml'
    path.write_text(path.read_text().replace('>cat<', '>lion<'))
    with pytest.raises(
        ValueError, match=r"000005\.xml: class 'lion'; choose from aero"
    ):
        voc.published(2007, 'train', root)


# Actions


def test_persons_and_their_actions(root):
    people = voc_action.published('train', root)
    assert people.classes[-1] == 'other' and len(people.classes) == 11
    stems = [path.stem[-1] for path in people.files]
    assert stems == list('1223456')  # two persons in image 2
    assert people.objects.tolist() == [1, 1, 2, 2, 1, 1, 1]
    done = [[people.classes[k] for k in np.flatnonzero(row)] for row in people.label]
    assert done == [
        *(['phoning', 'walking'], ['running'], ['other'], ['jumping'], ['running']),
        *(['walking'], ['jumping', 'running']),
    ]
    # Object 1 of image 3 is a horse.
    np.testing.assert_array_equal(people.boxes[3], [12, 10, 44, 58])
    assert len(voc_action.published('trainval', root)) == 7 + 5


def test_a_person_is_cut_out_with_its_surroundings(root):
    whole = voc_action.published('train', root)
    assert whole[1]['image'].shape == (64, 64, 3)
    assert whole[1]['label'].tolist() == whole.label[1].tolist()
    box = voc_action.published('train', root, crop=1.0)
    assert box.window(1) == (4, 6, 30, 60)
    np.testing.assert_array_equal(box[1]['image'], whole[1]['image'][6:60, 4:30])
    # 26 x 54 pixels and a quarter on each side: 6.5 and 13.5, cut at the edges.
    assert voc_action.published('train', root, crop=1.5).window(1) == (0, 0, 37, 64)
    with pytest.raises(ValueError, match='crop 0: a factor must be positive'):
        voc_action.published('train', root, crop=0)


def test_actions_of_images(root):
    photos = voc_action.by_image(voc_action.published('train', root))
    assert len(photos.files) == 6 and photos.classes == voc_action.ACTIONS
    labels = voc.multi_hot(photos)
    assert [np.flatnonzero(row).tolist() for row in labels] == [
        *([1, 9], [6], [0], [6], [9], [0, 6])
    ]
    # One person, two actions: the box comes twice.
    np.testing.assert_array_equal(photos.boxes[0], [[10, 8, 34, 60]] * 2)
    np.testing.assert_array_equal(photos.sizes, [[64, 64]] * 6)


LISTS = 'VOCdevkit/VOC2012/ImageSets/Action'


@pytest.mark.parametrize(
    'line, message',
    [
        ('2010_000001 1', r"'2010_000001 1' is not an image, the number of a person"),
        ('2010_000001 1 yes', 'is not an image, the number'),
        ('2010_000001 7 1', r'do not list the same persons: 2010_000001 7$'),
    ],
)
def test_a_line_of_actions_that_is_wrong(root, line, message):
    with open(root / LISTS / 'reading_train.txt', 'a') as file:
        file.write(f'{line}\n')
    with pytest.raises(ValueError, match=message):
        voc_action.published('train', root)


def test_a_person_that_is_a_horse(root):
    for path in (root / LISTS).glob('*_train.txt'):
        path.write_text(path.read_text() + '2010_000003 1 -1\n')
    with pytest.raises(ValueError, match=r'000003\.xml: object 1 is no person, but'):
        voc_action.published('train', root)


@pytest.mark.parametrize(
    'lost',
    [
        *('ImageSets/Action/reading_val.txt', 'Annotations/2010_000011.xml'),
        'JPEGImages/2010_000011.jpg',
    ],
)
def test_a_file_of_actions_that_is_missing(root, lost):
    (root / 'VOCdevkit/VOC2012' / lost).unlink()
    with pytest.raises(ValueError, match=rf'{lost.split("/")[-1]}: is missing'):
        voc_action.published('val', root)


def test_a_split_of_actions_that_is_not_there(root):
    with pytest.raises(ValueError, match="voc2012_action: no split 'test'; its labels"):
        voc_action.published('test', root)
    for path in (root / LISTS).glob('*trainval.txt'):
        path.unlink()
    with pytest.raises(
        ValueError, match="'trainval': choose from train, val of Action"
    ):
        voc_action.published('trainval', root)


# COCO


@pytest.mark.parametrize('year', coco.YEARS)
def test_boxes_labels_and_crowds_of_coco(tmp_path, year):
    getattr(miniature, f'coco{year}')(tmp_path)
    photos = coco.published(year, 'train', tmp_path)
    # Categories 1, 17, 18, 90 in the order of their ids, which the file does not have.
    assert photos.classes == ('person', 'cat', 'dog', 'toothbrush')
    prefix = 'COCO_train2014_' if year == 2014 else ''
    assert photos.files[0].name == f'{prefix}000000000005.jpg'  # ordered by id
    np.testing.assert_array_equal(photos.boxes[0], [[4, 8, 34, 40], [40, 10, 60, 44]])
    assert photos.label[0].tolist() == [1, 0] and photos.label[0].dtype == np.int32
    assert photos.sizes[0].tolist() == [48, 64]
    assert photos.load_image(0).shape == (48, 64, 3)
    assert photos.difficult[1].tolist() == [False, True]  # the second is a crowd
    assert photos.label[-1].shape == (0,) and photos.boxes[-1].shape == (0, 4)
    assert len(coco.published(year, 'val', tmp_path).files) == 5


def test_a_class_of_crowds_alone_does_not_count(coco_root):
    labels = voc.multi_hot(coco.published(2014, 'train', coco_root))
    assert labels[3].tolist() == [-1, 1, 0, 0] and not labels[-1].any()
    counted = coco.published(2014, 'train', coco_root, crowd_as_object=True)
    assert voc.multi_hot(counted)[3].tolist() == [1, 1, 0, 0]


def test_boxes_of_coco_are_cut_at_the_edges(coco_root):
    def change(content):
        first = content['annotations'][0]  # of image 20, 48 x 48
        first['bbox'] = [-0.5, 10.25, 49.0, 37.75]
        content['annotations'][1]['bbox'] = [48, 3, 0, 2]  # without area

    edit(coco_root / INSTANCES, change)
    boxes = coco.published(2014, 'train', coco_root).boxes[7]
    np.testing.assert_array_equal(boxes, [[0, 10.25, 48, 48], [48, 3, 48, 5]])


@pytest.mark.parametrize(
    'change, message',
    [
        (
            lambda c: c.pop('categories'),
            "not instances of COCO, it has no 'categories'",
        ),
        (lambda c: c.pop('annotations'), "it has no 'annotations'"),
        (lambda c: c['images'][0].pop('height'), "not instances .* by its 'images'"),
        (lambda c: c['annotations'][2].pop('bbox'), "by its 'annotations'"),
        (lambda c: c['categories'][0].pop('name'), 'a category without id or name'),
        (
            lambda c: c['annotations'][2].update(category_id=2),
            '1 annotations whose category .* category 2; choose from 90 toothb',
        ),
        (
            lambda c: c['annotations'][2].update(image_id=4),
            r'1 annotations whose image .* the first is image 4$',
        ),
        (lambda c: c['annotations'][2].update(bbox=[1, 2]), r'not \[x, y, width, h'),
        (
            lambda c: c['annotations'][0].update(bbox=[50, 0, 5, 5], id=77),
            r'box \[50, 0, 5, 5\] of annotation 77 is not in its image of 48 x 48',
        ),
        (lambda c: c['annotations'][0].update(bbox=[5, 5, -2, 5]), r'\[5, 5, -2, 5\]'),
    ],
)
def test_a_file_of_coco_that_is_wrong(coco_root, change, message):
    edit(coco_root / INSTANCES, change)
    with pytest.raises(ValueError, match=rf'instances_train2014\.json: .*{message}'):
        coco.published(2014, 'train', coco_root)


@pytest.mark.parametrize('text', ['{"images": [', '[1, 2]', '\xff'])
def test_what_is_no_json_of_coco(coco_root, text):
    (coco_root / INSTANCES).write_bytes(text.encode('latin-1'))
    with pytest.raises(
        ValueError, match=r'2014\.json: not (a JSON|instances)'
    ) as error:
        coco.published(2014, 'train', coco_root)
    assert '\n' not in str(error.value)


def test_images_of_coco_that_are_missing(coco_root):
    for number in (5, 7):
        (coco_root / f'coco/train2014/COCO_train2014_{number:012d}.jpg').unlink()
    message = r'train2014: has not 2 of the 9 images of .*: .*0005\.jpg, .*0007\.jpg$'
    with pytest.raises(ValueError, match=message):
        coco.published(2014, 'train', coco_root)


def test_a_split_of_coco_that_is_not_there(coco_root):
    with pytest.raises(
        ValueError, match="coco2014: no split 'test'; its labels .* val"
    ):
        coco.published(2014, 'test', coco_root)
    with pytest.raises(ValueError, match='coco2015: choose from coco2014, coco2017'):
        coco.published(2015, 'train', coco_root)
    (coco_root / INSTANCES).unlink()
    with pytest.raises(ValueError, match=r'train2014\.json: is missing'):
        coco.published(2014, 'train', coco_root)


# All


@pytest.mark.parametrize(
    'read, name',
    [
        (lambda d: voc.published(2007, 'test', d), 'voc2007'),
        (lambda d: voc.published(2012, 'val', d), 'voc2012'),
        (lambda d: voc_action.published('val', d), 'voc2012_action'),
        (lambda d: coco.published(2014, 'val', d), 'coco2014'),
        (lambda d: coco.published(2017, 'val', d), 'coco2017'),
    ],
)
def test_a_set_that_is_missing_says_where_to_get_it(tmp_path, read, name):
    with pytest.raises(data.MissingData, match=f'^{name} is missing') as error:
        read(tmp_path)
    assert files.KNOWN[name].origin in str(error.value)
    assert files.KNOWN[name].layouts[0][-1] in str(error.value)
    assert not files.present(name, (tmp_path,))


def test_sets_are_present_where_they_are_found(root):
    for name in ('voc2007', 'voc2012', 'voc2012_action'):
        assert files.present(name, (root / 'no', root)) and files.find(name, (root,))
    assert not files.present('voc2012_segmentation', (root,))
    lines = {line.name: line.present for line in data.domains.describe_others(root)}
    assert lines['voc2007'] and not lines['coco2014'] and 'mnist' not in lines
