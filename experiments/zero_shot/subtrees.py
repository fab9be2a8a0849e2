"""ImageNet's classes, and which of them are what a class of photographs is.

A test class is unseen by an ImageNet classifier only without the ImageNet classes that
are the same thing. Those are the leaves of ILSVRC 2012 below its WordNet 3.0 synset
('is a'), such as 118 breeds below dog; the number of a class is its place in the order
of the synset ids. `ALSO` has a few that are another synset and show the same object.
"""

import csv
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.data import class_vectors, word_vectors

FILE = pathlib.Path(__file__).with_name('imagenet_classes.csv')
# {class: leaves of ILSVRC 2012 below its synset}; a pair is the first and the last of a
# run of ids.
BELOW: dict[str, tuple[str | tuple[str, str], ...]] = {
    # PACS
    'dog': (('n02085620', 'n02113978'),),
    'elephant': ('n02504013', 'n02504458'),
    'giraffe': (),
    'guitar': ('n02676566', 'n03272010'),
    'horse': ('n02389026',),  # sorrel
    'house': ('n03781244', 'n03877845'),  # monastery, palace
    'person': ('n09835506', 'n10148035', 'n10565667'),  # ballplayer, groom, diver
    # Caltech-101, the classes of the subset
    'leopards': ('n02128385',),
    'accordion': ('n02672831',),
    'airplanes': ('n02690373',),
    'bonsai': (),
    'butterfly': (('n02276258', 'n02281787'),),
    'car side': (
        *('n02701002', 'n02814533', 'n02930766', 'n03100240', 'n03594945'),
        *('n03670208', 'n03770679', 'n03777568', 'n04037443', 'n04285008'),
    ),
    'chair': ('n02791124', 'n03376595', 'n04099969', 'n04429376'),
    'chandelier': (),
    'dalmatian': ('n02110341',),
    'dolphin': ('n02071294',),  # killer whale
    'ferry': (),
    'grand piano': ('n03452741',),
    'helicopter': (),
    'kangaroo': ('n01877812',),  # wallaby
    'laptop': ('n03642806',),
    'revolver': ('n04086273',),
    'starfish': ('n02317335',),
    'sunflower': (),
    'watch': ('n03197337',),
}
ALSO = {
    'elephant': ('n01871265',),  # tusker
    'laptop': ('n03832673',),  # notebook
    'airplanes': ('n04552348',),  # warplane
}
# Names of folders as words that word vectors know
WORDS = {'leopards': 'leopard', 'airplanes': 'airplane', 'car side': 'car'}


class ImageNet(NamedTuple):
    """The 1,000 classes of ILSVRC 2012 in the order of a classifier's outputs."""

    wnids: tuple[str, ...]
    names: tuple[str, ...]


def imagenet() -> ImageNet:
    """Reads the ids and names of the classes."""
    with open(FILE, newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    return ImageNet(
        tuple(row['wnid'] for row in rows), tuple(row['name'] for row in rows)
    )


def taken_out(classes: Sequence[str]) -> np.ndarray:
    """(1000,) True for the ImageNet classes that are one of these classes.

    A class that is not in the table has those with all its words in their names.
    """
    known = imagenet()
    at = {wnid: i for i, wnid in enumerate(known.wnids)}
    out = np.zeros(len(known.wnids), bool)
    for name in map(class_vectors.fold, classes):
        for entry in (*BELOW.get(name, ()), *ALSO.get(name, ())):
            first, last = (entry, entry) if isinstance(entry, str) else entry
            out[at[first] : at[last] + 1] = True
        if name not in BELOW:
            words = set(word_vectors.words(name))
            has = [words <= set(word_vectors.words(n)) for n in known.names]
            out |= np.array(has)
    return out


def words_of(name: str) -> str:
    """The name of a class in words that word vectors know."""
    return WORDS.get(class_vectors.fold(name), class_vectors.fold(name))
