"""Shallow methods of adaptation as scikit-learn estimators.

    python -m examples.shallow_sklearn

Source: two moons. Target: the same, turned by 40 degrees and without labels.
`sample_domain` is positive for source rows and negative for target rows, as in skada.
"""

import numpy as np
from sklearn.preprocessing import StandardScaler

from transfer_jax import shallow
from transfer_jax.data import toy
from transfer_jax.shallow.sklearn import AdaptedClassifier

n = 200  # examples of each domain
source, target = toy.moons(0, n, angle=40)
x = StandardScaler().fit_transform(np.concatenate([source.x, target.x]))
y = np.concatenate([source.label, np.full(n, -1)])  # -1: a label that is not known
sample_domain = np.repeat([1, -2], n)

METHODS = {
    'no adaptation': (shallow.none, {}),
    'CORAL': (shallow.coral, {}),
    'subspace alignment': (shallow.subspace_alignment, {'dimension': 2}),
    'optimal transport': (shallow.entropic_transport, {'regularisation': 0.01}),
}
for name, (build, parameters) in METHODS.items():
    model = AdaptedClassifier(build, shallow.nearest_neighbour, **parameters)
    model.fit(x, y, sample_domain=sample_domain)
    accuracy = np.mean(model.predict(x[n:]) == target.label)
    print(f'{name:<20} target accuracy {accuracy:.1%}')
