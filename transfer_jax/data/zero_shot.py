"""Features of images, split by class: some classes are never seen in training."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax.data import class_vectors, features, listings

TEST_SHARE = 0.25  # of the images of a seen class, where no split is published


@dataclasses.dataclass(frozen=True)
class ZeroShotData:
    """Features (n, d) float32, labels, and which classes and rows are for what.

    Attributes:
      label: (n,) int32, numbers of `classes`.
      classes: the names of all classes.
      seen, unseen: numbers of the classes, ascending.
      train: rows of training images, of seen classes only.
      test_seen, test_unseen: rows of test images of seen and of unseen classes.

    Raises:
      ValueError: a class in both lists or in none, fewer than two of a kind, a training
        image of an unseen class, a test image of the wrong kind, a row in training and
        test, or an entry of x that is no number.
    """

    x: np.ndarray
    label: np.ndarray
    classes: tuple[str, ...]
    seen: np.ndarray
    unseen: np.ndarray
    train: np.ndarray
    test_seen: np.ndarray
    test_unseen: np.ndarray

    def __post_init__(self):
        class_vectors.check_names(self.classes, 'the classes')
        if self.x.ndim != 2 or self.label.shape != self.x.shape[:1]:
            raise ValueError(
                f'features {self.x.shape} and labels {self.label.shape} must be (n, d) '
                'and (n,)'
            )
        wrong = np.flatnonzero(~np.isfinite(self.x).all(1))
        if len(wrong):
            raise ValueError(f'row {wrong[0]} of the features is not finite')
        both = np.intersect1d(self.seen, self.unseen)
        if len(both):
            raise ValueError(f'{self._named(both)}: seen and unseen at once')
        for name, numbers in (('seen', self.seen), ('unseen', self.unseen)):
            if len(numbers) < 2:
                raise ValueError(
                    f'{len(numbers)} {name} classes: zero-shot learning needs 2 or '
                    'more of either kind'
                )
        for name, rows, allowed in (
            ('train', self.train, self.seen),
            ('test_seen', self.test_seen, self.seen),
            ('test_unseen', self.test_unseen, self.unseen),
        ):
            alien = np.setdiff1d(self.label[rows], allowed)
            if len(alien):
                kind = 'an unseen' if name != 'test_unseen' else 'a seen'
                raise ValueError(
                    f'{name} has images of {self._named(alien)}, {kind} class'
                )
        twice = np.intersect1d(self.train, [*self.test_seen, *self.test_unseen])
        if len(twice):
            raise ValueError(f'row {int(twice[0])} is in training and in test')
        empty = np.setdiff1d(self.seen, self.label[self.train])
        if len(empty):
            raise ValueError(f'{self._named(empty)}: seen, but without training image')

    def _named(self, numbers) -> str:
        return listings.few(repr(self.classes[int(i)]) for i in numbers)

    def training(self) -> 'Training':
        """What a method and the choice of its constants may read."""
        label = np.searchsorted(self.seen, self.label[self.train])
        names = tuple(self.classes[i] for i in self.seen)
        return Training(self.x[self.train], label.astype(np.int32), names)


class Training(NamedTuple):
    """Training images of the seen classes; it holds nothing of an unseen class."""

    x: np.ndarray  # (n, d)
    label: np.ndarray  # (n,) numbers of `classes`
    classes: tuple[str, ...]  # the seen ones


class Draw(NamedTuple):
    """Some seen classes play the unseen ones; labels are numbers of all seen classes.

    Attributes:
      seen, unseen: numbers of the classes in these parts, ascending.
      train, test_seen, test_unseen: rows of the training images.
    """

    seen: np.ndarray
    unseen: np.ndarray
    train: np.ndarray
    test_seen: np.ndarray
    test_unseen: np.ndarray


def draw_validation(training: Training, count: int, seed: int) -> Draw:
    """Draws `count` validation classes; a quarter of the others' images is held out.

    Raises:
      ValueError: not 2 to k - 2 classes, or a class with one image.
    """
    k = len(training.classes)
    if not 2 <= count <= k - 2:
        raise ValueError(
            f'{count} validation classes of {k} seen ones: at least 2 must be drawn, '
            'and 2 be left'
        )
    rng = np.random.default_rng([seed, count])
    unseen = np.sort(rng.permutation(k)[:count])
    seen = np.setdiff1d(np.arange(k), unseen)
    held_out = hold_out(training.label, seen, rng, training.classes)
    rows = np.flatnonzero(np.isin(training.label, seen))
    return Draw(
        seen,
        unseen,
        np.setdiff1d(rows, held_out),
        held_out,
        np.flatnonzero(np.isin(training.label, unseen)),
    )


def hold_out(
    label: np.ndarray,
    classes: np.ndarray,
    rng: np.random.Generator,
    names: Sequence[str],
    share: float = TEST_SHARE,
) -> np.ndarray:
    """Rows of a random share of each class, at least one, ascending.

    Raises:
      ValueError: a class with fewer than two images; the message names it.
    """
    held_out = []
    for c in classes:
        rows = np.flatnonzero(label == c)
        if len(rows) < 2:
            raise ValueError(
                f'class {names[c]!r} has {len(rows)} images; 2 or more are needed to '
                'hold one out'
            )
        held_out.append(rng.permutation(rows)[: max(1, int(share * len(rows)))])
    return np.sort(np.concatenate(held_out))


def split_by_class(
    x: np.ndarray,
    label: np.ndarray,
    classes: Sequence[str],
    unseen: Sequence[str],
    seed: int = 0,
) -> ZeroShotData:
    """All classes but `unseen` are seen; a quarter of the images of these is for test.

    Args:
      unseen: names, compared as in class_vectors.fold.

    Raises:
      ValueError: an unknown name, or as ZeroShotData and hold_out.
    """
    classes = tuple(classes)
    outside = class_vectors.numbers(unseen, classes, 'unseen classes')
    present = np.unique(label)
    lacking = np.setdiff1d(outside, present)
    if len(lacking):
        raise ValueError(f'unseen class {classes[lacking[0]]!r} has no image to test')
    seen = np.setdiff1d(present, outside)
    rng = np.random.default_rng(seed)
    held_out = hold_out(label, seen, rng, classes)
    train = np.setdiff1d(np.flatnonzero(np.isin(label, seen)), held_out)
    test_unseen = np.flatnonzero(np.isin(label, outside))
    return ZeroShotData(
        np.asarray(x, np.float32),
        np.asarray(label, np.int32),
        classes,
        seen.astype(np.int32),
        np.sort(outside),
        train,
        held_out,
        test_unseen,
    )


def class_list(text: str) -> tuple[str, ...]:
    """Class names of a text file, one a line, or separated by commas.

    A line may begin with a number, as in the classes.txt of CUB and AwA.

    Raises:
      ValueError: an empty list, or two names that fold to one.
    """
    path = pathlib.Path(text)
    is_file = len(text) < 1000 and path.is_file()
    if not is_file and (path.suffix == '.txt' or os.sep in text):
        raise ValueError(f'{text}: there is no such file')
    entries = path.read_text('utf-8').splitlines() if is_file else text.split(',')
    names = [re.sub(r'^\d+\s+', '', entry.strip()) for entry in entries]
    names = [name for name in names if name]
    if not names:
        raise ValueError(f'{text!r}: has no class name')
    class_vectors.check_names(names, text if is_file else 'the list of classes')
    return tuple(names)


def fake(
    *, classes: int = 12, per_class: int = 12, d: int = 10, a: int = 6, seed: int = 0
) -> tuple[ZeroShotData, class_vectors.ClassVectors]:
    """Generated for tests: features are a linear map of the class vectors, and noise.

    The last third of the classes is unseen.
    """
    rng = np.random.default_rng([seed, classes, a])
    names = tuple(f'class_{i}' for i in range(classes))
    vectors = rng.uniform(0, 1, (classes, a))
    label = np.repeat(np.arange(classes, dtype=np.int32), per_class)
    x = features.standardise(vectors)[label] @ rng.normal(0, 1, (a, d))
    x = x + rng.normal(0, 0.4, x.shape)
    data = split_by_class(x, label, names, names[-(classes // 3) :], seed)
    return data, class_vectors.ClassVectors(names, vectors, 'generated vectors')
