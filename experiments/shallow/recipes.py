"""The shallow methods of the tables and their settings.

The first setting of a method is that of its published table, if there is one. Some
papers leave a value open (the dimensions of GFK and PCA, the scale of TCA's columns);
then it is the value that gives the published numbers, found by comparing with published
target accuracies. The other settings were fixed in advance; validators choose among all
of them (experiments/shallow/trials.py).
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.tasks import feature_pairs
from transfer_jax import ops, shallow

NEIGHBOUR, SVM, SQUARED, ITSELF = 'nearest_neighbour', 'svm', 'linear_svm', ''
CLASSIFIERS = {
    NEIGHBOUR: shallow.nearest_neighbour,
    # As LIBSVM, which the papers' tables use
    SVM: lambda classes: shallow.kernel_svm(
        classes, kernel=ops.linear_kernel, one_vs_one=True
    ),
    SQUARED: shallow.linear_svm,
}


class Recipe(NamedTuple):
    """How a table runs a method."""

    build: Callable[..., shallow.Shallow]  # (classes, **setting) -> the method
    settings: tuple[Mapping[str, Any], ...]  # the paper's first
    classify: str = NEIGHBOUR  # classifier of adapted examples; '': the method is one
    semi_supervised: bool = False  # needs labelled target examples
    by_pair: Mapping[str, Mapping[str, Any]] = {}  # the paper's settings of some pairs
    # The part of a pair's examples that the method reads
    sees: Callable[[feature_pairs.Pair], feature_pairs.Pair] = lambda pair: pair


def pipeline(
    name: str, classes: int, choice: int = 0, pair: str = ''
) -> shallow.Pipeline:
    """The pipeline of a method with one of its settings, or with that of `pair`."""
    recipe = RECIPES[name]
    setting = recipe.settings[choice]
    method = recipe.build(classes, **(recipe.by_pair.get(pair) or setting))
    if recipe.classify == ITSELF:
        return shallow.pipeline(method)
    return shallow.pipeline(method, CLASSIFIERS[recipe.classify](classes))


def grid(**values: tuple) -> tuple[dict, ...]:
    """All combinations, that of the first values first."""
    return tuple(
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    )


def source_alone(pair: feature_pairs.Pair) -> feature_pairs.Pair:
    """The pair without its labelled target examples."""
    return pair._replace(target_labelled=None)


def target_alone(pair: feature_pairs.Pair) -> feature_pairs.Pair:
    """The labelled target examples in place of the source."""
    labelled = pair.target_labelled
    in_fit = np.ones(len(labelled), np.float32)
    return pair._replace(source=labelled, in_fit=in_fit, target_labelled=None)


def _tca(classes, **setting):
    """TCA as in the tables of JDA's paper (see shallow.tca)."""
    del classes
    return shallow.tca(unit_rows=False, unit_output=False, **setting)


def _plain(build):
    """A builder that ignores the number of classes."""
    return lambda classes, **setting: build(**setting)


