"""Where the classes of a user's folder are."""

import pytest

from tests.data import pictures
from transfer_jax.adapt import reading


def folder(root, *names):
    for name in names:
        for number in range(2):
            pictures.save(root, f'{name}/{number}.png')
    return str(root)


def test_an_archive_in_a_folder_of_its_own_is_unwrapped(tmp_path):
    path = folder(tmp_path, 'all/data/cat', 'all/data/dog')
    found = reading.labelled(path, reading.Options())
    assert (found.classes, found.count, found.left_out) == (('cat', 'dog'), 4, '')


def test_one_class_stays_one(tmp_path):
    found = reading.labelled(folder(tmp_path, 'cat'), reading.Options())
    assert found.classes == ('cat',)
    path = folder(tmp_path / 'deep', 'cat/2020', 'cat/2021', 'dog')
    assert reading.labelled(path, reading.Options()).left_out == ''


def test_folders_that_may_be_the_classes_are_told(tmp_path):
    path = folder(tmp_path, 'one/cat', 'one/dog', 'two/cat', 'two/dog', 'two/cow')
    found = reading.labelled(path, reading.Options())
    assert found.classes == ('one', 'two')
    assert 'each has the folders cat, dog, which are joined' in found.left_out
    assert found.left_out.endswith(f'give {tmp_path / "one"}')


@pytest.mark.parametrize('read', [reading.labelled, reading.unlabelled])
def test_what_is_not_there_says_what_is_expected(tmp_path, read):
    with pytest.raises(ValueError, match='there is no such folder; give a folder'):
        read(str(tmp_path / 'nothing'), reading.Options())
    file = tmp_path / 'notes.txt'
    file.write_text('x')
    with pytest.raises(ValueError, match='is no folder; give a folder') as error:
        read(str(file), reading.Options())
    assert ('each class' in str(error.value)) == (read is reading.labelled)
