"""Is adaptation likely to have helped? From validators alone, never from target labels.

The evidence is that of one method and of source only, the same network without it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax import selection

YES, NO, CANNOT_SAY = 'yes', 'no', 'cannot say'
# Second opinions beside the fixed validator. MixVal asks whether predictions are smooth
# between images; reverse validation, whether target predictions explain the source.
SECOND = {'mixval': 'MixVal', 'reverse_validation_linear': 'reverse validation'}
# Thresholds of the warnings
MANY, FEW = 3.0, 0.1  # times the share of the class in the source
DISAGREEMENT = 0.05  # of the images, between the models of two rules
NAMED = 5  # classes of a kind that have a warning of their own
FAR = 1.8  # A-distance, whose maximum is 2
MARGIN = 0.02  # nats of the fixed validator, below which it says nothing
LOST = 0.05  # source accuracy that adaptation may cost


class Side(NamedTuple):
    """What one method says, over s seeds, n target images and c classes."""

    name: str
    probabilities: np.ndarray  # (s, n, c) of the chosen models
    other_labels: np.ndarray  # (s, n) of the models best by source validation
    rows: Sequence[Mapping[str, float]]  # of the history, that the models are from
    a_distance: float  # of the last step, mean over seeds
    rule: str  # that chose the models


class Verdict(NamedTuple):
    """The answer, and what it rests on."""

    answer: str  # YES, NO or CANNOT_SAY
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def adapted(self) -> bool:
        """Whether to use the adapted model; else source only."""
        return self.answer == YES


def judge(
    adapted: Side, plain: Side, source_share: np.ndarray, classes: Sequence[str]
) -> Verdict:
    """Compares a method with source only.

    Yes: the fixed validator is higher than that of source only, by more than 0.02 nats
    and, where there are several seeds, by more than its standard error; not both of
    the second opinions are lower; source accuracy falls by at most 5 points; no class
    is predicted for more than three times its source share while another nearly
    vanishes. No: the fixed validator is lower by as much, or source accuracy falls by
    more. Otherwise: cannot say.

    Args:
      source_share: (c,) shares of the classes in the source.
      classes: names of the classes.
    """
    answer, reasons = decide(adapted.rows, plain.rows, gathers(adapted, source_share))
    return Verdict(answer, reasons, warn(adapted, source_share, classes))


def decide(
    adapted: Sequence[Mapping[str, float]],
    plain: Sequence[Mapping[str, float]],
    gathered: bool,
) -> tuple[str, tuple[str, ...]]:
    """(answer, reasons) from the rows of both sides, one for each seed; see judge."""
    fixed = difference(adapted, plain, selection.FIXED)
    lost = -difference(adapted, plain, 'source_validation').mean
    second = {name: difference(adapted, plain, name) for name in SECOND}
    second = {name: d for name, d in second.items() if not np.isnan(d.mean)}
    reasons = [_reason('the fixed validator', fixed)]
    reasons += [_reason(SECOND[name], d) for name, d in second.items()]
    change = f'{"falls" if lost > 0 else "rises"} by {100 * abs(lost):.1f} points'
    reasons.append(f'source accuracy {change if lost else "is the same"}')
    margin = max(fixed.error, MARGIN)
    seconded = not second or any(d.mean >= 0 for d in second.values())
    if np.isnan(fixed.mean):
        reasons[0] = (
            'the fixed validator has no value: source only or the adapted model '
            'classifies every held-out source image correctly, so its temperature is '
            'not identified'
        )
    if fixed.mean < -margin or lost > LOST:
        answer = NO
    elif np.isnan(fixed.mean):
        answer = CANNOT_SAY
    elif fixed.mean > margin and seconded and not gathered:
        answer = YES
    else:
        answer = CANNOT_SAY
        if gathered:
            reasons.append('predictions gather in a few classes')
    return answer, tuple(reasons)


def gathers(side: Side, source_share: np.ndarray) -> bool:
    """Whether one class is predicted for more than three times its source share while
    another is for less than a tenth."""
    shares = predicted_shares(side)
    many, few = shares > MANY * source_share, shares < FEW * source_share
    return bool(np.any(many) and np.any(few))


class Difference(NamedTuple):
    """Adapted minus source only: the mean over seeds, and its standard error."""

    mean: float
    error: float  # 0 for one seed


def difference(
    adapted: Sequence[Mapping[str, float]],
    plain: Sequence[Mapping[str, float]],
    name: str,
) -> Difference:
    """Of a number of the chosen rows; NaN where a seed lacks it."""
    values = np.array(
        [
            one.get(name, np.nan) - other.get(name, np.nan)
            for one, other in zip(adapted, plain, strict=True)
        ]
    )
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return Difference(float(values.mean()), float(error))


def predicted_shares(side: Side) -> np.ndarray:
    """(c,) shares of the target images that are predicted to be of each class."""
    labels = side.probabilities.argmax(-1).reshape(-1)
    counts = np.bincount(labels, minlength=side.probabilities.shape[-1])
    return counts / len(labels)


def agreement_of_seeds(side: Side) -> float | None:
    """Mean share of images on which two seeds agree; None for one seed."""
    labels = side.probabilities.argmax(-1)
    pairs = [
        np.mean(labels[i] == labels[j])
        for i in range(len(labels))
        for j in range(i + 1, len(labels))
    ]
    return float(np.mean(pairs)) if pairs else None


def warn(
    side: Side, source_share: np.ndarray, classes: Sequence[str]
) -> tuple[str, ...]:
    """What a user should look at, with the threshold of each.

    The share of a class is looked at where an image of it is expected.
    """
    shares = predicted_shares(side)
    expected = side.probabilities.shape[1] * source_share >= 1
    few = np.flatnonzero(expected & (shares < FEW * source_share))
    many = np.flatnonzero(expected & (shares > MANY * source_share))
    warnings = []
    for rows, bound in (
        (few, f'less than {FEW:g} of'),
        (many, f'more than {MANY:g} times'),
    ):
        lines = [
            f'{classes[i]} is predicted for {shares[i]:.1%} of the target, {bound} its '
            f'share of the source, {source_share[i]:.1%}'
            for i in rows
        ]
        if len(lines) > NAMED:
            others = f'; and {len(lines) - NAMED} classes more'
            lines = [*lines[: NAMED - 1], lines[NAMED - 1] + others]
        warnings += lines
    labels = side.probabilities.argmax(-1)
    disagreement = float(np.mean(labels != side.other_labels))
    if disagreement > DISAGREEMENT:
        warnings.append(
            'the models of two validators (fixed, source validation) disagree on '
            f'{disagreement:.1%} of the target images, more than {DISAGREEMENT:.0%}'
        )
    if side.a_distance > FAR:
        warnings.append(
            f'the domains are still far apart: A-distance {side.a_distance:.2f} after '
            f'training, above {FAR:g} of at most 2'
        )
    return tuple(warnings)


def _reason(name: str, d: Difference) -> str:
    if not d.mean:
        return f'{name} is the same'
    side = 'for' if d.mean > 0 else 'against'
    error = f' ± {d.error:.3f}' if d.error else ''
    return f'{name} speaks {side} adaptation: {d.mean:+.3f}{error}'
