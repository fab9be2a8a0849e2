"""Shallow methods as scikit-learn estimators, one class each: NumPy in, NumPy out.

>>> import numpy as np
>>> import sklearn
>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.model_selection import StratifiedKFold, cross_val_score
>>> import transfer_jax as tj
>>> sklearn.set_config(enable_metadata_routing=True)  # passes sample_domain on
>>> rng = np.random.default_rng(0)
>>> y = np.arange(160) % 2
>>> x = 4 * y[:, None] * [1, 0, 0] + rng.normal(size=(160, 3))
>>> sample_domain = np.repeat([1, -1], 80)  # 80 source rows, then 80 target rows
>>> x[80:] += [3, 1, 0]  # shift the target
>>> hidden = np.where(sample_domain > 0, y, -1)  # -1 is an unknown label
>>> folds = StratifiedKFold(4, shuffle=True, random_state=0).split(x, hidden)
>>> folds = list(folds)  # each has both domains
>>> for adapter in (tj.shallow.sklearn.NoAdaptation(),
...                 tj.shallow.sklearn.EntropicTransport(0.02)):
...     model = tj.shallow.sklearn.AdaptedClassifier(adapter, LogisticRegression())
...     scores = cross_val_score(
...         model, x, y, cv=folds, params={'sample_domain': sample_domain},
...         scoring=tj.shallow.sklearn.target_accuracy)
...     print(f'{adapter}: target accuracy {scores.mean():.2f}')
NoAdaptation(): target accuracy 0.62
EntropicTransport(regularisation=0.02): target accuracy 0.98

`sample_domain` is positive for source rows and negative for target rows, and -1 in `y`
is an unknown label, as in skada. A fit ignores the labels of target rows unless
`target_labels` is True, so `y` may hold them for `target_accuracy`, as above.

- A feature adapter (SubspaceAlignment, Coral, TCA, ...) has `transform`, an instance
  weighting (KMM, KLIEP, DensityRatio) has `weights_`. AdaptedClassifier trains a
  classifier of scikit-learn on what they give. LabelPropagation, JDOT and others
  classify by themselves.
- Without `sample_domain`, `transform` and `predict` treat all rows as target rows.
- Choose hyper-parameters by `source_accuracy`, which is also the default `score` of a
  cross-validation with metadata routing. Without routing, `score` warns, or raises if y
  has labels -1. `target_accuracy` is for evaluation.
- Shuffle the folds: rows stacked by domain otherwise give folds of one domain.
- Do not put a feature adapter and a plain classifier in a Pipeline: the classifier
  would be trained on the target rows too, with -1 as a class. AdaptedClassifier trains
  it on labelled rows; it may be the last step of a Pipeline, after a scaler.

For a method of your own, derive from FeatureAdapter, InstanceWeighting or
DomainClassifier: `__init__` declares the parameters, and the class attribute `build` is
the function of these parameters that returns a `shallow.Shallow`.
"""

from transfer_jax.shallow.sklearn.adapted import AdaptedClassifier
from transfer_jax.shallow.sklearn.base import (
    DomainClassifier,
    FeatureAdapter,
    InstanceWeighting,
)
from transfer_jax.shallow.sklearn.classifiers import (
    DANBNN,
    DASVM,
    DSCM,
    JDOT,
    NBNN,
    DSCMMetric,
    LabelPropagation,
)
from transfer_jax.shallow.sklearn.components import (
    DIP,
    JDA,
    TCA,
    TJM,
    SemiSupervisedTCA,
)
from transfer_jax.shallow.sklearn.labelled_target import (
    ITML,
    AdaptiveSVM,
    EasyAdapt,
    TrAdaBoost,
)
from transfer_jax.shallow.sklearn.scoring import (
    DomainAccuracy,
    source_accuracy,
    target_accuracy,
)
from transfer_jax.shallow.sklearn.subspaces import (
    GFK,
    SGF,
    Coral,
    JointPCA,
    NoAdaptation,
    SubspaceAlignment,
)
from transfer_jax.shallow.sklearn.transport import (
    ClassTransport,
    EntropicTransport,
    ExactTransport,
    GroupLassoTransport,
    LaplacianTransport,
)
from transfer_jax.shallow.sklearn.weighting import KLIEP, KMM, DensityRatio

__all__ = [
    'DANBNN',
    'DASVM',
    'DIP',
    'DSCM',
    'GFK',
    'ITML',
    'JDA',
    'JDOT',
    'KLIEP',
    'KMM',
    'NBNN',
    'SGF',
    'TCA',
    'TJM',
    'AdaptedClassifier',
    'AdaptiveSVM',
    'ClassTransport',
    'Coral',
    'DSCMMetric',
    'DensityRatio',
    'DomainAccuracy',
    'DomainClassifier',
    'EasyAdapt',
    'EntropicTransport',
    'ExactTransport',
    'FeatureAdapter',
    'GroupLassoTransport',
    'InstanceWeighting',
    'JointPCA',
    'LabelPropagation',
    'LaplacianTransport',
    'NoAdaptation',
    'SemiSupervisedTCA',
    'SubspaceAlignment',
    'TrAdaBoost',
    'source_accuracy',
    'target_accuracy',
]
