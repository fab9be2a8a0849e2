"""Loading domains by name and from a user's own files."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import domains, files, sources, svhn


def _images(n, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, size, size, 3), dtype=np.uint8)


def _write_folder(root, image, labels):
    for number, (picture, label) in enumerate(zip(image, labels, strict=True)):
        folder = root / f'class_{label}'
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f'{number}.png')


@pytest.mark.parametrize('name', ['digits', 'digits_m', 'fake', 'fake_shifted'])
@pytest.mark.parametrize('channels', [1, 3])
def test_embedded_domains_come_in_the_size_asked_for(name, channels):
    domain = domains.load(name, size=12, channels=channels)
    assert domain.name == name
    for part in (domain.train, domain.test):
        assert part.image.shape[1:] == (12, 12, channels)
        assert part.image.dtype == np.uint8 and part.label.dtype == np.int32
        assert part.label.max() < len(domain.classes) == len(part.classes)


def test_loads_are_kept_and_cannot_be_changed():
    domain = domains.load('fake', size=12)
    assert domains.load('fake', size=12) is domain
    assert domains.load('fake', size=13) is not domain
    with pytest.raises(ValueError, match='read-only'):
        domain.train.image[0] = 0


def test_unknown_names_are_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"'mnits' \(did you mean mnist\?\).*usps"):
        domains.load('mnits', size=28)
    for spec in ('folder:', 'zip:/x', ''):
        with pytest.raises(ValueError, match='folder:PATH'):
            domains.load(spec, size=28)
    with pytest.raises(ValueError, match='channels 2'):
        domains.load('fake', size=28, channels=2)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('mnist', ['LeCun', 'TFDS mnist', 'train-images-idx3-ubyte.gz']),
        ('mnist_m', ['LeCun']),
        ('usps', ['zip.train.gz', 'usps/usps_16x16.npz', '--from FOLDER']),
        ('svhn', ['Netzer', 'svhn_cropped']),
        ('gtsrb', ['Stallkamp', 'gtsrb/gtsrb_40x40.npz']),
        ('syn_signs', ['Moiseev', 'synsigns/']),
    ],
)
def test_missing_data_say_what_where_and_how(tmp_path, name, words):
    with pytest.raises(domains.MissingData) as error:
        domains.load(name, size=28, data_dir=tmp_path)
    first = name.split('_m')[0]
    command = f'python -m experiments.data prepare {first}'
    for word in [*words, str(tmp_path), command]:
        assert word in str(error.value)


def test_the_search_path_is_argument_then_variable_then_home(monkeypatch):
    monkeypatch.setenv(files.VARIABLE, f'a{os.pathsep}b')
    assert domains.data_dirs('c') == (pathlib.Path('c'),)
    assert domains.data_dirs() == (pathlib.Path('a'), pathlib.Path('b'))
    monkeypatch.delenv(files.VARIABLE)
    assert domains.data_dirs() == (pathlib.Path.home() / 'tensorflow_datasets',)


def test_the_default_folders_can_be_others_for_a_while(monkeypatch):
    monkeypatch.setenv(files.VARIABLE, 'a')
    with files.searched('b'):
        assert domains.data_dirs() == (pathlib.Path('b'),)
    with files.searched(None):
        assert domains.data_dirs() == (pathlib.Path('a'),)
    monkeypatch.delenv(files.VARIABLE)
    with pytest.raises(KeyError), files.searched('b'):
        raise KeyError
    assert files.VARIABLE not in os.environ


def test_a_set_is_found_in_any_folder_of_the_path(tmp_path):
    (tmp_path / 'b' / 'usps').mkdir(parents=True)
    (tmp_path / 'b' / 'usps' / 'usps_16x16.npz').touch()
    dirs = domains.data_dirs(f'{tmp_path}/a{os.pathsep}{tmp_path}/b')
    assert files.find('usps', dirs) == [dirs[1] / 'usps' / 'usps_16x16.npz']
    lines = {line.name: line for line in domains.describe(f'{tmp_path}/b')}
    assert lines['usps'].present and lines['digits'].present
    assert not lines['mnist_m'].present
    assert set(lines) == set(domains.NAMED)


def test_a_folder_in_one_piece_is_cut_by_digest(tmp_path):
    _write_folder(tmp_path, _images(20), np.arange(20) % 2)
    domain = domains.load(f'folder:{tmp_path}', size=6)
    assert domain.classes == ('class_0', 'class_1')
    assert (len(domain.train), len(domain.test)) == (16, 4)
    whole = data.folders.from_folder(tmp_path)
    both = np.concatenate([domain.train.image, domain.test.image])
    np.testing.assert_array_equal(both, whole.image)


def test_files_moved_between_classes_leave_both_parts(tmp_path):
    image, labels = _images(20), np.arange(20) % 2
    _write_folder(tmp_path / 'a', image, labels)
    _write_folder(tmp_path / 'b', image, labels[::-1])
    one, two = (domains.load(f'folder:{tmp_path}/{name}', size=6) for name in 'ab')
    assert (one.train.label != two.train.label).any()
    np.testing.assert_array_equal(one.train.image, two.train.image)
    np.testing.assert_array_equal(one.test.image, two.test.image)


def test_a_folder_with_train_and_test_keeps_them(tmp_path):
    _write_folder(tmp_path / 'train', _images(6), [0, 0, 1, 1, 2, 2])
    _write_folder(tmp_path / 'test', _images(2, seed=1), [2, 1])
    domain = domains.load(f'folder:{tmp_path}', size=6)
    assert (len(domain.train), len(domain.test)) == (6, 2)
    assert sorted(domain.test.label) == [1, 2]  # numbered as in train
    _write_folder(tmp_path / 'test', _images(1, seed=2), [7])
    with pytest.raises(ValueError, match='class_7'):
        domains.load(f'folder:{tmp_path}', size=6)


def test_the_parts_of_a_folder_are_views_of_one_array(tmp_path):
    _write_folder(tmp_path / 'mine', _images(20), np.arange(20) % 2)
    domain = domains.load(f'folder:{tmp_path}/mine/', size=6)
    assert domain.name == 'mine'
    assert domain.train.image.base is domain.test.image.base is not None
    with pytest.raises(ValueError, match='read-only'):
        domain.train.image[0] = 0


def test_a_changed_folder_is_read_again_also_behind_a_link(tmp_path):
    _write_folder(tmp_path / 'real', _images(4), [0, 0, 1, 1])
    (tmp_path / 'linked').mkdir()
    for name in ('class_0', 'class_1'):
        (tmp_path / 'linked' / name).symlink_to(tmp_path / 'real' / name)
    spec = f'folder:{tmp_path}/linked'
    assert len(domains.load(spec, size=6).train) == 3
    Image.fromarray(_images(1, seed=9)[0]).save(tmp_path / 'real' / 'class_1' / '9.png')
    assert len(domains.load(spec, size=6).train) == 4


def test_unreadable_files_are_left_out_on_demand(tmp_path):
    _write_folder(tmp_path, _images(6), [0, 0, 0, 1, 1, 1])
    (tmp_path / 'class_1' / '5.png').write_bytes(b'')
    spec = f'folder:{tmp_path}'
    with pytest.raises(ValueError, match='1 of 6 files cannot be read: class_1/5.png'):
        domains.load(spec, size=6)
    with pytest.warns(UserWarning, match='class_1/5.png'):
        domain = domains.load(spec, size=6, skip_unreadable=True)
    assert len(domain.train) + len(domain.test) == 5


def test_an_error_of_the_system_is_one_line(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, 'Permission denied', '/data/x')

    _write_folder(tmp_path, _images(4), [0, 0, 1, 1])
    monkeypatch.setattr(data.folders, 'parts', refuse)
    with pytest.raises(ValueError, match=r'^/data/x: cannot be read \(Permission'):
        domains.load(f'folder:{tmp_path}', size=6)


def test_labels_permuted_in_an_npz_leave_both_parts(tmp_path):
    image, label = _images(20), np.arange(20) // 10
    path = tmp_path / 'a.npz'
    np.savez(path, image=image, label=label)
    first = domains.load(f'npz:{path}', size=6)
    assert set(first.test.label) == {0, 1}  # a file sorted by class is not cut in order
    np.savez(path, image=image, label=label[::-1], classes=['cat', 'dog'])
    second = domains.load(f'npz:{path}', size=6)
    assert second.classes == ('cat', 'dog')  # the changed file was read again
    np.testing.assert_array_equal(second.train.label, 1 - first.train.label)
    np.testing.assert_array_equal(first.train.image, second.train.image)
    np.testing.assert_array_equal(first.test.image, second.test.image)


def test_an_npz_with_parts_keeps_them(tmp_path):
    parts = {'train_x': _images(5), 'test_x': _images(3, seed=1)}
    labels = {'train_y': np.arange(5), 'test_y': np.arange(3)}
    np.savez(tmp_path / 'a.npz', **parts, **labels)
    domain = domains.load(f'npz:{tmp_path}/a.npz', size=6)
    np.testing.assert_array_equal(domain.test.image, parts['test_x'])
    assert len(domain.classes) == 5 and len(domain.train) == 5


def test_one_image_cannot_be_cut(tmp_path):
    _write_folder(tmp_path, _images(1), [0])
    with pytest.raises(ValueError, match='cannot be cut'):
        domains.load(f'folder:{tmp_path}', size=6)


def test_tfds_sets_are_found_on_the_search_path(tmp_path, monkeypatch):
    with pytest.raises(domains.MissingData, match='prepare tfds:shapes'):
        domains.load('tfds:shapes', size=6, data_dir=tmp_path)
    (tmp_path / 'shapes').mkdir()

    def from_tfds(name, split, folder, size):
        assert (name, folder, size) == ('shapes', tmp_path, 6)
        n = {'train': 10, 'test': 3}[split]
        return sources.Arrays(_images(n), np.zeros(n, np.int32), ('round',))

    monkeypatch.setattr(sources, 'from_tfds', from_tfds)
    for splits, sizes in ((('train',), (8, 2)), (('train', 'test'), (10, 3))):
        monkeypatch.setattr(sources, 'tfds_splits', lambda *_, s=splits: s)
        domains._load.cache_clear()
        domain = domains.load('tfds:shapes', size=6, data_dir=tmp_path)
        assert (len(domain.train), len(domain.test)) == sizes


def test_svhn_is_read_from_tfds(tmp_path, monkeypatch):
    (tmp_path / 'svhn_cropped' / '3.1.0').mkdir(parents=True)
    (tmp_path / 'svhn_cropped' / '3.1.0' / 'dataset_info.json').touch()
    asked = []

    def from_tfds(name, split, folder):
        asked.append((name, split, folder))
        return sources.Arrays(_images(4, 32), np.arange(4, dtype=np.int32))

    monkeypatch.setattr(sources, 'from_tfds', from_tfds)
    domain = domains.load('svhn', size=32, data_dir=tmp_path)
    assert [split for _, split, _ in asked] == ['train', 'test']
    assert asked[0] == ('svhn_cropped', 'train', tmp_path)
    assert domain.classes == svhn.CLASSES and domain.train.image.shape[1:] == (
        32,
        32,
        3,
    )


def test_importing_the_data_package_loads_nothing_heavy():
    heavy = 'jax tensorflow tensorflow_datasets grain sklearn matplotlib scipy PIL'
    script = (
        'import sys, transfer_jax.data\n'
        f'loaded = [m for m in {heavy.split()} if m in sys.modules]\n'
        'assert not loaded, loaded'
    )
    root = pathlib.Path(domains.__file__).parents[2]
    subprocess.run([sys.executable, '-c', script], check=True, cwd=root)
