"""Layers of AlexNet copied between halves of a folder's classes, read lazily."""

import dataclasses

import numpy as np
import pytest

from experiments.tasks import photo_domains
from experiments.transfer import layer_transfer, layer_transfer_data
from tests.experiments.transfer.any_data_test import photographs


def test_the_halves_of_a_lazy_folder_read_no_image(tmp_path):
    spec = 'lazy:' + photographs(tmp_path / 'set', classes=4, each=2)
    domain = photo_domains.load(spec, size=20, data_dir=None)
    halves = layer_transfer_data.halves(domain, 0)
    names = [name for half in 'AB' for name in halves[half].train.classes]
    assert sorted(names) == list(domain.classes)
    for half in halves.values():
        part = half.train
        assert len(part) == 4 and set(part.label) == {0, 1} and half.mean is None
        for i in range(4):
            path = part.source.paths[i]
            assert path.parent.name == part.classes[part[i]['label']]


def test_a_crop_is_a_part_of_the_image_and_the_test_its_middle():
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    crop = layer_transfer_data.crop(4)
    for seed in range(5):
        item = crop({'image': image, 'label': 1}, np.random.default_rng(seed))
        found = item['image']
        parts = [image[i : i + 4, j : j + 4] for i in range(5) for j in range(5)]
        parts += [part[:, ::-1] for part in parts]
        assert any(np.array_equal(found, part) for part in parts)
    half = layer_transfer_data.Half(None, None, None)
    apply = layer_transfer_data.central('alexnet', half, 4)
    scale = layer_transfer_data.scale('alexnet', half)
    middle = scale({'image': image[None, 2:6, 2:6]})['image']
    np.testing.assert_array_equal(apply({'image': image[None]})['image'], middle)


def test_the_published_rate_falls_three_times_to_a_tenth():
    rate = layer_transfer.SCHEDULES['thirds'](450_000)
    found = [float(rate(step)) for step in (0, 99_999, 100_000, 250_000, 449_999)]
    np.testing.assert_allclose(found, [1, 1, 0.1, 0.01, 0.0001], rtol=1e-5)


@pytest.mark.slow
def test_alexnet_takes_a_step_on_four_classes(tmp_path):
    spec = 'lazy:' + photographs(tmp_path / 'set', classes=4, each=4, size=(80, 90))
    config = layer_transfer.Config(
        spec,
        'first:7',
        seeds=1,
        steps=1,
        batch=4,
        network='alexnet',
        size=64,
        schedule='thirds',
    )
    study = layer_transfer.build(config)
    assert study.task == 'set, alexnet, first n layers copied'
    trials = [t for t in study.trials if t['method'] in ('base_B', 'AnB', 'AnB+')]
    prepared = study.prepare(None)
    rows = [study.measure(prepared, trial) for trial in trials]
    assert all(0 <= row['accuracy'] <= 1 for row in rows)


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'network': 'resnet18'}, 'resnet18 has batch norm.*alexnet'),
        ({'network': 'alexnot'}, "no backbone 'alexnot'"),
        ({'network': 'tiny'}, "no network 'tiny'"),
        ({'schedule': 'halves'}, "no schedule 'halves'; choose from cosine, thirds"),
        ({'domain': 'nothing'}, "no domain 'nothing'"),
        ({'network': 'alexnet', 'copy': 'first:8'}, 'there are only 7 layers'),
    ],
)
def test_what_cannot_be_copied_is_named(changes, message):
    config = dataclasses.replace(layer_transfer.fast(), **changes)
    with pytest.raises(ValueError, match=message):
        layer_transfer.build(config)
