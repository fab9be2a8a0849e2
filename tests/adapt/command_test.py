"""python -m experiments.adapt: from folders to a report, predictions and a model."""

import csv
import functools
import json
import shutil

import jax
import numpy as np
import pytest

import transfer_jax as tj
from tests import command_lines
from transfer_jax.adapt import (
    command,
    experiment,
    outcome,
    photographs,
    plan,
    reading,
)
from transfer_jax.recipes import encoders

TINY = ('--backbone', encoders.TINY, '--size', '32')
call = functools.partial(command_lines.call, command.main)


@pytest.fixture(scope='module')
def run(folders, tmp_path_factory):
    """The run folder of a short run, with labels for a test, and its flags."""
    here, there, known = folders
    run_dir = tmp_path_factory.mktemp('run') / 'x'
    flags = ['--source', here, '--target', there, '--target-test', known, *TINY]
    flags = [str(f) for f in (*flags, '--steps', 1, '--run-dir', run_dir)]
    command.main(flags)
    return run_dir, flags


def test_every_target_image_has_a_line(run, folders):
    run_dir, _ = run
    with open(run_dir / 'predictions.csv') as file:
        rows = list(csv.DictReader(file))
    assert [row['file'] for row in rows] == sorted(map(str, folders[1].iterdir()))
    for row in rows:
        assert row['class'] in {f'class {i}' for i in range(4)}
        assert 0.25 <= float(row['probability']) <= 1
        assert 0 <= float(row['entropy']) <= np.log(4) + 1e-6


def test_the_model_predicts_the_same_elsewhere(run, folders, tmp_path):
    run_dir, _ = run
    moved = shutil.copytree(run_dir / 'model', tmp_path / 'moved')
    with open(run_dir / 'predictions.csv') as file:
        rows = list(csv.DictReader(file))
    answers = tj.load(moved).predict(folders[1])
    assert [one.label for one in answers] == [row['class'] for row in rows]
    written = [float(row['probability']) for row in rows]
    np.testing.assert_allclose([one.probability for one in answers], written, atol=1e-6)


def test_the_report_is_of_the_models_that_the_history_measured(domains, tmp_path):
    """Source images are predicted with the statistics of the source."""
    source, target = domains
    parts = {
        'source': reading.Decoded(source.train.image[:60], (), source.train.label[:60]),
        'target': reading.Decoded(target.train.image[:40], ()),
    }
    config = experiment.Config(backbone=encoders.SMALL_CONVNET, size=32, steps=3)
    config = plan.resolve(config, plan.Counts(60, 40, len(source.classes)))
    encoder = encoders.load(config.backbone, None, config.domains)
    photos = photographs.of_run(0, source.classes, parts, encoder)
    built = experiment.build(config, lambda seed: photos)
    tj.runs.run(built, tmp_path / 'run')
    done = outcome.collect(built, tmp_path / 'run', {0: photos})
    accuracy = np.mean(done.source.argmax(-1) == done.source_labels)
    assert accuracy == pytest.approx(done.side.rows[0]['source_validation'])
    model = tj.runs.load_model(tmp_path / 'run', rule=done.side.rule)
    as_target = np.asarray(model.probabilities(photos.source_validation.image))
    assert np.abs(as_target - done.source[0]).max() > 1e-4


def test_the_report_has_its_parts(run):
    run_dir, _ = run
    text = (run_dir / 'report.html').read_text()
    for words in (
        *('source only', 'mcc', 'logistic', 'target accuracy', 'A-distance'),
        *('No target label was used', 'By class', 'least confident'),
    ):
        assert words in text or words == 'logistic', words
    figures = {path.stem for path in (run_dir / 'figures').iterdir()}
    assert {'class_shares', 'most_confident', 'features_mcc'} <= figures


def test_the_same_command_goes_on(run, capsys):
    run_dir, flags = run
    before = (run_dir / 'mcc' / 'result.json').read_text()
    code, _, said = call(capsys, *flags)
    assert code == 0 and 'step 1/1' not in said  # nothing was trained again
    assert (run_dir / 'mcc' / 'result.json').read_text() == before


def test_target_labels_change_nothing_but_the_accuracy(run, folders, tmp_path, capsys):
    run_dir, _ = run
    here, there, _ = folders
    flags = ['--source', here, '--target', there, *TINY, '--steps', 1]
    code, _, said = call(capsys, *flags, '--run-dir', tmp_path / 'y')
    assert code == 0 and 'target test accuracy' not in said
    for name in ('predictions.csv', 'model/weights.safetensors'):
        assert (run_dir / name).read_bytes() == (tmp_path / 'y' / name).read_bytes()
    result = json.loads((tmp_path / 'y' / 'mcc' / 'result.json').read_text())
    assert 'oracle' not in result['scores']


def test_the_plan_trains_nothing(folders, tmp_path, capsys):
    here, there, _ = folders
    flags = ['--source', here, '--target', there, *TINY, '--plan']
    code, _, said = call(capsys, *flags, '--run-dir', tmp_path / 'none')
    lines = said.strip().splitlines()
    assert code == 0 and len(lines) == 5 and not (tmp_path / 'none').exists()
    assert lines[0].startswith('images: 40 of 4 classes')
    assert lines[4].startswith('time: about')


