"""Shallow methods of adaptation as scikit-learn estimators.

    python -m examples.shallow_sklearn

Source: two moons. Target: the same, turned by 40 degrees and without labels.
`sample_domain` is positive for source rows and negative for target rows, as in skada.
"""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from transfer_jax.data import toy
from transfer_jax.shallow import sklearn as tj_sklearn

n = 200  # examples of each domain
source, target = toy.moons(0, n, angle=40)
x = StandardScaler().fit_transform(np.concatenate([source.x, target.x]))
y = np.concatenate([source.label, np.full(n, -1)])  # -1: a label that is not known
sample_domain = np.repeat([1, -2], n)

nearest = KNeighborsClassifier(1)
METHODS = {
    'no adaptation': tj_sklearn.AdaptedClassifier(tj_sklearn.NoAdaptation(), nearest),
    'CORAL': tj_sklearn.AdaptedClassifier(tj_sklearn.Coral(), nearest),
    'optimal transport': tj_sklearn.AdaptedClassifier(
        tj_sklearn.EntropicTransport(regularisation=0.01), nearest
    ),
    'label propagation': tj_sklearn.LabelPropagation(),  # classifies by itself
}
for name, model in METHODS.items():
    model.fit(x, y, sample_domain=sample_domain)
    accuracy = model.score(x[n:], target.label, sample_domain=-1)  # all target rows
    print(f'{name:<20} target accuracy {accuracy:.1%}')
