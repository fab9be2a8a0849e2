"""The shallow methods that fit on a plane, with their hyper-parameters there."""

from collections.abc import Callable

from transfer_jax import ops, shallow
from transfer_jax.data import toy

CLASSES = len(toy.CLASSES)

# Options of kernel components; examples are not scaled to length 1.
COMPONENTS = {
    'kernel': ops.gaussian_kernel((1.0,)),
    'unit_rows': False,
    'unit_output': False,
}
METHODS: dict[str, Callable[[], shallow.Shallow]] = {
    'none': shallow.none,
    # Subspaces and statistics
    'pca': lambda: shallow.pca(1),
    'subspace_alignment': lambda: shallow.subspace_alignment(1),
    'coral': lambda: shallow.coral(1e-3, relative=False),
    'gfk': lambda: shallow.gfk(1),
    'sgf': lambda: shallow.sgf(1, components=2, classes=CLASSES),
    'dip': lambda: shallow.dip(1),
    # Components that align the means
    'tca': lambda: shallow.tca(2, **COMPONENTS),
    'jda': lambda: shallow.jda(2, classes=CLASSES, **COMPONENTS),
    'tjm': lambda: shallow.tjm(2, **COMPONENTS),
    # Transport of the source; regularisations in units of the largest cost
    'exact_transport': shallow.exact_transport,
    'entropic_transport': lambda: shallow.entropic_transport(0.01),
    'group_lasso_transport': lambda: shallow.group_lasso_transport(
        0.01, 0.1, classes=CLASSES
    ),
    'class_transport': lambda: shallow.class_transport(0.01, 0.1, classes=CLASSES),
    'laplacian_transport': lambda: shallow.laplacian_transport(1.0, 0.01),
    # Weights of the source
    'kmm': shallow.kmm,
    'kliep': shallow.kliep,
    'density_ratio': shallow.density_ratio,
    # Classifiers
    'label_propagation': lambda: shallow.label_propagation(CLASSES, 0.01),
    'jdot': lambda: shallow.jdot(CLASSES),
    'dasvm': lambda: shallow.dasvm(CLASSES),
    'nbnn': lambda: shallow.nbnn(CLASSES),
    'da_nbnn': lambda: shallow.da_nbnn(CLASSES),
    'dscm': lambda: shallow.dscm(CLASSES),
    # With a few labelled target examples
    'easy_adapt': shallow.easy_adapt,
    'adaptive_svm': lambda: shallow.adaptive_svm(CLASSES, cost=10.0),
    'tradaboost': lambda: shallow.tradaboost(CLASSES),
    'itml': lambda: shallow.itml(200),
}
