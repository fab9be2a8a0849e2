"""Preparing data sets, and the command for it."""

import gzip
import importlib.util
import re

import numpy as np
import pytest
from PIL import Image

from experiments import data as command
from transfer_jax.data import domains, files, prepare, syn_digits


def test_usps_is_converted_from_an_unpacked_folder(tmp_path):
    source = tmp_path / 'download'
    source.mkdir()
    for split in ('train', 'test'):
        with gzip.open(source / f'zip.{split}.gz', 'wt') as file:
            file.write('3 ' + '-1.000 ' * 256 + '\n')
    home = tmp_path / 'data'
    folders = prepare.prepare('usps', data_dir=str(home), unpacked=str(source))
    assert folders == [home / 'usps']
    assert domains.load('usps', size=16, data_dir=home).train.label.tolist() == [3]
    assert prepare.prepare('usps', data_dir=str(home)) == folders  # there already


def test_photographs_of_mnist_m_are_copied(tmp_path):
    source = tmp_path / 'BSDS500' / 'data' / 'images'
    for split in ('train', 'val'):
        (source / split).mkdir(parents=True)
        picture = Image.fromarray(np.zeros((40, 40, 3), np.uint8))
        picture.save(source / split / f'{split}_1.jpg')
    prepare.prepare('bsds500', data_dir=str(tmp_path / 'd'), unpacked=str(tmp_path))
    paths = files.find('bsds500', (tmp_path / 'd',))
    assert paths == [tmp_path / 'd' / 'bsds500' / 'train' / 'train_1.jpg']


def test_synthetic_digits_are_generated_once(tmp_path, monkeypatch):
    monkeypatch.setattr(syn_digits, 'TRAIN', 2)
    monkeypatch.setattr(syn_digits, 'TEST', 1)
    folders = prepare.prepare('syn_digits', data_dir=str(tmp_path))
    assert folders == [tmp_path / 'syn_digits']
    assert syn_digits.stored((tmp_path,)) is not None


def test_errors_say_which_files_to_get(tmp_path):
    with pytest.raises(files.MissingData, match='zip.train.gz'):
        prepare.prepare('usps', data_dir=str(tmp_path))
    with pytest.raises(ValueError, match='holds no 000NN/TTTTT_FFFFF.ppm'):
        prepare.prepare('gtsrb', data_dir=str(tmp_path), unpacked=str(tmp_path))
    with pytest.raises(ValueError, match='has no train-images'):
        prepare.prepare('mnist', data_dir=str(tmp_path), unpacked=str(tmp_path))
    with pytest.raises(ValueError, match='no such folder'):
        prepare.prepare('usps', data_dir=str(tmp_path), unpacked=str(tmp_path / 'x'))
    with pytest.raises(ValueError, match='leave out --from'):
        prepare.prepare('svhn', data_dir=str(tmp_path), unpacked=str(tmp_path))
    with pytest.raises(ValueError, match="unknown data set 'novels'.*bsds500"):
        prepare.prepare('novels', data_dir=str(tmp_path))


def test_tfds_without_tensorflow_says_what_to_install(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name, *rest: None if name == 'tensorflow' else find_spec(name, *rest),
    )
    for name in ('mnist', 'svhn', 'mnist_m'):
        with pytest.raises(ValueError, match=r'pip install transfer-jax\[prepare\]'):
            prepare.prepare(name, data_dir=str(tmp_path))


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    asked = []

    def builder(name, **options):
        asked.append((name, options))
        raise ConnectionError('no route to host\nand more')

    monkeypatch.setattr(tfds, 'builder', builder)
    with pytest.raises(ValueError, match='tfds shapes: .*no route to host') as error:
        prepare.prepare('tfds:shapes', data_dir=str(tmp_path))
    assert '\n' not in str(error.value) and 'and more' not in str(error.value)
    assert asked == [('shapes', {'data_dir': tmp_path, 'file_format': 'array_record'})]


def test_an_unwritable_data_folder_is_refused(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='cannot be written'):
        prepare.prepare('syn_digits', data_dir=str(tmp_path / 'file' / 'data'))


def test_the_list_names_every_domain(capsys, tmp_path):
    command.main(['list', '--data-dir', str(tmp_path)])
    output = capsys.readouterr().out
    lines = output.splitlines()
    for entry in domains.describe(tmp_path):
        (line,) = [one for one in lines if one.split()[:1] == [entry.name]]
        assert entry.description in line and entry.folders in line
    for entry in domains.describe_others(tmp_path):
        (line,) = [one for one in lines if one.split()[:1] == [entry.name]]
        assert entry.description in line and line.split()[-2:] == [entry.folders, 'no']
    assert 'looked in' in output


@pytest.mark.parametrize('width', [80, 135])
def test_the_list_cuts_nothing_on_a_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv('FORCE_COLOR', '1')
    monkeypatch.setenv('COLUMNS', str(width))
    command.main(['list'])
    output = re.sub(r'\x1b\[[\d;]*m', '', capsys.readouterr().out)
    table, _, _ = output.partition('looked in')
    assert '\u2026' not in table
    assert max(len(line) for line in table.splitlines()) <= width
    for entry in domains.describe():
        assert re.search(f'\n {entry.name} .* {re.escape(entry.folders)} ', table)
        assert (entry.description in table) == (width > 80)


def test_show_writes_a_picture_of_samples(capsys, tmp_path):
    path = tmp_path / 'fake.png'
    command.main(['show', 'fake', '--to', str(path), '--size', '12'])
    with Image.open(path) as picture:
        assert np.asarray(picture).std() > 5
    assert str(path) in capsys.readouterr().out


def test_show_says_what_of_a_folder_is_left_out(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('cat', 'dog'):
        (tmp_path / 'mine' / name).mkdir(parents=True)
        for i in range(3):
            path = tmp_path / 'mine' / name / f'{i}.png'
            Image.new('L', (8, 8), 40 * i).save(path)
    (tmp_path / 'mine' / 'cat' / 'notes.txt').write_text('')
    path.write_text('damaged')
    with pytest.raises(SystemExit):
        command.main(['show', 'folder:mine'])
    output = capsys.readouterr().out
    assert 'dog/2.png' in output and output.endswith(
        '(--skip-unreadable of experiments.adapt)\n'
    )
    command.main(['show', 'folder:mine', '--skip-unreadable'])
    output = capsys.readouterr().out
    assert 'warning: left out of mine: 1 no image (1 .txt)' in output
    assert 'warning: left out of mine: 1 of 6 files cannot be read: dog/2.png' in output
    assert 'samples: mine.png' in output and (tmp_path / 'mine.png').exists()


def test_the_command_leaves_with_one_message_and_code_2(capsys, tmp_path):
    for args in (
        ['show', 'mnits'],
        ['prepare', 'novels'],
        ['show', 'usps', '--data-dir', str(tmp_path)],
    ):
        with pytest.raises(SystemExit) as error:
            command.main(args)
        assert error.value.code == 2
        assert capsys.readouterr().out.startswith('error: ')
    with pytest.raises(ValueError, match='mnits'):
        command.main(['show', 'mnits', '--debug'])


def test_fake_domains_need_no_files(capsys):
    command.main(['prepare', 'fake'])
    assert 'needs no files' in capsys.readouterr().out
