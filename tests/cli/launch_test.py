"""Mistakes of a user: one clear message, exit code 2, no traceback."""

import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from experiments.adaptation import dann, digits
from transfer_jax import cli, runs
from transfer_jax.cli import launch
from transfer_jax.runs import folder

ROOT = pathlib.Path(__file__).parents[2]
FAKE = ['--config.pair', 'fake_to_fake_shifted']


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """call(*flags) -> (exit code, output) of `python -m ....dann *flags`."""
    monkeypatch.chdir(tmp_path)
    # A run in a tree with uncommitted edits says so in a line of its own.
    monkeypatch.setattr(runs.provenance, '_git_revision', lambda: 'a1b2c3')

    def run(*flags):
        monkeypatch.setattr(sys, 'argv', ['dann.py', *map(str, flags)])
        with pytest.raises(SystemExit) as stop:
            cli.main(dann.Config, dann.build)
        out, err = capsys.readouterr()
        return stop.value.code, out + err

    return run


def _images(root, classes, size=28):
    """A folder with two images of each class."""
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(2):
            image = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / name / f'{i}.png')
    return root


def _check(answer, *words, lines=1):
    code, output = answer
    assert code == 2, output
    assert 'Traceback' not in output
    for word in words:
        assert word in output, (word, output)
    if lines:
        assert len(output.strip().splitlines()) == lines, output


def test_an_unknown_flag(call):
    answer = call('--config.pear', 'mnist_to_mnist_m')
    _check(answer, '--config.pear', '--config.pair', lines=None)
    assert str(ROOT) not in answer[1] and os.sep + 'experiments' not in answer[1]


def test_a_value_of_the_wrong_type(call):
    _check(call('--config.steps', 'many'), 'steps', 'many', lines=None)


def test_the_usage_names_the_command_and_no_path(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [dann.__file__, '--help'])
    with pytest.raises(SystemExit) as stop:
        cli.main(dann.Config, dann.build)
    output = capsys.readouterr().out
    assert stop.value.code == 0
    assert 'python -m experiments.adaptation.dann' in output
    assert str(ROOT) not in output
    assert str(pathlib.Path.home()) + os.sep not in output


def test_an_unknown_pair(call):
    _check(call('--config.pair', 'a_to_b'), "no pair 'a_to_b'", 'mnist_to_mnist_m')


def test_an_unknown_domain(call):
    answer = call('--config.source', 'mnits', '--config.target', 'fake')
    _check(answer, "unknown domain 'mnits' (did you mean mnist?)", 'folder:PATH')


def test_half_a_pair(call):
    _check(call('--config.source', 'fake'), '--config.target')


def test_an_unknown_protocol_or_network(call):
    _check(call(*FAKE, '--config.protocol', 'p'), "no protocol 'p'", 'full')
    _check(call(*FAKE, '--config.network', 'n'), "no network 'n'", 'svhn')


@pytest.mark.parametrize(
    'field, value, message',
    [
        ('steps', 0, 'steps is 0: give 1 or more'),
        ('steps', -5, 'steps is -5: give 1 or more'),
        ('seeds', 0, 'seeds is 0: give 1 or more'),
        ('batch', 1, 'batch is 1: give 2 or more'),
        ('rate', 0, 'rate is 0.0: give a positive learning rate'),
        ('rate', -1, 'rate is -1.0: give a positive learning rate'),
        ('rate', 'nan', 'rate is nan: give a finite number'),
        ('strength', -1, 'strength is -1.0: give 0 or more'),
        ('strength', 'inf', 'strength is inf: give a finite number'),
    ],
)
def test_a_number_that_cannot_be(call, tmp_path, field, value, message):
    _check(call(*FAKE, f'--config.{field}', value), message)
    assert not list(tmp_path.iterdir())


def test_an_unknown_precision(call, tmp_path):
    answer = call(*FAKE, '--precision', 'tf32')
    _check(answer, "no --precision 'tf32'; choose from highest, high, default")
    assert not list(tmp_path.iterdir())


def test_seeds_together_that_cannot_be(call, tmp_path):
    answer = call(*FAKE, '--seeds-together', '-1')
    _check(answer, 'seeds together are -1: give a number, or 0 for all of them')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('option', 'value'), [('data_on_device', 'always'), ('seeds_together', 0)]
)
def test_a_study_has_no_flags_of_a_training(tmp_path, option, value):
    study = runs.Study('a', dann.fast(), 'b', (), None, None, across='n')
    flag = f'--{option.replace("_", "-")}'
    with pytest.raises(ValueError, match=f'{flag} is for trainings; this experiment'):
        launch.execute(study, tmp_path, **{option: value})


