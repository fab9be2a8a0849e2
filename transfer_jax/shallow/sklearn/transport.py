"""Optimal transport of the source onto the target.

Courty, Flamary, Tuia and Rakotomamonjy, "Optimal Transport for Domain Adaptation",
TPAMI 2017. A plan P between the equally weighted rows of both domains maps a source row
to its barycentre, the weighted mean of the target rows that receive its mass; a new
source row is displaced like its nearest row of the fit. Costs are squared Euclidean
distances divided by the largest one, and every weight is relative to that. Target rows
do not change.
"""

from transfer_jax import shallow
from transfer_jax.shallow.sklearn.base import FeatureAdapter


class ExactTransport(FeatureAdapter):
    """Optimal transport without regularisation (Courty et al., TPAMI 2017).

    argmin_P <P, cost>, by the network simplex of POT (the extra `shallow`). A source
    row becomes the mean of the target rows that receive its mass. The function is
    `shallow.exact_transport`.

    Args:
      target_labels: whether labels of target rows (except -1) are used: they receive
        mass from their own class only, and train the classifier of AdaptedClassifier.
    """

    build = staticmethod(shallow.exact_transport)

    def __init__(self, *, target_labels: bool = False):
        self.target_labels = target_labels


class EntropicTransport(FeatureAdapter):
    """Optimal transport with entropy, OT-reg (Courty et al., TPAMI 2017).

    argmin_P <P, cost> + regularisation sum P log P, by Sinkhorn's algorithm. A source
    row becomes the weighted mean of the target rows that receive its mass. The function
    is `shallow.entropic_transport`.

    Args:
      regularisation: above 0, in units of the largest cost; 0.02 in our tables.
      target_labels: whether labels of target rows (except -1) are used: they receive
        mass from their own class only, and train the classifier of AdaptedClassifier.
    """

    build = staticmethod(shallow.entropic_transport)

    def __init__(self, regularisation: float, *, target_labels: bool = False):
        self.regularisation = regularisation
        self.target_labels = target_labels


class GroupLassoTransport(FeatureAdapter):
    """Optimal transport with a group lasso over classes, OT-GL (Courty et al. 2017).

    argmin_P <P, cost> + regularisation sum P log P
        + group_regularisation sum_jc |P_(c, j)|_2

    so that a target row receives mass from few classes; P_(c, j) is the mass that row j
    receives from source rows of class c. The objective is convex; it is minimised by
    generalised conditional gradient. The function is `shallow.group_lasso_transport`.

    Args:
      regularisation: above 0, in units of the largest cost.
      group_regularisation: 0 or more, in units of the largest cost.
      max_iter: the maximum number of iterations.
      tol: of the objective, in units of the largest cost.
      target_labels: whether labels of target rows (except -1) are used: they receive
        mass from their own class only, and train the classifier of AdaptedClassifier.
    """

    build = staticmethod(shallow.group_lasso_transport)

    def __init__(
        self,
        regularisation: float,
        group_regularisation: float,
        *,
        max_iter: int = 100,
        tol: float = 1e-8,
        target_labels: bool = False,
    ):
        self.regularisation = regularisation
        self.group_regularisation = group_regularisation
        self.max_iter = max_iter
        self.tol = tol
        self.target_labels = target_labels


class ClassTransport(FeatureAdapter):
    """Optimal transport with a concave penalty over classes, OT-LpLq.

    argmin_P <P, cost> + regularisation sum P log P
        + group_regularisation sum_jc (sum of P_(c, j) + offset)^(1/2)

    by majorisation-minimisation (Courty, Flamary and Tuia, ECML 2014). The minimum is
    local. The function is `shallow.class_transport`.

    Args:
      regularisation: above 0, in units of the largest cost.
      group_regularisation: 0 or more, in units of the largest cost.
      max_iter: the number of iterations, the first without the penalty.
      offset: above 0; a column has a total mass of 1 / m.
      target_labels: whether labels of target rows (except -1) are used: they receive
        mass from their own class only, and train the classifier of AdaptedClassifier.
    """

    build = staticmethod(shallow.class_transport)

    def __init__(
        self,
        regularisation: float,
        group_regularisation: float,
        *,
        max_iter: int = 10,
        offset: float = 1e-3,
        target_labels: bool = False,
    ):
        self.regularisation = regularisation
        self.group_regularisation = group_regularisation
        self.max_iter = max_iter
        self.offset = offset
        self.target_labels = target_labels


class LaplacianTransport(FeatureAdapter):
    """Optimal transport that preserves neighbourhoods, OT-Laplace (Courty et al. 2017).

    argmin_P <P, cost> + regularisation sum P log P + graph_regularisation (
        source_share tr(x_t^T P^T L_s P x_t)
        + (1 - source_share) tr(x_s^T P L_t P^T x_s))

    with the Laplacians of the graphs of nearest neighbours. The inner problem is
    entropic, or without `regularisation` exact, by POT. The function is
    `shallow.laplacian_transport`.

    Args:
      graph_regularisation: 0 or more.
      regularisation: above 0, in units of the largest cost; None is without entropy.
      source_share: 0 to 1.
      n_neighbors: of each row, of any class.
      max_iter: the maximum number of iterations.
      tol: of the objective, in units of the largest cost.
      target_labels: whether labels of target rows (except -1) are used: they receive
        mass from their own class only, and train the classifier of AdaptedClassifier.
    """

    build = staticmethod(shallow.laplacian_transport)

    def __init__(
        self,
        graph_regularisation: float,
        regularisation: float | None = None,
        *,
        source_share: float = 0.5,
        n_neighbors: int = 3,
        max_iter: int = 100,
        tol: float = 1e-8,
        target_labels: bool = False,
    ):
        self.graph_regularisation = graph_regularisation
        self.regularisation = regularisation
        self.source_share = source_share
        self.n_neighbors = n_neighbors
        self.max_iter = max_iter
        self.tol = tol
        self.target_labels = target_labels
