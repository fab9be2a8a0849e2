"""How a command line names a domain, and how many classes a folder has."""

import pytest
from PIL import Image

from experiments.tasks import digit_pairs, domain_specs, photo_pairs
from tests.miniatures import classification


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


def test_classes_of_published_sets_are_counted_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv('TRANSFER_JAX_DATA', str(tmp_path))
    assert photo_pairs.count_classes('visda2017_train') == 12
    assert photo_pairs.count_classes('domainnet_sketch') == 345
    classification.office31(tmp_path)
    assert photo_pairs.count_classes('office31_amazon') == 3
    with pytest.raises(ValueError, match='pacs_photo.* officehome_art.* folder:PATH'):
        photo_pairs.count_classes('mnist')


def test_a_pair_of_office31_has_all_images_of_both_domains(tmp_path, monkeypatch):
    """Both parts of a domain are joined; the target has no labels in training."""
    classification.office31(tmp_path)
    monkeypatch.setattr(photo_pairs.encoders, 'load', lambda *_: None)
    task = photo_pairs.Task('office31_amazon', 'office31_webcam', 'none', 16, 0)
    pair = photo_pairs.load(task, 0, str(tmp_path))
    assert pair.classes == ('back_pack', 'bike', 'mug')
    assert len(pair.source) + len(pair.source_validation) == 24
    assert len(pair.target) == len(pair.target_test) == 24
    assert not hasattr(pair.target, 'label')
    assert str(task) == 'office31_amazon_to_office31_webcam, none 16'