def test_labelled_target_images_are_said(folders, capsys, tmp_path):
    here, there, known = folders
    flags = ['--source', here, '--target', there, '--target-labelled', known, *TINY]
    flags += ['--method', 'source_only', '--steps', 1, '--run-dir', tmp_path / 'few']
    code, _, said = call(capsys, *flags)
    assert code == 0 and '40 labelled ones join the source' in said
    text = (tmp_path / 'few' / 'report.html').read_text()
    assert 'training saw some' in text and ', or in training' not in text


def test_source_only_alone(folders, tmp_path, capsys):
    here, there, _ = folders
    flags = ['--source', here, '--target', there, *TINY, '--steps', 1]
    code, _, said = call(
        capsys, *flags, '--method', 'source_only', '--run-dir', tmp_path / 'z'
    )
    assert code == 0 and 'no adaptation to judge' in said
    assert (tmp_path / 'z' / 'model' / 'model.json').exists()


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (['--source', '{none}', '--target', '{there}'], 'there is no such folder'),
        (['--source', '{there}', '--target', '{there}'], 'in no folder of a class'),
        (['--source', '{here}', '--target', '{empty}'], 'holds no images'),
        (
            ['--source', '{here}', '--target', '{there}', '--method', 'magic'],
            "no method 'magic'; choose from source_only",
        ),
        (
            ['--source', '{here}', '--target', '{there}', '--steps', '0'],
            'steps is 0: give 1 or more',
        ),
        (
            ['--source', '{here}', '--target', '{there}', '--method', 'coral']
            + ['--backbone', 'small'],
            'coral needs features of a pretrained network',
        ),
        (
            ['--source', '{here}', '--target', '{there}', '--target-test', '{other}'],
            'has none of the classes of the source',
        ),
    ],
)
def test_what_is_wrong_is_one_line(folders, tmp_path, capsys, flags, words):
    here, there, known = folders
    (tmp_path / 'empty').mkdir()
    other = tmp_path / 'other' / 'zebra'
    other.mkdir(parents=True)
    shutil.copy(there / '00.png', other / '0.png')
    names = {
        'here': here,
        'there': there,
        'none': tmp_path / 'none',
        'empty': tmp_path / 'empty',
        'other': tmp_path / 'other',
    }
    code, _, said = call(capsys, *(flag.format(**names) for flag in flags))
    assert code == 2 and words in said and len(said.strip().splitlines()) == 1


def test_images_in_both_domains_and_missing_classes_are_said(folders, tmp_path, capsys):
    here, _, known = folders
    mixed = shutil.copytree(known, tmp_path / 'mixed')
    shutil.rmtree(mixed / 'class 3')
    shutil.copy(next((here / 'class 0').iterdir()), mixed / 'class 0' / 'same.png')
    flags = ['--source', here, '--target', mixed, '--target-test', mixed, '--plan']
    code, _, said = call(capsys, *flags, *TINY)
    assert code == 0 and '1 images are in both domains' in said
    assert 'target_test: has no images of class 3' in said


def test_arrays_and_lists_of_files_are_read(tmp_path, folders, domains):
    there = folders[1]
    options = reading.Options()
    np.savez(tmp_path / 'a.npz', image=domains[1].train.image[:5])
    pictures = reading.unlabelled(str(tmp_path / 'a.npz'), options)
    assert pictures.count == 5 and pictures.decode(16).image.shape == (5, 16, 16, 3)
    files = sorted(there.iterdir())[:3]
    lines = [f'{file},{"ab"[i % 2]}' for i, file in enumerate(files)]
    (tmp_path / 'a.csv').write_text('\n'.join(['file,label', *lines]))
    pictures = reading.labelled(str(tmp_path / 'a.csv'), options)
    assert pictures.classes == ('a', 'b') and pictures.count == 3
    decoded = pictures.decode(32)
    by_name = dict(zip(decoded.names, decoded.label, strict=True))
    assert [by_name[str(file)] for file in files] == [0, 1, 0]


def test_all_methods_are_known_by_one_name():
    assert set(plan.METHODS).isdisjoint(command.shallow_way.METHODS)


def test_networks_have_the_precision_that_the_command_says(
    monkeypatch, capsys, default_precision
):
    def adapt(flags):
        raise ValueError(f'now it is {jax.config.jax_default_matmul_precision}')

    monkeypatch.setattr(command, 'adapt', adapt)
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    flags = ('--source', 'a', '--target', 'b')
    for given, said in (
        ((), 'now it is highest'),
        (('--precision', 'high'), 'now it is high'),
        (('--precision', 'tf32'), "no --precision 'tf32'; choose from highest, high, "),
    ):
        code, _, error = call(capsys, *flags, *given)
        assert code == 2 and error.startswith(f'error: {said}')
        assert len(error.splitlines()) == 1
