"""Shallow methods: fitted pytrees that predict in the same form as deep methods.

`shallow.sklearn` has them as scikit-learn estimators; it is imported when first used.
"""

import importlib
from typing import TYPE_CHECKING

from transfer_jax.shallow.adaptive_svm import adaptive_svm
from transfer_jax.shallow.class_means import nearest_class_mean, prototypes
from transfer_jax.shallow.classifiers import nearest_neighbour
from transfer_jax.shallow.coral import coral
from transfer_jax.shallow.da_nbnn import da_nbnn
from transfer_jax.shallow.dasvm import dasvm
from transfer_jax.shallow.density_ratio import density_ratio, density_ratio_weights
from transfer_jax.shallow.dip import dip
from transfer_jax.shallow.dscm import dscm, dscm_metric
from transfer_jax.shallow.easy_adapt import (
    easy_adapt,
    easy_adapt_kernel,
    mark_domain,
)
from transfer_jax.shallow.folds import Choice, choose_cost, stratified_folds
from transfer_jax.shallow.gfk import (
    Disagreement,
    gfk,
    rank_of_domain,
    subspace_disagreement,
)
from transfer_jax.shallow.itml import itml
from transfer_jax.shallow.jda import jda
from transfer_jax.shallow.jdot import jdot
from transfer_jax.shallow.kernel_svm import kernel_svm
from transfer_jax.shallow.kliep import kliep, kliep_weights
from transfer_jax.shallow.kmm import kmm
from transfer_jax.shallow.label_propagation import label_propagation
from transfer_jax.shallow.linear import (
    Linear,
    linear_path,
    linear_scores,
    linear_svm,
    softmax_regression,
)
from transfer_jax.shallow.multi_label import multi_label_svm
from transfer_jax.shallow.nbnn import nbnn
from transfer_jax.shallow.neighbours import nearest_neighbours
from transfer_jax.shallow.none import none
from transfer_jax.shallow.pca import pca
from transfer_jax.shallow.scaling import Scaling, fit_scaling, standardise
from transfer_jax.shallow.sgf import sgf
from transfer_jax.shallow.shallow import (
    Classifier,
    Fitted,
    Pipeline,
    Shallow,
    pipeline,
)
from transfer_jax.shallow.subspace_alignment import subspace_alignment
from transfer_jax.shallow.subspace_bound import stable_dimension
from transfer_jax.shallow.tca import semi_supervised_tca, tca
from transfer_jax.shallow.tjm import tjm
from transfer_jax.shallow.tradaboost import tradaboost
from transfer_jax.shallow.transport import (
    class_transport,
    entropic_transport,
    exact_transport,
    group_lasso_transport,
    laplacian_transport,
)
from transfer_jax.shallow.two_sample import MmdTest, mmd_test, proxy_a_distance

if TYPE_CHECKING:
    from transfer_jax.shallow import sklearn

__all__ = [
    'Choice',
    'Classifier',
    'Disagreement',
    'Fitted',
    'Linear',
    'MmdTest',
    'Pipeline',
    'Scaling',
    'Shallow',
    'adaptive_svm',
    'choose_cost',
    'class_transport',
    'coral',
    'da_nbnn',
    'dasvm',
    'density_ratio',
    'density_ratio_weights',
    'dip',
    'dscm',
    'dscm_metric',
    'easy_adapt',
    'easy_adapt_kernel',
    'entropic_transport',
    'exact_transport',
    'fit_scaling',
    'gfk',
    'group_lasso_transport',
    'itml',
    'jda',
    'jdot',
    'kernel_svm',
    'kliep',
    'kliep_weights',
    'kmm',
    'label_propagation',
    'laplacian_transport',
    'linear_path',
    'linear_scores',
    'linear_svm',
    'mark_domain',
    'mmd_test',
    'multi_label_svm',
    'nbnn',
    'nearest_class_mean',
    'nearest_neighbour',
    'nearest_neighbours',
    'none',
    'pca',
    'pipeline',
    'prototypes',
    'proxy_a_distance',
    'rank_of_domain',
    'semi_supervised_tca',
    'sgf',
    'sklearn',
    'softmax_regression',
    'stable_dimension',
    'standardise',
    'stratified_folds',
    'subspace_alignment',
    'subspace_disagreement',
    'tca',
    'tjm',
    'tradaboost',
]


def __getattr__(name: str):
    if name == 'sklearn':  # of a second or so, which other users need not wait for
        return importlib.import_module(f'{__name__}.sklearn')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
