"""Which class an id of a published mask means; VOID for those that are no class."""

from collections.abc import Mapping
from typing import NamedTuple

from transfer_jax.data import voc

VOID = 255


class Labels(NamedTuple):
    """Names of the classes, and {id of the files: class or VOID}."""

    classes: tuple[str, ...]
    ids: Mapping[int, int]


# The classes of evaluation of Cityscapes in the order of their train ids.
CITYSCAPES = (
    *('road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light'),
    *('traffic sign', 'vegetation', 'terrain', 'sky', 'person', 'rider', 'car'),
    *('truck', 'bus', 'train', 'motorcycle', 'bicycle'),
)
# The 16 that SYNTHIA has too, as in ADVENT. AdaptSegNet's 13 leave out wall, fence and
# pole; later tables give the mean over 16 and over these 13.
SIXTEEN = tuple(c for c in CITYSCAPES if c not in ('terrain', 'truck', 'train'))
THIRTEEN = tuple(c for c in SIXTEEN if c not in ('wall', 'fence', 'pole'))

# labelIds of cityscapesScripts, labels.py; the others of 0 to 33 are not evaluated.
_CITYSCAPES_IDS = dict(
    zip(
        (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33),
        CITYSCAPES,
        strict=True,
    )
)
# README.txt of SYNTHIA-RAND-CITYSCAPES. Void, parking slot, road work and lane
# marking (0, 13, 14, 22) have no class of Cityscapes.
_SYNTHIA_IDS = {
    **{1: 'sky', 2: 'building', 3: 'road', 4: 'sidewalk', 5: 'fence'},
    **{6: 'vegetation', 7: 'pole', 8: 'car', 9: 'traffic sign', 10: 'person'},
    **{11: 'bicycle', 12: 'motorcycle', 15: 'traffic light', 16: 'terrain'},
    **{17: 'rider', 18: 'truck', 19: 'bus', 20: 'train', 21: 'wall'},
}


def _labels(classes: tuple[str, ...], names: dict[int, str], last: int) -> Labels:
    """Of the ids 0 to `last`; those whose name is no class are VOID."""
    label = {name: i for i, name in enumerate(classes)}
    ids = {i: label.get(names.get(i, ''), VOID) for i in range(last + 1)}
    return Labels(classes, ids)


# {number of classes: labels}, the usual number first
VOC2012 = {
    21: Labels(('background', *voc.CLASSES), {**{i: i for i in range(21)}, VOID: VOID})
}
CITYSCAPES_BY_NUMBER = {
    len(c): _labels(c, _CITYSCAPES_IDS, 33) for c in (CITYSCAPES, SIXTEEN, THIRTEEN)
}
# Its 34 is the licence plate, which Cityscapes numbers -1.
GTA5 = {
    len(c): _labels(c, _CITYSCAPES_IDS, 34) for c in (CITYSCAPES, SIXTEEN, THIRTEEN)
}
SYNTHIA = {len(c): _labels(c, _SYNTHIA_IDS, 22) for c in (SIXTEEN, THIRTEEN)}
