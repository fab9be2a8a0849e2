"""DomainNet, six domains of 345 classes (Peng et al., ICCV 2019)."""

import pathlib
from collections.abc import Callable

from transfer_jax.data import lists
from transfer_jax.data.listed import Listed

DOMAINS = ('clipart', 'infograph', 'painting', 'quickdraw', 'real', 'sketch')


def reader(domain: str) -> Callable[[pathlib.Path], Listed]:
    """A reader of one domain, by the published lists <domain>_train.txt and _test.txt.

    Their lines are 'clipart/aircraft_carrier/clipart_001_000001.jpg 0'. A class has the
    name of the folder of its files. Images are stretched to a square.
    """

    def read(anchor: pathlib.Path) -> Listed:
        root = anchor.parent
        parts = []
        for path in (anchor, root / f'{domain}_test.txt'):
            items = [(root / file, label) for file, label in lists.numbered(path)]
            parts.append(lists.existing(items, path))
        train, test = parts
        classes = lists.classes_of(train, anchor)
        lists.within(test, classes, root / f'{domain}_test.txt')
        lists.classes_of(train + test, root / f'{domain}_test.txt')  # the same folders
        return Listed(f'domainnet_{domain}', classes, train, test, root, None)

    return read
