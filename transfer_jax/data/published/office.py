"""Office-31 (Saenko et al., ECCV 2010), Office-Home (Venkateswara et al., CVPR 2017).

Neither has a published split: papers on adaptation use all images of a domain.
"""

import pathlib
from collections.abc import Callable

from transfer_jax.data import listed
from transfer_jax.data.listed import Listed

OFFICE31 = ('amazon', 'dslr', 'webcam')
OFFICE_HOME = {  # {name: its folder, in the archives that are in use}
    'art': ('Art',),
    'clipart': ('Clipart',),
    'product': ('Product',),
    'real_world': ('Real World', 'RealWorld', 'Real_World'),
}


def reader(name: str) -> Callable[[pathlib.Path], Listed]:
    """A reader of images `<class>/<file>`; classes have the names of their folders.

    Images are stretched to a square, as those of Office-Caltech10 are here.
    """

    def read(folder: pathlib.Path) -> Listed:
        classes, items = listed.by_folder(folder)
        return Listed(name, classes, items, None, folder, None)

    return read
