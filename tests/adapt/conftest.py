"""Folders of small pictures: labelled ones, and others without labels."""

import pytest
from PIL import Image

from transfer_jax import data


@pytest.fixture(scope='session')
def domains():
    return data.load('fake', size=32), data.load('fake_shifted', size=32)


@pytest.fixture(scope='session')
def folders(domains, tmp_path_factory):
    """(source with class folders, flat target, labelled target)."""
    root = tmp_path_factory.mktemp('pictures')
    source, target = domains
    for name, part in (('here', source.train), ('known', target.test)):
        for i in range(40):
            folder = root / name / f'class {part.label[i]}'
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part.image[i]).save(folder / f'{i}.png')
    (root / 'there').mkdir()
    for i, image in enumerate(target.train.image[:30]):
        Image.fromarray(image).save(root / 'there' / f'{i:02d}.png')
    return root / 'here', root / 'there', root / 'known'
