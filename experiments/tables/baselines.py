"""What results are compared as, for result files that do not say so themselves."""

from collections.abc import Callable, Mapping

from experiments import demo
from experiments.adaptation import digits
from transfer_jax import runs


def _digits(result: dict) -> runs.Compared:
    names = {'method', 'norm', 'network', 'dtype', 'batch', 'balanced', 'rate'}
    config = {k: v for k, v in result['config'].items() if k in names}
    return digits.compared(digits.Config(**{**config, 'method': result['method']}))


# {experiment: what its results are compared as}; others have one network for all.
COMPARED: Mapping[str, Callable[[dict], runs.Compared]] = {
    'adaptation.digits': _digits,
    'demo': lambda result: demo.COMPARED[result['method']],
}


def completed(result: dict) -> dict:
    """The result with `compared`; see runs.Compared.

    That of today's experiment counts, so that all results are described alike.
    """
    if result['experiment'] not in COMPARED:
        return result
    compared = COMPARED[result['experiment']](result)
    return {**result, 'compared': compared._asdict()}
