"""Labels of two domains are matched by the names of their classes."""

import numpy as np
import pytest

from tests.data import pictures
from transfer_jax.data import class_names, lazy, sources


def _domain(name, classes):
    n = len(classes)
    part = sources.Arrays(np.zeros((n, 2, 2, 3), np.uint8), np.arange(n), classes)
    return sources.Domain(name, classes, part, part)


def test_labels_follow_the_names_of_the_source():
    source, target = _domain('a', ('x', 'y', 'z')), _domain('b', ('z', 'x', 'y'))
    assert class_names.match(source, source) is source
    matched = class_names.match(source, target)
    assert matched.classes == matched.test.classes == ('x', 'y', 'z')
    assert matched.train.label.tolist() == [2, 0, 1]


def test_files_that_are_read_lazily_are_renumbered_too(tmp_path):
    for name in ('x/0.png', 'x/1.png', 'y/2.png', 'y/3.png'):
        pictures.save(tmp_path, name)
    source = _domain('a', ('y', 'x'))
    target = lazy.load(f'folder:{tmp_path}')
    matched = class_names.match(source, target)
    assert matched.classes == matched.train.classes == ('y', 'x')
    assert matched.train.paths == target.train.paths
    np.testing.assert_array_equal(matched.train.label, 1 - target.train.label)


def test_classes_of_one_domain_alone_are_named():
    source = _domain('a', ('cat', 'dog'))
    target = _domain('b', ('dog', *(f'{i:03d}' for i in range(300))))
    words = 'only source a has cat; only target b has 000, .*, 009 and 290 more$'
    with pytest.raises(ValueError, match=words):
        class_names.match(source, target)


@pytest.mark.parametrize('name', ['dog', ' Dog ', 'DOG'])
def test_other_spellings_are_named(name):
    source, target = _domain('a', ('Dog', 'b')), _domain('b', ('b', name))
    with pytest.raises(ValueError, match='only in capitals, spaces') as error:
        class_names.match(source, target)
    assert f"'Dog' and '{name}'" in str(error.value)


def test_accents_of_two_forms_are_named():
    source, target = _domain('a', ('caf\u00e9',)), _domain('b', ('cafe\u0301',))
    with pytest.raises(ValueError, match='accents'):
        class_names.match(source, target)
