"""Zero-shot methods as scikit-learn estimators, with classes by name.

>>> import numpy as np
>>> import transfer_jax as tj
>>> vectors = {  # furry, four legs, tail
...     'dog': [1.0, 1.0, 1.0],
...     'fish': [0.0, 0.0, 1.0],
...     'chimp': [1.0, 0.0, 0.0],
...     'lizard': [0.0, 1.0, 1.0],
... }
>>> rng = np.random.default_rng(0)
>>> y = np.repeat(['dog', 'fish', 'chimp'], 20)
>>> mixing = rng.normal(size=(3, 8))
>>> def photographs(names):
...     mean = np.array([vectors[name] for name in names]) @ mixing
...     return mean + 0.1 * rng.normal(size=mean.shape)
>>> model = tj.zero_shot.sklearn.ESZSL(gamma=0.1, lam=0.1)
>>> model = model.fit(photographs(y), y, class_vectors=vectors)
>>> unseen = ['lizard'] * 5
>>> candidates = {name: vectors[name] for name in ('dog', 'lizard')}
>>> print(*model.predict(photographs(unseen), candidates))
lizard lizard lizard lizard lizard

A fit uses the vectors of the classes in `y` and drops all others before it looks at
them, so one dictionary serves seen and unseen classes. `predict` chooses among the
classes that it is given. With seen classes among them, these win too often; `gamma`
subtracts from their scores.

`score` is the mean accuracy per class among the classes in `y`. To choose parameters,
split by class (scikit-learn's GroupKFold with y as groups) and pass `class_vectors` by
metadata routing.
"""

from transfer_jax.zero_shot.sklearn.base import ZeroShotClassifier
from transfer_jax.zero_shot.sklearn.estimators import (
    ALE,
    DAP,
    ESZSL,
    IAP,
    SAE,
    SJE,
    ConSE,
    DeViSE,
    LatEm,
    SynC,
)

__all__ = [
    'ALE',
    'DAP',
    'ESZSL',
    'IAP',
    'SAE',
    'SJE',
    'ConSE',
    'DeViSE',
    'LatEm',
    'SynC',
    'ZeroShotClassifier',
]
