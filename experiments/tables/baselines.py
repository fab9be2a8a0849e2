"""Which results are compared, for result files that do not say so themselves."""

from collections.abc import Callable, Mapping

from experiments import demo
from experiments.adaptation import digits
from transfer_jax import runs

# {experiment: what its results are compared as}; others have one network for all.
COMPARED: Mapping[str, Callable[[dict], runs.Compared]] = {
    'adaptation.digits': lambda result: digits.compared(
        result['method'], result['config'].get('norm', '')
    ),
    'demo': lambda result: demo.COMPARED[result['method']],
}


def completed(result: dict) -> dict:
    """The result with `compared`; see runs.Compared."""
    if result.get('compared') or result['experiment'] not in COMPARED:
        return result
    compared = COMPARED[result['experiment']](result)
    return {**result, 'compared': compared._asdict()}
