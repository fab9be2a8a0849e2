"""Sets with the class of each pixel, on miniatures: ids by hand, and every error."""

import numpy as np
import pytest
from PIL import Image

from tests.miniatures import segmentation as miniature
from transfer_jax import data, metrics
from transfer_jax.data import label_ids, pixel_transforms, pngs, segmentation

VOID = segmentation.VOID


def counts(label):
    """{value: pixels}."""
    values, numbers = np.unique(label, return_counts=True)
    return dict(zip(values.tolist(), numbers.tolist(), strict=True))


@pytest.fixture
def root(tmp_path):
    miniature.cityscapes(tmp_path)
    return tmp_path


def a_mask(root):
    return (
        root / 'cityscapes/gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png'
    )


@pytest.mark.parametrize(
    'name, split, count',
    [
        *[('voc2012', 'train', 6), ('voc2012', 'val', 4), ('voc2012', 'trainval', 10)],
        *[('voc2012', 'trainaug', 10), ('cityscapes', 'train', 8)],
        *[('cityscapes', 'val', 4), ('gta5', 'train', 8), ('synthia', 'train', 8)],
    ],
)
def test_a_split_has_its_images_and_masks(tmp_path, name, split, count):
    if name == 'voc2012':
        miniature.voc2012_segmentation(tmp_path)
    else:
        getattr(miniature, name)(tmp_path)
    source = segmentation.load(name, split, tmp_path)
    assert len(source) == len(set(source.images)) == len(set(source.masks)) == count
    for item in (source[i] for i in range(count)):
        assert item['image'].shape == (*item['label'].shape, 3)
        assert item['image'].dtype == item['label'].dtype == np.uint8
        assert len(counts(item['label'])) >= 3


def test_the_classes_of_voc_and_its_border(tmp_path):
    miniature.voc2012_segmentation(tmp_path)
    source = segmentation.load('voc2012', 'train', tmp_path)
    assert (
        source.classes[:2] == ('background', 'aeroplane') and len(source.classes) == 21
    )
    # 64 x 48: class 1 on 28 x 26 pixels, within a border of 32 x 30.
    assert counts(source[0]['label']) == {0: 64 * 48 - 960, 1: 728, 255: 960 - 728}
    with Image.open(source.masks[0]) as mask:
        assert mask.mode == 'P'  # whose colours are others
    augmented = segmentation.load('voc2012', 'trainaug', tmp_path)
    assert {path.parent.name for path in augmented.masks} == {'SegmentationClassAug'}
    assert [p.stem for p in augmented.images][-1] == '2008_000008'


def test_a_list_may_give_the_paths_of_image_and_mask(tmp_path):
    miniature.voc2012_segmentation(tmp_path)
    path = tmp_path / 'VOCdevkit/VOC2012/ImageSets/Segmentation/trainaug.txt'
    before = segmentation.load('voc2012', 'trainaug', tmp_path).masks
    lines = [
        f'/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png'
        for name in path.read_text().split()
    ]
    path.write_text('\n'.join(lines))
    assert segmentation.load('voc2012', 'trainaug', tmp_path).masks == before


@pytest.mark.parametrize(
    'classes, bands',
    [  # sky, building, car, road, unlabelled: rows of 48 at 5 / 54 a row
        (19, (10, 2, 13, 0, VOID)),
        (16, (9, 2, 12, 0, VOID)),
        (13, (6, 2, 9, 0, VOID)),
    ],
)
def test_ids_of_cityscapes_become_classes(root, classes, bands):
    source = segmentation.load('cityscapes', 'train', root, classes=classes)
    label = source[0]['label']
    np.testing.assert_array_equal(label[[0, 12, 24, 36, 47], 0], bands)
    names = {'sky': bands[0], 'building': bands[1], 'car': bands[2], 'road': bands[3]}
    assert all(source.classes[k] == name for name, k in names.items())
    assert source.images[0].name == 'aachen_000000_000019_leftImg8bit.png'


def test_all_ids_of_cityscapes():
    """The 19 train ids, as published; the ids between them are not evaluated."""
    ids = label_ids.CITYSCAPES_BY_NUMBER[19].ids
    assert [i for i in range(34) if ids[i] != VOID] == [
        *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    ]
    assert [ids[i] for i in sorted(ids) if ids[i] != VOID] == list(range(19))
    assert set(label_ids.GTA5[19].ids) - set(ids) == {34}


