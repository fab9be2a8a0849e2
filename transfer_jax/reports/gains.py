"""What a method gains, over a baseline that trains the same network.

A network with batch norm and one without differ by more than most methods add. So the
baseline of a result is a result of the same task and network whose method puts no loss
on the target (runs.Compared): AdaBN for separate statistics, source only without batch
norm. Where there is none, there is no gain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from transfer_jax import runs

# Methods without a loss on the target, of results that do not say so themselves.
BASELINES = ('source_only', 'none')
CEILING = 'train_on_target'  # the gap ends there


class Gain(NamedTuple):
    """A number of a result beside that of its baseline."""

    baseline: Mapping[str, float]  # {rule: mean of the baseline}; empty: there is none
    points: float | None  # over the baseline at the last step
    share: float | None  # of the gap between baseline and ceiling, at the last step


NONE = Gain({}, None, None)


def compared(result: dict) -> runs.Compared:
    """What a result says of its network, or what its method and config say."""
    given = result.get('compared')
    if given:
        return runs.Compared(**given)
    norm = result['config'].get('norm') or ''
    return runs.Compared(norm, norm, baseline=result['method'] in BASELINES)


def gain(result: dict, results: Sequence[dict], name: str) -> Gain:
    """The gain of a number over the baseline of its network.

    The share of the gap is (result - baseline) / (ceiling - baseline), of a ceiling of
    the same network.
    """
    if (
        'last' not in result['scores']
        or result['method'] == CEILING
        or compared(result).baseline
        or not result['numbers'][name]['percent']
    ):
        return NONE
    low = _partner(result, results, lambda other: compared(other).baseline, name)
    if low is None:
        return NONE
    high = _partner(result, results, lambda other: other['method'] == CEILING, name)
    baseline = {rule: of[name]['mean'] for rule, of in low['scores'].items()}
    start = baseline['last']
    points = result['scores']['last'][name]['mean'] - start
    gap = (high['scores']['last'][name]['mean'] - start) if high else 0.0
    return Gain(baseline, points, points / gap if gap > 0 else None)


def steps(result: dict) -> int:
    """Of the last stage."""
    return max(max(steps) for steps in result['steps'].values())


def _partner(
    result: dict, results: Sequence[dict], wanted: Callable[[dict], bool], name: str
) -> dict | None:
    """The one result to compare with, of the same network, training and steps.

    Of several results, those of the same seeds, then of the same experiment. None where
    it stays unclear.
    """
    candidates = [
        other
        for other in results
        if wanted(other) and name in other['numbers'] and _alike(other, result)
    ]
    for view in (lambda r: r['seeds'], lambda r: r['experiment']):
        same = [other for other in candidates if view(other) == view(result)]
        candidates = same if len(candidates) > 1 and same else candidates
    return candidates[0] if len(candidates) == 1 else None


def _alike(one: dict, other: dict) -> bool:
    """Whether two results differ in their method alone."""

    def view(result):
        of = compared(result)
        return of.network, of.training, steps(result)

    return view(one) == view(other)