RECIPES: dict[str, Recipe] = {
    'none': Recipe(_plain(shallow.none), ({},)),
    'none_svm': Recipe(_plain(shallow.none), ({},), SVM),
    # Subspaces
    'pca': Recipe(_plain(shallow.pca), grid(dimension=(30, 20, 60))),
    'subspace_alignment': Recipe(
        _plain(shallow.subspace_alignment), grid(dimension=(80, 20, 40, 60))
    ),
    'sgf': Recipe(_plain(shallow.sgf), grid(dimension=(20, 10, 40))),
    'gfk': Recipe(
        _plain(shallow.gfk),
        grid(dimension=(20, 10, 40)),
        # The published line used 10 on these pairs and 20 on the others
        by_pair=dict.fromkeys(
            ('C-D', 'A-W', 'W-A', 'W-D', 'D-C', 'D-W'), {'dimension': 10}
        ),
    ),
    # Feature transformation
    'tca': Recipe(_tca, grid(dimension=(100, 20, 50))),
    'sstca': Recipe(
        lambda classes, **p: shallow.semi_supervised_tca(classes=classes, **p),
        grid(dimension=(30, 20, 60)),
    ),
    'dip': Recipe(_plain(shallow.dip), grid(dimension=(20, 40))),
    'tjm': Recipe(_plain(shallow.tjm), grid(dimension=(20, 50, 100))),
    'jda': Recipe(
        lambda classes, **p: shallow.jda(classes=classes, **p),
        grid(dimension=(100, 20, 50)),
    ),
    'coral': Recipe(_plain(shallow.coral), grid(regularisation=(1.0, 0.1, 10.0)), SVM),
    # The paper's r, which hardly changes images of length 1
    'coral_1nn': Recipe(
        _plain(functools.partial(shallow.coral, relative=False)),
        grid(regularisation=(1.0, 0.1, 10.0)),
    ),
    # Optimal transport; regularisation in units of the largest cost
    'ot_exact': Recipe(_plain(shallow.exact_transport), ({},)),
    'ot_entropic': Recipe(
        _plain(shallow.entropic_transport), grid(regularisation=(0.02, 0.005, 0.1))
    ),
    'ot_group_lasso': Recipe(
        lambda classes, **p: shallow.group_lasso_transport(classes=classes, **p),
        grid(regularisation=(0.02, 0.005), group_regularisation=(0.1, 0.01)),
    ),
    'ot_class': Recipe(
        lambda classes, **p: shallow.class_transport(classes=classes, **p),
        grid(regularisation=(0.02, 0.005), group_regularisation=(0.1, 0.01)),
    ),
    'ot_laplacian': Recipe(
        _plain(shallow.laplacian_transport),
        grid(graph_regularisation=(10.0, 1.0), iterations=(20,)),
    ),
    'ot_labels': Recipe(
        shallow.label_propagation, grid(regularisation=(0.02, 0.005, 0.1)), ITSELF
    ),
    'jdot': Recipe(shallow.jdot, grid(feature_weight=(1.0, 0.1, 10.0)), ITSELF),
    # Instance weighting
    'kmm': Recipe(_plain(shallow.kmm), grid(bound=(1000.0, 10.0)), SVM),
    'kliep': Recipe(_plain(shallow.kliep), grid(centres=(100,)), SVM),
    'density_ratio': Recipe(_plain(shallow.density_ratio), grid(cost=(1.0, 0.01)), SVM),
    'tradaboost': Recipe(
        shallow.tradaboost, grid(iterations=(20,)), ITSELF, semi_supervised=True
    ),
    # Classifiers
    'dasvm': Recipe(shallow.dasvm, ({},), ITSELF),
    'adaptive_svm': Recipe(
        shallow.adaptive_svm, grid(cost=(1.0, 0.1)), ITSELF, semi_supervised=True
    ),
    'easy_adapt': Recipe(_plain(shallow.easy_adapt), ({},), SVM, semi_supervised=True),
    # Metrics
    'itml': Recipe(
        _plain(shallow.itml),
        grid(constraints=(1000,), gamma=(1.0, 0.1)),
        semi_supervised=True,
    ),
    'nbnn': Recipe(shallow.nbnn, ({},), ITSELF),
    'da_nbnn': Recipe(shallow.da_nbnn, ({},), ITSELF),
    'dscm': Recipe(shallow.dscm, grid(rounds=(0, 5)), ITSELF),
    # Baselines of the semi-supervised protocol
    'source_only': Recipe(_plain(shallow.none), ({},), sees=source_alone),
    'source_only_svm': Recipe(_plain(shallow.none), ({},), SVM, sees=source_alone),
    'target_only': Recipe(_plain(shallow.none), ({},), sees=target_alone),
    'target_only_svm': Recipe(_plain(shallow.none), ({},), SVM, sees=target_alone),
}
# The methods of the tables, by protocol; those of `full` are in every table of the
# literature.
OFFICE = {
    'full': (
        *('none', 'pca', 'subspace_alignment', 'sgf', 'gfk', 'tca', 'tjm', 'jda'),
        *('coral', 'ot_exact', 'ot_entropic', 'ot_group_lasso'),
    ),
    'oc20': (
        *('none', 'pca', 'subspace_alignment', 'sgf', 'gfk', 'tca', 'jda'),
        *('ot_exact', 'ot_entropic', 'ot_group_lasso', 'ot_class', 'ot_laplacian'),
    ),
    'semi': (
        *('source_only', 'target_only', 'none'),
        *('source_only_svm', 'target_only_svm', 'none_svm'),
        *('itml', 'adaptive_svm', 'dasvm', 'easy_adapt', 'tradaboost'),
        *('nbnn', 'dscm'),
    ),
}
# In no table; run them by name.
MORE = (
    *('none_svm', 'sstca', 'dip', 'coral_1nn', 'ot_class', 'ot_laplacian'),
    *('ot_labels', 'jdot', 'kmm', 'kliep', 'density_ratio', 'dasvm', 'nbnn'),
    *('da_nbnn', 'dscm'),
)
DIGITS = (
    *('none', 'pca', 'gfk', 'tca', 'tjm', 'jda', 'coral_1nn'),
    *('ot_exact', 'ot_entropic', 'ot_group_lasso', 'ot_class', 'ot_laplacian'),
)