def test_synthia_and_cityscapes_have_the_same_classes(tmp_path):
    miniature.synthia(tmp_path)
    miniature.cityscapes(tmp_path)
    for number in (16, 13):
        synthia = segmentation.load('synthia', 'train', tmp_path, classes=number)
        cityscapes = segmentation.load('cityscapes', 'val', tmp_path, classes=number)
        assert synthia.classes == cityscapes.classes and len(synthia.classes) == number
        top_to_bottom = synthia[0]['label'][[0, 12, 24, 36, 47], 0]
        np.testing.assert_array_equal(
            top_to_bottom, cityscapes[0]['label'][[0, 12, 24, 36, 47], 0]
        )
    usual = segmentation.load('synthia', 'train', tmp_path)
    assert len(usual.classes) == 16
    # The ids of SYNTHIA for the 16 classes, in their order.
    order = (3, 4, 2, 21, 5, 7, 15, 9, 6, 1, 10, 17, 8, 19, 12, 11)
    assert [usual.ids[i] for i in order] == list(range(16))


@pytest.mark.parametrize('colour, channels', [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_are_read_whole_or_by_their_low_byte(tmp_path, colour, channels):
    array = np.random.default_rng(0).integers(256, size=(11, 7, channels))
    array[..., 1:] *= 250  # the numbers of objects
    path = tmp_path / 'a.png'
    path.write_bytes(miniature.png16(array, colour))
    np.testing.assert_array_equal(pngs.read_ids(path), array[..., 0])


# Errors


@pytest.mark.parametrize(
    'name, split, classes, message',
    [
        ('kitti', 'train', None, 'kitti: no such set; choose from voc2012, cityscapes'),
        (
            'cityscapes',
            'test',
            None,
            "no split 'test'; its labels are not publ.*train, v",
        ),
        ('synthia', 'val', None, "synthia: no split 'val'; choose from train$"),
        ('cityscapes', 'val', 11, 'not with 11 classes; choose from 19, 16, 13'),
        ('synthia', 'train', 19, 'synthia: not with 19 classes; choose from 16, 13'),
        ('voc2012', 'val', 20, 'voc2012: not with 20 classes; choose from 21'),
    ],
)
def test_choices_are_named(root, name, split, classes, message):
    with pytest.raises(ValueError, match=message):
        segmentation.load(name, split, root, classes=classes)


def test_an_id_that_is_unknown_is_named_with_its_file(root):
    label = np.array(Image.open(a_mask(root)))
    label[3, 4:6] = 77, 99
    Image.fromarray(label).save(a_mask(root))
    source = segmentation.load('cityscapes', 'train', root)  # files are read later
    message = r'000001_000019_gtFine_labelIds\.png: the ids 77, 99 are unknown; known '
    with pytest.raises(ValueError, match=message + 'are 0, 1, 2, .*, 33$'):
        source[1]
    assert source[0]


@pytest.mark.parametrize('kind', ['image', 'mask'])
def test_a_file_that_is_missing_is_named(tmp_path, kind):
    miniature.voc2012_segmentation(tmp_path)
    folder = tmp_path / 'VOCdevkit/VOC2012'
    path = {
        'image': folder / 'JPEGImages/2007_000033.jpg',
        'mask': folder / 'SegmentationClass/2007_000033.png',
    }[kind]
    path.unlink()
    with pytest.raises(ValueError, match=f'voc2012: 1 of 4 .* {kind}: .*{path.name}$'):
        segmentation.load('voc2012', 'val', tmp_path)
    assert segmentation.load('voc2012', 'train', tmp_path)


def test_a_list_that_is_missing_is_named(tmp_path):
    miniature.voc2012_segmentation(tmp_path)
    path = tmp_path / 'VOCdevkit/VOC2012/ImageSets/Segmentation/trainaug.txt'
    path.write_text('')
    with pytest.raises(ValueError, match='its split trainaug has no images'):
        segmentation.load('voc2012', 'trainaug', tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=r'Segmentation/trainaug\.txt: is missing'):
        segmentation.load('voc2012', 'trainaug', tmp_path)


def test_pairs_of_two_sizes_are_named_or_left_out(tmp_path):
    miniature.gta5(tmp_path)
    for number in (3, 5):
        path = tmp_path / f'gta5/labels/{number:05d}.png'
        Image.open(path).resize((70, 48)).save(path)
    message = (
        r'gta5: 2 images whose mask has another size: \S*/00003\.png, \S*/00005\.png; '
        'lenient=True leaves them out'
    )
    with pytest.raises(ValueError, match=message):
        segmentation.load('gta5', 'train', tmp_path)
    with pytest.warns(UserWarning, match='left out of gta5: 2 images whose') as seen:
        source = segmentation.load('gta5', 'train', tmp_path, lenient=True)
    assert seen[0].filename == __file__
    assert [path.stem[-1] for path in source.images] == list('124678')


def test_a_mask_of_another_size_or_kind_is_named_when_it_is_read(root):
    source = segmentation.load('cityscapes', 'train', root)
    path = a_mask(root)
    whole = path.read_bytes()
    Image.open(path).resize((79, 48)).save(path)
    with pytest.raises(ValueError, match=r'Ids\.png: a mask \(48, 79\) .* \(48, 80\)'):
        source[1]
    Image.open(path).convert('RGB').save(path)
    with pytest.raises(ValueError, match=r'Ids\.png: a mask of mode RGB, not of cl'):
        source[1]
    path.write_bytes(whole[:60])
    with pytest.raises(ValueError, match=r'Ids\.png: not a readable image'):
        source[1]
    path.unlink()
    with pytest.raises(ValueError, match=r'Ids\.png: is missing'):
        source[1]


@pytest.mark.parametrize('name', list(segmentation.SETS))
def test_a_set_that_is_missing_says_where_to_get_it(tmp_path, name):
    split = segmentation.SETS[name].splits[0]
    with pytest.raises(
        data.MissingData, match=f'^{segmentation.SETS[name].known} is mi'
    ):
        segmentation.load(name, split, tmp_path)


# Streams


def test_a_stream_reads_and_crops_as_it_goes(root):
    source = segmentation.load('cityscapes', 'train', root)
    transform = data.transforms.chain(
        pixel_transforms.scale_and_crop(32, 40), data.transforms.flip()
    )
    one, many = (
        data.labelled(source, batch_size=3, seed=1, transform=transform, threads=n)
        for n in (1, 4)
    )
    batch = many[5]
    assert batch['image'].shape == (3, 32, 40, 3) and batch['label'].shape == (
        3,
        32,
        40,
    )
    assert batch['label'].dtype == np.int32
    for key in batch:
        np.testing.assert_array_equal(one[5][key], batch[key])


def test_an_unlabelled_stream_reads_no_mask(root):
    source = segmentation.load('cityscapes', 'train', root)
    for path in source.masks:
        path.unlink()
    stream = data.unlabelled(
        source.frames(),
        batch_size=2,
        seed=0,
        transform=pixel_transforms.scale_and_crop(32, 40),
    )
    assert set(stream[0]) == {'image'} and stream[0]['image'].shape == (2, 32, 40, 3)


def test_rows_are_taken_in_order(root):
    source = segmentation.load('cityscapes', 'train', root)
    part = source.take([5, 0])
    assert part.images == (source.images[5], source.images[0]) and len(part) == 2
    np.testing.assert_array_equal(part[1]['label'], source[0]['label'])


def test_labels_of_images_by_their_masks(tmp_path):
    miniature.voc2012_segmentation(tmp_path)
    source = segmentation.load('voc2012', 'train', tmp_path)
    labels = segmentation.multi_hot(source)
    assert labels.shape == (6, 21) and labels.dtype == np.int32
    present = [np.flatnonzero(row).tolist() for row in labels]
    assert present == [[0, 1], [0, 8], [0, 15]] * 2


def test_mean_iou_of_images_of_several_sizes(tmp_path):
    """Image by image on the host, against all pixels in one row; 13 of 16 classes."""
    miniature.synthia(tmp_path)
    source = segmentation.load('synthia', 'train', tmp_path)
    source = source.take(range(4))
    Image.open(source.images[1]).crop((0, 0, 50, 48)).save(source.images[1])
    mask = np.concatenate([pngs.read_ids(source.masks[1])[:, :50, None]] * 3, -1)
    source.masks[1].write_bytes(miniature.png16(mask, colour=2))
    matrix, truths, predictions = np.zeros((16, 16), np.int64), [], []
    for i in range(len(source)):
        truth = source[i]['label']
        predicted = np.roll(np.where(truth == VOID, 0, truth), 5, 0)
        predicted[:, 0] = 4  # a fence, of the 16 but not of the 13
        matrix += metrics.label_confusion(truth, predicted, 16)
        truths.append(truth.ravel())
        predictions.append(predicted.ravel())
    assert len({len(truth) for truth in truths}) == 2
    truth, predicted = np.concatenate(truths), np.concatenate(predictions)
    each = np.full(16, np.nan)
    for k in range(16):
        of_class, as_class = truth == k, (predicted == k) & (truth != VOID)
        if of_class.any() or as_class.any():
            each[k] = (of_class & as_class).sum() / (of_class | as_class).sum()
    scores = metrics.confusion_scores(matrix)
    np.testing.assert_allclose(scores['iou'], each, rtol=1e-12)
    assert scores['mean_iou'] == pytest.approx(np.nanmean(each)) and each[4] == 0
    rows = [label_ids.SIXTEEN.index(name) for name in label_ids.THIRTEEN]
    thirteen = metrics.confusion_scores(matrix, rows)
    assert thirteen['iou'] == pytest.approx(scores['iou'], nan_ok=True)
    # Five classes are there, one of them the fence with 0.
    assert thirteen['mean_iou'] == pytest.approx(scores['mean_iou'] * 5 / 4)
