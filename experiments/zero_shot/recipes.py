"""The zero-shot methods of the table: how each is made, and its grid of constants.

At an edge of its grid a constant goes on (experiments/zero_shot/choice.py), so the
grids are places to begin.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.zero_shot.choice import Recipe
from transfer_jax import zero_shot
from transfer_jax.zero_shot import linear

# Read only whether a class has more of an attribute than the mean: of attributes alone,
# and centring changes nothing.
BINARY = ('dap', 'iap')
EPOCHS = 20


class Voting(NamedTuple):
    """A classifier of the seen classes for each cost, and their vectors."""

    classifiers: dict[float, Any]
    vectors: np.ndarray


class Classifiers:
    """Softmax regressions on the seen classes, each trained once.

    ConSE and IAP, with all their constants and all class vectors, share them.
    """

    def __init__(self):
        self._trained: dict[Any, Any] = {}
        self._fit = jax.jit(linear.softmax_regression, static_argnums=2)

    def get(self, x: np.ndarray, label: np.ndarray, k: int, cost: float) -> Any:
        """That of examples (n, d) with labels (n,) of k classes."""
        data = hash((x.shape, x[::7].tobytes(), np.asarray(label).tobytes()))
        key = (data, k, cost)
        if key not in self._trained:
            with jax.enable_x64(True):
                trained = self._fit(jnp.asarray(x), jnp.asarray(label), k, cost)
                self._trained[key] = jax.tree.map(np.asarray, trained)
        return self._trained[key]


def recipes(classifiers: Classifiers | None = None) -> dict[str, Recipe]:
    """{method: its recipe}, in the order of the table."""
    classifiers = classifiers or Classifiers()
    ranked = {'rate': (3.0, 10.0, 30.0), 'margin': (0.2, 0.8, 3.2)}
    costs = {'cost': (10.0, 100.0, 1000.0)}  # C of linear classifiers, rows of length 1
    return {
        'eszsl': Recipe(
            zero_shot.eszsl,
            {'gamma': (0.1, 0.3, 1.0, 3.0), 'lam': (0.03, 0.1, 0.3, 1.0, 3.0)},
            path=lambda gamma, lam: zero_shot.pipeline(
                zero_shot.eszsl_path(gamma, lam)
            ),
        ),
        'sje': _descent(zero_shot.sje, ranked),
        'ale': _descent(zero_shot.ale, ranked),
        'devise': _descent(zero_shot.devise, ranked),
        'latem': _descent(zero_shot.latem, ranked, maps=4),
        'sync': Recipe(
            zero_shot.sync,
            {
                'penalty': (2.0**-24, 2.0**-20, 2.0**-16),
                'scale': (0.25, 1.0, 4.0),
            },
        ),
        'sae': Recipe(zero_shot.sae, {'lam': (0.01, 0.1, 1.0, 10.0)}),
        'sae_to_vectors': Recipe(
            zero_shot.sae, {'lam': (0.1, 1.0, 10.0)}, ({'to': 'vectors'},)
        ),
        'dap': Recipe(zero_shot.dap, costs),
        'iap': Recipe(
            zero_shot.iap,
            costs,
            ({'prior': 'classes'}, {'prior': 'half'}),
            path=lambda cost, prior: _voting(classifiers, _iap(prior), cost=cost),
        ),
        'conse': Recipe(
            zero_shot.conse,
            {**costs, 'top': (1.0, 3.0, 10.0, 30.0)},
            limits={'top': (1, np.inf)},
            path=lambda cost, top: _voting(classifiers, _conse, cost=cost, top=top),
        ),
    }


def _descent(make, grid, **options) -> Recipe:
    """A method trained by stochastic gradients."""
    return Recipe(make, grid, ({'epochs': EPOCHS, **options},), drawn=True)


def _iap(prior: str) -> Callable:
    def scores(logits, seen, vectors):
        probability = jax.nn.softmax(logits)
        return zero_shot.iap_scores(probability, seen, vectors, prior=prior)

    return scores


def _conse(logits, seen, vectors, top):
    return zero_shot.conse_scores(logits, seen, vectors, top=top)


def _voting(classifiers: Classifiers, vote: Callable, cost, **constants):
    """A path of a method whose scores are votes of a classifier of the seen classes.

    Args:
      vote: (logits, vectors of seen classes, vectors, **constants) -> (m, c).
      cost, constants: the values (grid,) of each.
    """
    cast = jax.jit(vote)

    def fit(key, x, label, vectors):
        del key
        trained = {c: classifiers.get(x, label, len(vectors), c) for c in set(cost)}
        return Voting(trained, vectors)

    def scores(fitted, x, vectors):
        with jax.enable_x64(True):
            logits = {
                c: linear.scores(one, jnp.asarray(x, jnp.float64))
                for c, one in fitted.classifiers.items()
            }
            both = jnp.asarray(fitted.vectors), jnp.asarray(vectors)
            grid = [
                cast(logits[c], *both, *values)
                for c, *values in zip(cost, *constants.values(), strict=True)
            ]
            return np.stack([np.asarray(one) for one in grid])

    return zero_shot.ZeroShot(fit, scores)
