"""Images of several labels each, for classification: PASCAL VOC and its like.

Training and test images are those of the published lists, ImageSets/Main: trainval and
test of VOC 2007; train and val of VOC 2012, whose test labels are not published.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from experiments.tasks import annotated_parts
from transfer_jax import data
from transfer_jax.data import images

NAMES = ('voc2007', 'voc2012', 'coco2014', 'fake_voc')


class Parts(NamedTuple):
    """Training and test images; labels (n, c) are 1, 0, or -1: does not count."""

    classes: tuple[str, ...]
    train: 'Photographs'
    test: 'Photographs'
    label: np.ndarray
    test_label: np.ndarray


@dataclasses.dataclass(frozen=True)
class Photographs:
    """The images of data.voc.Annotated at one size, as a source without labels."""

    annotated: data.voc.Annotated
    size: int

    def __len__(self) -> int:
        return len(self.annotated.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = self.annotated.load_image(index)
        return {'image': images.fit(image, self.size)}


def has_labels(spec: str) -> bool:
    """Whether images of these data have several labels: voc2007, voc2012, voc:PATH."""
    kind, _, path = spec.partition(':')
    return spec in NAMES or bool(kind == 'voc' and path)


def load(spec: str, size: int, data_dir: str | None) -> Parts:
    """The published training and test images.

    Args:
      spec: voc2007, voc2012, or voc:PATH, a folder of JPEGImages, Annotations and
        ImageSets/Main.

    Raises:
      ValueError: a list is missing, or the data cannot be read; one line.
      MissingData: the data are not in the data folder.
    """
    if spec == 'fake_voc':
        train, test = data.voc.fake(12, 0), data.voc.fake(12, 1)
    else:
        train, test = annotated_parts.parts(spec, data_dir)
    return Parts(
        train.classes,
        *(Photographs(part, size) for part in (train, test)),
        *(data.voc.multi_hot(part) for part in (train, test)),
    )
