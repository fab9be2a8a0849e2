"""A trained model is used: by rule and seed, in its run or alone, on images."""

import csv
import dataclasses
import functools
import json
import math
import shutil

import numpy as np
import pytest
from PIL import Image

import transfer_jax as tj
from experiments import demo
from experiments.tasks import digit_pairs
from tests import command_lines
from transfer_jax import data, evaluation, metrics, runs, selection
from transfer_jax.cli import classifier, predict


@pytest.fixture(scope='module')
def run_dir(tmp_path_factory):
    """A finished run of the demo."""
    path = tmp_path_factory.mktemp('demo') / 'run'
    config = dataclasses.replace(demo.fast(), method='source_only', seeds=2)
    experiment = demo.build(config)

    def inputs(pair):
        """As if the scale depended on the images that a seed draws."""
        scale = digit_pairs.inputs(pair)
        return scale._replace(std=(1.0 + pair.seed,) * 3)

    changes = {'evaluations': 2, 'measure': _measure, 'inputs': inputs}
    runs.run(experiment._replace(**changes), path)
    return path


def _measure(predicts, held_out, final):
    """What the rules and this test read, without the other validators."""
    test = evaluation.evaluate(
        predicts['target'], held_out.target_test, metrics.accuracy()
    )
    return {
        'source_validation': -test['accuracy'],
        selection.FIXED: test['accuracy'],
        'target_test': test['accuracy'],
        'target_test_images': test['count'],
    }


@pytest.fixture(scope='module')
def digits():
    """The images that the run was tested on."""
    return demo.load(0).target_test


@pytest.fixture(scope='module')
def folder(digits, tmp_path_factory):
    """The first 70 of them as files: more than one batch."""
    path = tmp_path_factory.mktemp('images')
    for i, image in enumerate(digits.image[:70]):
        Image.fromarray(image).save(path / f'{i:03d}.png')
    return path


call = functools.partial(command_lines.call, predict.main)


def test_the_predictions_are_those_that_the_run_was_scored_by(run_dir, digits):
    result = json.loads((run_dir / 'result.json').read_text())
    for rule in ('last', 'source_validation', 'fixed_validator'):
        answers = predict.predict(run_dir, digits.image, rule=rule)
        labels = np.array([int(one.label) for one in answers])
        accuracy = np.mean(labels == digits.label)
        assert accuracy == result['scores'][rule]['target_test']['values'][0]
        np.testing.assert_allclose([p.probabilities.sum() for p in answers], 1, 1e-5)


def test_a_seed_has_its_own_scale(run_dir):
    stds = [runs.load_model(run_dir, seed=seed).inputs.std[0] for seed in (0, 1)]
    assert stds == [1.0, 2.0]
    assert runs.load_model(run_dir).seed == 0


def test_files_are_classified_in_their_order(run_dir, folder, digits, tmp_path, capsys):
    out = tmp_path / 'predictions.csv'
    code, _, err = call(capsys, run_dir, folder, '--out', out)
    assert code == 0 and '70 images' in err and 'fixed_validator' in err
    with open(out) as file:
        rows = list(csv.DictReader(file))
    assert [row['file'] for row in rows] == sorted(map(str, folder.iterdir()))
    arrays = tj.load(run_dir).predict(digits.image[:70])
    assert [row['class'] for row in rows] == [one.label for one in arrays]
    entropies = [float(row['entropy']) for row in rows]
    np.testing.assert_allclose(entropies, [one.entropy for one in arrays], atol=1e-5)
    again = predict.predict(run_dir, [folder / '001.png', folder / '000.png'])
    assert [one.label for one in again] == [rows[1]['class'], rows[0]['class']]


def test_every_class_on_demand_and_to_the_terminal(run_dir, folder, capsys):
    code, out, _ = call(capsys, run_dir, folder / '000.png', '--all-classes')
    (row,) = csv.DictReader(out.splitlines())
    assert code == 0 and list(row)[4:] == [str(i) for i in range(10)]
    probabilities = [float(row[str(i)]) for i in range(10)]
    assert row['class'] == str(np.argmax(probabilities))
    assert float(row['probability']) == max(probabilities)
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    assert float(row['entropy']) == pytest.approx(entropy, abs=1e-4)


