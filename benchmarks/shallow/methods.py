"""The sides of each method, and the comparison of their answers with ours."""

import functools
import importlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side

PACKAGES = {'skada': 'skada', 'POT': 'ot'}  # {package: module}


class Method(NamedTuple):
    """Sides of a method, as 'module.function' with arguments after a space."""

    ours: str
    packages: Mapping[str, str] = {}  # those of skada and POT
    arrays: Mapping[str, str] = {}  # implementations in NumPy and SciPy
    kind: str = 'values'  # of the answers, a key of DIFFERENCES
    note: str = ''


def _relative(a, b):
    return np.max(np.abs(a - b)) / np.max(np.abs(a))


# Difference of another side's answer b from our answer a.
DIFFERENCES = {
    'values': _relative,  # as a share of the largest value
    'objective': lambda a, b: float((b - a) / np.abs(a)),  # positive: ours is lower
    'labels': lambda a, b: np.mean(a != b),  # share of target examples
}


def _eigen(function: str, words: str = '') -> dict[str, str]:
    return {
        f'SciPy {solver}': f'projections.{function} {solver}{words}'
        for solver in ('eigh', 'eigsh')
    }


METHODS = {
    'pca': Method(
        'ours.pca', {'scikit-learn PCA': 'packages.sklearn_pca'}, _eigen('pca')
    ),
    'subspace_alignment': Method(
        'ours.subspace_alignment',
        {'skada': 'packages.subspace_alignment'},
        _eigen('subspace_alignment'),
        note='PCA in skada may be randomised, and so inexact',
    ),
    'gfk': Method('ours.gfk', {}, _eigen('gfk')),
    'sgf': Method('ours.sgf', {}, _eigen('sgf')),
    'tca': Method(
        'ours.tca',
        {'skada': 'packages.tca linear'},
        _eigen('tca'),
        note='skada takes a matrix for symmetric that is not',
    ),
    'tca_gaussian': Method(
        'ours.tca_gaussian',
        {'skada': 'packages.tca rbf'},
        _eigen('tca', ' gaussian'),
        note='skada takes a matrix for symmetric that is not',
    ),
    'tjm': Method('ours.tjm', {'skada': 'packages.tjm'}, _eigen('tjm')),
    'jda': Method('ours.jda', {}, _eigen('jda')),
    'coral': Method(
        'ours.coral', {'skada': 'packages.coral'}, {'NumPy': 'projections.coral'}
    ),
    'dip': Method(
        'ours.dip', {}, {'SciPy L-BFGS': 'projections.dip'}, kind='objective'
    ),
    'exact_transport': Method(
        'ours_transport.exact_transport',
        {'POT': 'transport.pot_exact', 'skada': 'transport.skada_exact'},
        {'SciPy assignment': 'weights.assignment'},
        note='an assignment is for domains of one size alone',
    ),
    'entropic_transport': Method(
        'ours_transport.entropic_transport',
        {
            'POT': 'transport.pot_entropic sinkhorn',
            'POT log': 'transport.pot_entropic sinkhorn_log',
            'skada': 'transport.skada_entropic',
        },
        {'NumPy': 'weights.sinkhorn'},
    ),
    'group_lasso_transport': Method(
        'ours_transport.group_lasso_transport',
        {
            'POT': 'transport.pot_groups',
            'skada': 'transport.skada_classes l1l2',
        },
        kind='objective',
    ),
    'class_transport': Method(
        'ours_transport.class_transport',
        {
            'POT': 'transport.pot_classes',
            'skada': 'transport.skada_classes lpl1',
        },
        kind='objective',
    ),
    'laplacian_transport': Method(
        'ours_transport.laplacian_transport',
        {'POT': 'transport.pot_laplacian'},
        kind='objective',
    ),
    'jdot': Method('ours_transport.jdot', {'skada': 'packages.jdot'}),
    'label_propagation': Method(
        'ours_transport.label_propagation',
        {'skada': 'packages.skada_labels'},
        {'SciPy assignment': 'weights.assigned_labels'},
        note='an assignment is for domains of one size alone',
    ),
    'kmm': Method(
        'ours_classifiers.kmm',
        {
            'skada': 'packages.kmm frank-wolfe',
            'skada scipy': 'packages.kmm scipy',
        },
        {'SciPy L-BFGS': 'weights.kmm'},
        kind='objective',
    ),
    'kliep': Method(
        'ours_classifiers.kliep one',
        {'skada': 'packages.kliep one'},
        {'SciPy L-BFGS': 'weights.kliep one'},
        kind='objective',
        note='the steps of skada are of machine precision: it stays where it begins',
    ),
    'kliep_folds': Method(
        'ours_classifiers.kliep many',
        {'skada': 'packages.kliep many'},
        {'SciPy L-BFGS': 'weights.kliep many'},
        kind='objective',
    ),
    'density_ratio': Method(
        'ours_classifiers.density_ratio',
        {'skada': 'packages.density_ratio'},
        {
            'scikit-learn lbfgs': 'weights.density_ratio lbfgs',
            'scikit-learn newton': 'weights.density_ratio newton-cholesky',
        },
    ),
    'tradaboost': Method(
        'ours_classifiers.tradaboost',
        {},
        {'scikit-learn': 'classifiers.tradaboost'},
        kind='labels',
    ),
    'dasvm': Method(
        'ours_classifiers.dasvm',
        {'skada': 'packages.dasvm'},
        kind='labels',
        note='skada exchanges one example a turn, and ours trains both classes',
    ),
    'adaptive_svm': Method(
        'ours_classifiers.adaptive_svm',
        {},
        {'SciPy L-BFGS': 'classifiers.adaptive_svm'},
    ),
    'easy_adapt': Method(
        'ours_classifiers.easy_adapt', {}, {'scikit-learn': 'classifiers.easy_adapt'}
    ),
    'itml': Method('ours_classifiers.itml', {}, {'NumPy': 'classifiers.itml'}),
    'nbnn': Method(
        'ours_classifiers.nbnn',
        {},
        {'NumPy': 'classifiers.nbnn', 'scikit-learn': 'classifiers.sklearn_nbnn'},
    ),
    'dscm': Method('ours_classifiers.dscm', {}, {'NumPy': 'classifiers.dscm'}),
    'dscm_metric': Method(
        'ours_classifiers.dscm_metric',
        {},
        {'NumPy': 'classifiers.dscm_metric'},
        kind='labels',
    ),
    'mmd_test': Method('ours_classifiers.mmd_test', {}, {'NumPy': 'weights.mmd_test'}),
    'proxy_a_distance': Method(
        'ours_classifiers.proxy_a_distance',
        {},
        {'scikit-learn': 'weights.proxy_a_distance'},
        note='random halves are not the same',
    ),
    'nearest_neighbours': Method(
        'ours_classifiers.nearest_neighbours',
        {},
        {'scikit-learn': 'classifiers.nearest_neighbours'},
        kind='labels',
        note='equal votes go to the class of the nearest, there to the first class',
    ),
}


def build(path: str, p: Problem) -> Side:
    """The side that 'module.function argument' names."""
    name, *words = path.split(' ')
    module, function = name.split('.')
    candidates = {'one': [problems.variance(p)], 'many': problems.widths(p)}
    sides = importlib.import_module(f'benchmarks.shallow.{module}')
    arguments = [candidates.get(word, word) for word in words]
    return functools.partial(getattr(sides, function), p)(*arguments)
