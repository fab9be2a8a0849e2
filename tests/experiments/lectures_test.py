"""The lectures' list: its commands build, and take one step on miniatures."""

import dataclasses
import importlib
import shlex

import pytest
import tyro

from experiments import __main__ as front
from experiments.lectures import catalogue, listing
from experiments.tables import lectures as table
from tests.command_lines import call
from tests.experiments import few_numbers
from tests.miniatures import (
    annotated,
    classification,
    digits,
    retrieval,
    segmentation,
    stand_ins,
)
from transfer_jax import runs
from transfer_jax.data import known, sources
from transfer_jax.recipes import backbones

BACKBONE = 'resnet20_cifar'  # whose weights are drawn in place of the item's
FOUR = f'{BACKBONE}_of_four_classes'  # as the miniature of ImageNet has
LOCALIZATION = {
    'backbone': BACKBONE,
    'cut': 'auto',
    'last': '',
    'scales': (32,),
    'k': 0.2,
    'epochs': 0.01,
    'batch': 4,
}
# {experiment: the fields that make a run of it small}
SMALL = {
    'transfer.descriptors': {
        'size': 32,
        'descriptors': ('hog', 'hsv'),
        'examples': (3,),
        'draws': 1,
        'cell': 8,
    },
    'transfer.probing': {'network': BACKBONE, 'size': 32, 'counts': '3', 'draws': 1},
    'transfer.augmented_svm': {'backbone': BACKBONE, 'size': 32, 'seeds': 1},
    'transfer.retrieval': {'networks': BACKBONE, 'size': 32, 'dimension': 4},
    'transfer.layer_transfer': {'steps': 1, 'batch': 4, 'seeds': 1, 'copy': 'first:1'},
    'transfer.fine_tuning': {
        'backbone': BACKBONE,
        'size': 32,
        'counts': (3,),
        'methods': ('full',),
        'seeds': 1,
        'steps': 1,
        'batch': 4,
    },
    'transfer.imagenet': {'backbone': FOUR},
    'localization.multi_label': LOCALIZATION,
    'localization.classification': LOCALIZATION,
    'localization.weak_segmentation': LOCALIZATION,
    'adaptation.dann': {'seeds': 1, 'steps': 1, 'batch': 8},
    'adaptation.aligned_digits': {
        'seeds': 1,
        'steps': 1,
        'batch': 4,
        'dimension': 2,
        'images': 16,
    },
    'adaptation.office31': {
        'backbone': BACKBONE,
        'size': 32,
        'bottleneck': 8,
        'seeds': 1,
        'steps': 1,
        'batch': 4,
        'evaluations': 1,
    },
}
RUN = [i for i in catalogue.ITEMS if i.module.partition('.')[2] in SMALL and i.flags]
# Beside AlexNet at 224 pixels, trainings that the fast runs of experiments_test cover
SLOW = (
    'transfer.layer_transfer',
    'transfer.fine_tuning',
    'adaptation.dann',
    'adaptation.office31',
)


@pytest.fixture(scope='session')
def root(tmp_path_factory):
    """A data folder with a miniature of every set, and drawn weights."""
    folder = tmp_path_factory.mktemp('miniatures')
    for module in (annotated, classification, digits, retrieval, segmentation):
        for name in {n for item in catalogue.ITEMS for n in item.data}:
            kind = 'office31' if name.startswith('office31') else name
            made = folder / f'.{kind}'
            if hasattr(module, kind) and not made.exists():
                getattr(module, kind)(folder)
                made.touch()
    stand_ins.bsds500(folder)
    stand_ins.caltech101(folder)
    stand_ins.signs(folder)
    stand_ins.svhn(folder)
    stand_ins.weights_of(folder, BACKBONE)
    row = backbones.get(BACKBONE)._replace(classes=4, file='weights/four.safetensors')
    backbones.PRETRAINED[FOUR] = row
    stand_ins.weights_of(folder, FOUR)
    yield folder
    del backbones.PRETRAINED[FOUR]


def _module(item):
    return importlib.import_module(item.module)


def _config(item):
    arguments = [flag.replace('--config.', '--') for flag in shlex.split(item.flags)]
    return tyro.cli(_module(item).Config, args=arguments)


@pytest.mark.parametrize('item', catalogue.ITEMS, ids=lambda item: item.title)
def test_an_item_names_what_exists(item):
    assert bool(item.module) != bool(item.out)
    assert item.lecture in catalogue.LECTURES or item.out
    assert set(item.data) <= set(known.KNOWN)
    assert all(backbones.get(name) for name in item.weights)
    assert not item.cost or item.hours > 0
    if item.here:
        assert 0 < float(table.number(item.here)) <= 100
    if item.module in front.experiments():
        assert _module(item).build(_config(item))  # loads no data


@pytest.mark.parametrize(
    'item',
    [
        pytest.param(
            item,
            id=item.title,
            marks=[pytest.mark.slow] * item.module.endswith(SLOW),
        )
        for item in RUN
    ],
)
def test_an_item_takes_a_step_on_the_miniature(item, root, tmp_path, monkeypatch):
    monkeypatch.setenv('TRANSFER_JAX_DATA', str(root))  # counts of classes
    monkeypatch.setattr(sources, 'from_tfds', stand_ins.svhn_records)
    module = _module(item)
    small = SMALL[item.module.partition('.')[2]]
    built = module.build(dataclasses.replace(_config(item), **small))
    if isinstance(built, runs.Study):
        built = built._replace(trials=built.trials[:1])
        result, _ = runs.run_study(built, tmp_path, data_dir=str(root))
        row = result['rows'][0]
        assert all(0 <= row[value] <= 1 for value in result['values'] if value in row)
    else:
        built = built._replace(measure=few_numbers.measure, evaluations=1)
        result = runs.run(built, tmp_path, data_dir=str(root))
        assert 0 <= result['scores']['last']['target_test']['mean'] <= 1


def test_every_experiment_of_the_lectures_is_run_somewhere():
    """Here on a miniature, or by its fast() in experiments_test."""
    commands = {item.module for item in catalogue.ITEMS if item.module}
    own = {'experiments.adapt', 'experiments.sweep'}  # with tests of their own
    assert commands - own <= set(front.experiments())


def test_the_list_is_printed(capsys, tmp_path):
    code, out, _ = call(front.main, capsys, 'lectures', '1', '--data-dir', tmp_path)
    assert code == 0
    assert '1. Features' in out
    assert '2. ' not in out
    assert 'oxford5k in oxford5k/images/ (missing)' in out
    assert 'python -m experiments.transfer.probing --config.network alexnet' in out
    assert 'GPU: 36 h' in out


def test_an_unknown_lecture_or_list_is_one_line(capsys):
    code, _, err = call(front.main, capsys, 'lectures', '9')
    assert code == 2
    assert "no lecture '9'; choose from 1, 2, 3, 4, 5" in err
    with pytest.raises(SystemExit, match="no list 'lecture'"):
        front.main(['lecture'])


def test_hours_are_the_measured_rate_scaled():
    """A pass of 4,601 images a second over an hour's images takes an hour."""
    cost = catalogue.features.Cost(4601 * 3600, 'resnet50', trained=True)
    assert abs(cost.hours() - 1) < 1e-3
    assert cost._replace(size=448).hours() / cost.hours() == 4
    assert abs(cost._replace(trained=False).hours() * 3 - cost.hours()) < 1e-9


def test_what_is_left_out_has_a_reason():
    assert 'Lifelong learning: ' in table.markdown('out')
    assert listing.text('3').startswith('3. Unsupervised')