def test_evaluations_and_weights_that_cannot_be():
    for change, message in (
        ({'evaluations': 0}, 'evaluations is 0: give 1 or more'),
        ({'weight': float('nan')}, 'weight is nan: give a finite number'),
        ({'weight': -0.1}, 'weight is -0.1: give 0 or more'),
    ):
        with pytest.raises(ValueError, match=message):
            cli.launch.check_config(digits.Config(**change))


def test_a_batch_larger_than_a_domain(call):
    answer = call(*FAKE, '--config.batch', 1000)
    _check(answer, '--config.batch', '500 images of the source', '256')


def test_an_empty_folder(call, tmp_path):
    (tmp_path / 'empty').mkdir()
    spec = f'folder:{tmp_path / "empty"}'
    answer = call('--config.source', spec, '--config.target', spec)
    _check(answer, 'empty', 'no images', '<class>/<file>')


def test_a_corrupt_image_is_named(call, tmp_path):
    root = _images(tmp_path / 'mine', ['a', 'b'])
    (root / 'b' / '1.png').write_bytes(b'no image')
    spec = f'folder:{root}'
    answer = call('--config.source', spec, '--config.target', spec)
    _check(answer, str(pathlib.Path('b', '1.png')))


def test_classes_that_differ_are_listed_on_both_sides(call, tmp_path):
    one = _images(tmp_path / 'one', ['cat', 'dog'])
    two = _images(tmp_path / 'two', ['cat', 'horse'])
    answer = call(
        '--config.source', f'folder:{one}', '--config.target', f'folder:{two}'
    )
    _check(answer, 'only source one has dog', 'only target two has horse')


def test_a_missing_data_set_says_how_to_get_it(call, tmp_path):
    flags = ['--config.pair', 'mnist_to_usps', '--data-dir', tmp_path]
    answer = call(*flags)
    _check(answer, 'mnist is missing', 'experiments.data prepare mnist', lines=None)
    assert str(tmp_path) in answer[1].replace('\n', '')


def test_a_start_without_its_data_leaves_no_folder_that_refuses(call, tmp_path):
    run_dir = tmp_path / 'run'
    flags = ['--data-dir', tmp_path, '--run-dir', run_dir]
    answer = call('--config.pair', 'mnist_to_usps', *flags)
    _check(answer, 'mnist is missing', lines=None)
    assert not run_dir.exists()
    corrected = dann.Config(pair='fake_to_fake_shifted')
    with folder.claim(run_dir, 'adaptation.dann', corrected):
        pass


def test_a_run_folder_that_cannot_be_written(call, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    answer = call(*FAKE, '--run-dir', tmp_path / 'file' / 'run')
    _check(answer, 'cannot write run folder', '--run-dir')


def test_a_run_folder_in_use(call, tmp_path):
    config = dann.Config(pair='fake_to_fake_shifted')
    with folder.claim(tmp_path / 'run', 'adaptation.dann', config):
        answer = call(*FAKE, '--run-dir', tmp_path / 'run')
    _check(answer, 'in use by another process')


def test_a_run_folder_of_another_config_names_the_fields(call, tmp_path):
    config = dann.Config(pair='fake_to_fake_shifted', steps=7)
    with folder.claim(tmp_path / 'run', 'adaptation.dann', config):
        pass
    answer = call(*FAKE, '--run-dir', tmp_path / 'run', '--config.rate', 0.5)
    _check(answer, 'steps: 7 there, 10000 here', 'rate: 0.01 there, 0.5 here')


def test_a_warning_takes_one_line(capsys):
    before = warnings.showwarning
    with launch.errors(debug=False):
        warnings.showwarning('a file is left out', UserWarning, 'x.py', 3)
    said = ''.join(capsys.readouterr())
    assert said == 'warning: a file is left out\n'
    assert warnings.showwarning is before


def test_debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['x', '--config.pair', 'a_to_b', '--debug'])
    with pytest.raises(ValueError, match='no pair'):
        cli.main(dann.Config, dann.build)


def test_nothing_is_left_behind_by_a_refused_command(call, tmp_path):
    call('--config.pair', 'a_to_b')
    assert not list(tmp_path.iterdir())


def test_in_a_process_of_its_own(tmp_path):
    """The same through `python -m`, where an uncaught error would show."""
    command = [sys.executable, '-m', 'experiments.adaptation.dann']

    def run(*flags):
        return subprocess.run(
            [*command, *flags],
            cwd=tmp_path,
            env=os.environ | {'PYTHONPATH': str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    known = run('--config.pair', 'a_to_b')
    assert known.returncode == 2 and known.stdout == ''
    assert known.stderr.startswith("error: no pair 'a_to_b'")
    assert len(known.stderr.splitlines()) == 1
    shown = run('--config.pair', 'a_to_b', '--debug')
    assert shown.returncode == 1
    assert 'Traceback' in shown.stderr and 'no pair' in shown.stderr