def test_a_copied_model_predicts_as_in_its_run(run_dir, digits, tmp_path, same_bits):
    image = digits.image[:7]
    whole = tj.load(run_dir, 'source_validation', seed=1)
    inside = run_dir / 'models' / 'seed_1' / 'source_validation'
    alone = tj.load(shutil.copytree(inside, tmp_path / 'mine'))
    assert alone.classes == whole.classes == tuple(map(str, range(10)))
    assert (alone.model.method, alone.model.task) == ('source_only', whole.model.task)
    for one, two in zip(alone.predict(image), whole.predict(image), strict=True):
        same_bits(one.probabilities, two.probabilities)
    features = alone.transform(image)
    assert features.ndim == 2 and len(features) == 7
    same_bits(features, whole.transform(image))


def test_a_certain_prediction_has_no_entropy():
    def entropy(*p):
        return classifier.Prediction('', '', 0.0, np.array(p, np.float32)).entropy

    assert entropy(1.0, 0.0) == 0.0
    assert entropy(0.25, 0.25, 0.25, 0.25) == pytest.approx(math.log(4))


def test_the_model_needs_no_training_data(run_dir, folder, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError('data was read')

    monkeypatch.setattr(data, 'load', refuse)
    assert len(predict.predict(run_dir, folder / '000.png')) == 1


@pytest.mark.parametrize(
    'flags, words',
    [
        (
            ['{run}', '{images}', '--rule', 'oracle'],
            "no rule 'oracle'; choose from last",
        ),
        (['{run}', '{images}', '--seed', '7'], 'no seed 7; choose from 0, 1'),
        (['{run}', '{run}/none.png'], 'no such file or folder'),
        (['{run}', '{empty}'], 'holds no images'),
        (['{run}', '{run}/result.json'], 'not a readable image'),
        (['{empty}', '{images}'], 'holds no trained model'),
    ],
)
def test_what_is_wrong_is_one_line(run_dir, folder, tmp_path, capsys, flags, words):
    names = {'run': run_dir, 'images': folder, 'empty': tmp_path}
    code, out, err = call(capsys, *(flag.format(**names) for flag in flags))
    assert code == 2 and out == ''
    assert words in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    'images',
    [
        np.zeros((2, 16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.uint8),
        np.zeros((2, 16, 16), np.uint8),
        np.zeros((0, 16, 16, 3), np.uint8),
        [np.zeros((16, 16, 3), np.uint8)],
    ],
    ids=['floats', 'one image', 'no channels', 'none', 'a list'],
)
def test_arrays_that_are_no_images_are_refused(run_dir, images):
    with pytest.raises(ValueError, match='images must be'):
        predict.predict(run_dir, images)


def test_a_folder_of_runs_names_those_in_it(run_dir, folder, capsys, tmp_path):
    code, _, err = call(capsys, run_dir.parent, folder)
    assert code == 2 and f'there is one in {run_dir}' in err
    code, _, err = call(capsys, tmp_path / 'none', folder)
    assert code == 2 and 'there is no such run folder' in err


def test_a_model_of_other_code_is_refused(run_dir, folder, tmp_path, capsys):
    moved = shutil.copytree(run_dir / 'models' / 'seed_0' / 'last', tmp_path / 'moved')
    content = json.loads((moved / 'model.json').read_text())
    content['module'] = 'nowhere.at_all'
    (moved / 'model.json').write_text(json.dumps(content))
    code, _, err = call(capsys, moved, folder)
    assert code == 2 and 'nowhere.at_all, which cannot be imported' in err
    content |= {'module': 'experiments.demo', 'config': {'width': 3}}
    (moved / 'model.json').write_text(json.dumps(content))
    code, _, err = call(capsys, moved, folder)
    assert code == 2 and 'has other fields' in err
