"""Photographs with boxes, by their published training and test lists."""

import pathlib

from transfer_jax import data

# Names of a training and a test list, the first that a folder has
LISTS = (('trainval', 'test'), ('train', 'test'), ('train', 'val'))


def parts(
    name: str, data_dir: str | None
) -> tuple[data.voc.Annotated, data.voc.Annotated]:
    """The published training and test photographs of voc2007, voc2012 and coco2014.

    Trained on trainval and tested on test of VOC 2007; trained on train and tested on
    val of VOC 2012 and COCO 2014, whose test labels are not published. voc:PATH and
    voc_lenient:PATH have the lists of the folder: trainval and test, else train and
    test, else train and val.

    Raises:
      ValueError: an unknown name, a folder without two such lists, or an image of both
        parts.
      MissingData: the photographs are not in the data folder.
    """
    kind, _, path = name.partition(':')
    if name == 'fake':
        train, test = data.voc.fake(8), data.voc.fake(6, seed=1)
    elif name == 'voc2007':
        train, test = (data.voc.published(2007, s, data_dir) for s in LISTS[0])
    elif name == 'voc2012':
        train, test = (data.voc.published(2012, s, data_dir) for s in LISTS[-1])
    elif name == 'coco2014':
        train, test = (data.coco.published(2014, s, data_dir) for s in LISTS[-1])
    elif kind in ('voc', 'voc_lenient') and path:
        lenient = kind == 'voc_lenient'
        first, second = _lists(pathlib.Path(path).expanduser())
        train = data.voc.read(path, first, lenient=lenient)
        test = data.voc.read(path, second, train.classes, lenient=lenient)
    else:
        raise ValueError(
            f'no data {name!r}; choose from voc2007, voc2012, coco2014, voc:PATH or '
            'voc_lenient:PATH'
        )
    both = set(train.files) & set(test.files)
    if both and name != 'fake':
        raise ValueError(f'{min(both)}: is in the training and in the test images')
    return train, test


def _lists(folder: pathlib.Path) -> tuple[str, str]:
    """The names of the training and the test list of a folder."""
    if not folder.is_dir():
        raise ValueError(f'{folder}: there is no such folder')
    names = {path.stem for path in (folder / 'ImageSets' / 'Main').glob('*.txt')}
    for pair in LISTS:
        if names.issuperset(pair):
            return pair
    choices = ', or '.join(f'{a}.txt and {b}.txt' for a, b in LISTS)
    raise ValueError(
        f'{folder}/ImageSets/Main: needs {choices}; experiments.localization.fruit '
        'cuts a folder without test images into folds'
    )
