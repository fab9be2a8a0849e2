"""A mean over seeds: its standard deviation, its interval, and how they are shown."""

from collections.abc import Mapping
from typing import NamedTuple

LEVEL = 0.95  # of intervals


class Score(NamedTuple):
    """Mean and standard deviation over seeds; one seed has no `std`."""

    mean: float
    std: float | None
    percent: bool = True  # a fraction, shown in %
    interval: tuple[float, float] | None = None  # of the mean


def score(column: Mapping, seeds: int, percent: bool = True) -> Score:
    """The score of a column of a result, which is made by runs.result.mean_std."""
    mean, std = column['mean'], column['std']
    ends = interval(mean, std, seeds)
    if percent and ends is not None:
        ends = max(ends[0], 0.0), min(ends[1], 1.0)
    return Score(mean, std, percent, ends)


def interval(mean: float, std: float | None, n: int) -> tuple[float, float] | None:
    """The 95 % interval of the mean of n seeds, mean -+ t std / sqrt(n).

    t is the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom:
    12.71 for 2 seeds, 4.30 for 3. It assumes normal scores. None for one seed. `of`
    ends that of a fraction at 0 and 1, which takes no true mean out of it.
    """
    from scipy import stats

    if std is None or n < 2:
        return None
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * std / n**0.5
    return mean - half, mean + half


def shown(score: Score | None) -> str:
    """'91.1 ± 1.2' in % for fractions, else '3.21 ± 0.10'; '' for none."""
    if score is None:
        return ''
    factor, digits = _unit(score)
    std = '' if score.std is None else f' ± {factor * score.std:.{digits}f}'
    return f'{factor * score.mean:.{digits}f}{std}'


def shown_interval(score: Score | None) -> str:
    """'90.0 to 92.2' in % for fractions; '' for none."""
    if score is None or score.interval is None:
        return ''
    factor, digits = _unit(score)
    return ' to '.join(f'{factor * end:.{digits}f}' for end in score.interval)


def _unit(score: Score) -> tuple[int, int]:
    """Factor and digits after the point."""
    return (100, 1) if score.percent else (1, 2)
