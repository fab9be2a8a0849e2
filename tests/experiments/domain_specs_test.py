"""How a command line names a domain, and how many classes a folder has."""

import pytest
from PIL import Image

from experiments.tasks import digit_pairs, domain_specs, photo_pairs


@pytest.mark.parametrize(
    'layout',
    ['{}', 'train/{} val/{}', 'Train/{} Test/{}', 'train/{}', '{} __MACOSX/{}'],
)
def test_classes_of_a_folder_are_counted_without_splits(tmp_path, layout):
    for part in layout.split():
        for name in 'abc':
            path = tmp_path / part.format(name) / 'x.png'
            path.parent.mkdir(parents=True)
            Image.new('L', (8, 8)).save(path)
    spec = f'folder:{tmp_path}'
    assert domain_specs.count_folder_classes(tmp_path) == 3
    assert photo_pairs.count_classes(spec) == 3
    assert digit_pairs.task('mnist_to_usps', spec, spec).classes == 3


def test_tables_show_no_folder_of_a_machine(tmp_path):
    task = photo_pairs.Task(f'folder:{tmp_path}/mine/', 'office_dslr', 'net', 96, 0)
    assert str(task) == 'mine_to_dslr, net 96'
