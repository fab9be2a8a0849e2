"""Published splits: which images train, which are read, what is measured."""

import dataclasses
import types

import numpy as np
import pytest
from PIL import Image

from experiments.localization import (
    classification,
    fruit,
    measures,
    multi_label,
    pixels,
    weak_segmentation,
)
from experiments.tasks import annotated_parts
from transfer_jax import cli, data, metrics

OBJECT = (
    '<object><name>{}</name><difficult>0</difficult><bndbox><xmin>3</xmin>'
    '<ymin>5</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object>'
)


def voc(root, lists):
    """A folder in VOC's format; {list: names of its images}, cats and dogs in turn."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main', 'SegmentationClass'):
        (root / folder).mkdir(parents=True)
    for split, names in lists.items():
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names) + '\n')
        for i, name in enumerate(names):
            pixels_of = np.full((40, 32, 3), (60, 200)[i % 2], np.uint8)
            Image.fromarray(pixels_of).save(root / f'JPEGImages/{name}.jpg')
            objects = OBJECT.format(('cat', 'dog')[i % 2])
            (root / f'Annotations/{name}.xml').write_text(
                '<annotation><size><width>32</width><height>40</height></size>'
                f'{objects}</annotation>'
            )
            mask = np.zeros((40, 32), np.uint8)
            mask[4:30, 2:20] = 1 + i % 2
            mask[4, 2:20] = 255
            Image.fromarray(mask).save(root / f'SegmentationClass/{name}.png')
    return root


def stems(part):
    return [path.stem for path in part.files]


def test_a_folder_is_tested_on_its_test_list(tmp_path):
    lists = {'train': ['a', 'b'], 'val': ['c', 'd'], 'test': ['e', 'f']}
    voc(tmp_path, lists)
    train, test = annotated_parts.parts(f'voc:{tmp_path}', None)
    assert (stems(train), stems(test)) == (['a', 'b'], ['e', 'f'])
    assert train.classes == test.classes == ('cat', 'dog')
    main = tmp_path / 'ImageSets' / 'Main'
    (main / 'trainval.txt').write_text('a\nb\nc\nd\n')
    train, test = annotated_parts.parts(f'voc:{tmp_path}', None)
    assert (stems(train), stems(test)) == (['a', 'b', 'c', 'd'], ['e', 'f'])
    (main / 'test.txt').unlink()
    train, test = annotated_parts.parts(f'voc:{tmp_path}', None)
    assert (stems(train), stems(test)) == (['a', 'b'], ['c', 'd'])


def test_an_image_of_both_lists_is_refused(tmp_path):
    voc(tmp_path, {'train': ['a', 'b'], 'test': ['c', 'd']})
    (tmp_path / 'ImageSets' / 'Main' / 'test.txt').write_text('b\nd\nc\n')
    with pytest.raises(ValueError, match=r'b.jpg: is in the training and in the test'):
        annotated_parts.parts(f'voc:{tmp_path}', None)


def test_data_without_a_split_are_refused(tmp_path):
    voc(tmp_path, {'train': ['a', 'b']})
    with pytest.raises(ValueError, match=r'needs trainval.txt and test.txt, or'):
        annotated_parts.parts(f'voc:{tmp_path}', None)
    with pytest.raises(ValueError, match=r"no data 'voc2010'; choose from voc2007"):
        annotated_parts.parts('voc2010', None)
    with pytest.raises(ValueError, match='none: there is no such folder'):
        annotated_parts.parts(f'voc:{tmp_path}/none', None)


@pytest.mark.parametrize(
    ('name', 'read'),
    [
        ('voc2007', [(2007, 'trainval'), (2007, 'test')]),
        ('voc2012', [(2012, 'train'), (2012, 'val')]),
        ('coco2014', [(2014, 'train'), (2014, 'val')]),
    ],
)
def test_published_sets_have_their_splits(name, read, monkeypatch):
    asked = []

    def published(year, split, data_dir):
        asked.append((year, split))
        part = data.voc.fake(2)
        return part._replace(files=tuple(f / split for f in part.files))

    monkeypatch.setattr(data.voc, 'published', published, raising=False)
    coco = types.SimpleNamespace(published=published)
    monkeypatch.setattr(data, 'coco', coco, raising=False)
    annotated_parts.parts(name, None)
    assert asked == read


def test_photographs_are_read_in_blocks_and_mirrored(monkeypatch):
    photos = data.voc.fake(5)
    whole = data.voc.square_images(photos, 40)
    images = pixels.Photos(photos, 40)
    monkeypatch.setattr(pixels, 'BLOCK', 2)
    parts = list(pixels.blocks(images))
    assert [len(part) for part in parts] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    views = pixels.Views(images, data.voc.multi_hot(photos))
    assert len(views) == 10
    np.testing.assert_array_equal(views[7]['image'], whole[2, :, ::-1])
    np.testing.assert_array_equal(views[7]['label'], views[2]['label'])


def test_the_schedule_is_in_epochs_of_the_training_images():
    config = multi_label.PUBLISHED['wildcat', 'voc2007']
    recipe = config.recipe(None, 5_011)  # images of trainval
    assert (recipe.steps, recipe.batch) == (6_264, 16)
    assert config == multi_label.Config()
    weldon = multi_label.PUBLISHED['weldon', 'coco2014']
    assert (weldon.backbone, weldon.last, weldon.k) == ('vgg16', 'fc7', 15)
    assert classification.PUBLISHED['wildcat', 'mit67'].k == 0.4


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'poolings': ('mean',)}, "no pooling 'mean'; choose from average"),
        ({'optimizer': 'lamb'}, "no optimizer 'lamb'; choose from adam, sgd"),
        ({'scales': ()}, 'sides of 32 pixels or more'),
        ({'epochs': 0.0}, 'a number above 0'),
        ({'poolings': ('weldon',), 'k': -1.0}, 'k -1.0: a whole number'),
    ],
)
def test_a_config_that_cannot_run_is_refused(fields, message):
    config = dataclasses.replace(multi_label.fast(), **fields)
    with pytest.raises(ValueError, match=message):
        multi_label.build(config)


def test_folds_can_train_a_whole_network_but_not_a_cascade(tmp_path):
    config = dataclasses.replace(
        fruit.fast(), poolings=('max',), scales=(96,), backbone='alexnet', cut=''
    )
    study = fruit.build(config)
    assert study.task == 'fake, alexnet up to pool5, trained as a whole at 96 pixels'
    assert len(cli.execute(study, tmp_path)['rows']) == config.folds
    with pytest.raises(ValueError, match='pooling pronet needs a fixed part'):
        fruit.build(dataclasses.replace(config, poolings=('pronet',)))


def test_boxes_of_absent_classes_change_no_measure():
    photos = data.voc.fake(6)
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(6, 5, 5, 3)).astype(np.float32)
    prediction = measures.Prediction.of_maps(maps.mean((1, 2)), maps)
    truth = measures.truth(photos, range(6))
    boxes = metrics.boxes_of_maps(np.maximum(maps, 0), truth.sizes)
    found = measures.measure(prediction, truth)
    corloc = metrics.corloc(boxes, truth.boxes, truth.label, 3)
    assert found['corloc'] == np.nanmean(corloc)
    assert found['top1'] == metrics.top1_localization(
        prediction.scores, boxes, truth.boxes, truth.label
    )


class People:
    """Persons in memory, as data.voc_action has them."""

    classes = ('jumping', 'running', 'other')
    label = np.array([[1, 0, 0], [0, 1, 0], [1, -1, 0], [0, 0, 1]], np.int32)
    files = ('a', 'b', 'c', 'd')

    def load_image(self, index):
        return np.full((40 + index, 30, 3), 50 * index, np.uint8)


def test_actions_are_measured_without_other(monkeypatch, tmp_path):
    reader = types.SimpleNamespace(published=lambda split, data_dir, crop: People())
    monkeypatch.setattr(data, 'voc_action', reader, raising=False)
    config = dataclasses.replace(
        classification.fast(), data='voc2012_action', poolings=('wildcat',), batch=2
    )
    load = classification.trunk.load
    monkeypatch.setattr(
        classification.trunk,
        'load',
        lambda data_dir, network, random: load(data_dir, network, random=True),
    )
    result = cli.execute(classification.build(config), tmp_path)
    (row,) = result['rows']
    assert 0 <= row['mAP'] <= 1
    scores = np.array([[3.0, 1, 9], [1, 3, 8], [2, 9, 7], [0, 0, 0]])
    prepared = classification.Prepared(
        People.classes,
        classification.Part(None, People.label),
        lambda pooling, seed: scores,
    )
    found = classification._measure(prepared, {'pooling': 'wildcat', 'seed': 0})
    assert found == {'mAP': 1.0}  # the unknown label and 'other' do not count


def test_masks_are_measured_without_void_pixels(tmp_path, monkeypatch):
    """Of a map that is positive in the left half, for images of 32 x 40 pixels."""
    voc(tmp_path, {'train': ['a', 'b'], 'val': ['c', 'd']})
    (tmp_path / 'SegmentationClass' / 'd.png').unlink()
    load = weak_segmentation.trunk.load
    monkeypatch.setattr(
        weak_segmentation.trunk,
        'load',
        lambda data_dir, network, random: load(data_dir, network, random=True),
    )
    config = dataclasses.replace(
        weak_segmentation.fast(), data=f'voc:{tmp_path}', scales=(64,), batch=2
    )
    prepared = weak_segmentation._prepare(config, None)
    assert stems(prepared.test) == ['c']
    maps = np.zeros((1, 2, 2, 2), np.float32)
    maps[:, :, 0, 0] = 1
    scored = {'maps': maps, 'logits': np.array([[1.0, -1.0]])}
    prepared = prepared._replace(score=lambda pooling, seed: scored)
    trial = {'pooling': 'wildcat', 'seed': 0, 'method': weak_segmentation.MAPS}
    predicted = weak_segmentation._predicted(config, prepared, trial, 0, (40, 32))
    assert predicted.shape == (40, 32)
    assert (predicted[:, :8] == 1).all() and (predicted[:, -8:] == 0).all()
    truth = prepared.test.mask(0)
    agree = (predicted == truth)[truth != weak_segmentation.VOID].mean()
    found = weak_segmentation._measure(config, prepared, trial)
    assert found['pixel_accuracy'] == pytest.approx(agree)
    assert found['pixel_accuracy'] < 1


def test_an_image_with_a_mask_of_val_is_not_trained_on(monkeypatch):
    train = data.voc.fake(3)
    monkeypatch.setattr(annotated_parts, 'parts', lambda name, data_dir: (train, None))
    masked = types.SimpleNamespace(
        images=train.files[1:2], load_image=train.load_image, load_label=len
    )
    reader = types.SimpleNamespace(load=lambda name, split, data_dir: masked)
    monkeypatch.setattr(data, 'segmentation', reader, raising=False)
    left, test = weak_segmentation._parts('voc2012', None)
    assert stems(left) == ['fake_0', 'fake_2']
    assert stems(test) == ['fake_1']


def test_a_mask_of_an_unknown_class_is_named(tmp_path):
    voc(tmp_path, {'train': ['a', 'b'], 'val': ['c', 'd']})
    path = tmp_path / 'SegmentationClass' / 'c.png'
    Image.fromarray(np.full((40, 32), 7, np.uint8)).save(path)
    test = data.voc.read(tmp_path, 'val')
    with pytest.raises(ValueError, match=r'c.png: the ids \[7\] are neither 0 to 2'):
        weak_segmentation._read(test, 0)
