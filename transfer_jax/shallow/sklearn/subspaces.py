"""No adaptation, and methods that align subspaces or covariances."""

from transfer_jax import shallow
from transfer_jax.shallow.sklearn.base import FeatureAdapter


class NoAdaptation(FeatureAdapter):
    """Leaves the features of both domains unchanged: the baseline of every method.

    AdaptedClassifier(NoAdaptation(), classifier) trains on source rows only.

    Args:
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.none)

    def __init__(self, *, target_labels: bool = False):
        self.target_labels = target_labels


class JointPCA(FeatureAdapter):
    """Both domains in the principal subspace of their union.

    x becomes (x - m) P, with m the mean of all source and target rows and P (d, k)
    their first k principal directions. It does not align the domains; tables since Long
    et al. (ICCV 2013) call this baseline PCA. If the rows span fewer directions, the
    last coordinates are 0. The function is `shallow.pca`.

    Args:
      n_components: k, 1 to d.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.pca)

    def __init__(self, n_components: int, *, target_labels: bool = False):
        self.n_components = n_components
        self.target_labels = target_labels


class SubspaceAlignment(FeatureAdapter):
    """Subspace Alignment (Fernando, Habrard, Sebban and Tuytelaars, ICCV 2013).

    X_S and X_T (d, k) hold the first k principal directions of each domain. The
    alignment minimises |X_S M - X_T|_F^2 (eq. 1, 2), which is solved by M = X_S^T X_T
    (eq. 3). A source row x becomes x X_S M, a target row x X_T. Directions are those of
    centred features, while the mapped features are not centred, as in the authors'
    code; a fit warns if their common mean is much longer than their deviation. The
    function is `shallow.subspace_alignment`.

    Args:
      n_components: k, 1 to d. With k = d nothing is aligned. `shallow.stable_dimension`
        bounds a good choice.
      center: subtracts its mean from each domain before the map.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.subspace_alignment)

    def __init__(
        self, n_components: int, *, center: bool = False, target_labels: bool = False
    ):
        self.n_components = n_components
        self.center = center
        self.target_labels = target_labels


class SGF(FeatureAdapter):
    """Sampled Geodesic Flow (Gopalan, Li and Chellappa, ICCV 2011).

    Phi(t) is the geodesic from the principal subspace of the source, t = 0, to that of
    the target, t = 1, both of k dimensions. A row x becomes Phi(t)^T x for s equally
    spaced t from 0 to 1, concatenated to s k numbers. The paper then applies partial
    least squares with the source labels, which `pls_components` does. The function is
    `shallow.sgf`.

    Args:
      n_components: k, 1 to d.
      n_subspaces: s, at least 2.
      pls_components: components of partial least squares; None leaves the projections.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.sgf)
    renamed = {'n_subspaces': 'subspaces_sampled', 'pls_components': 'components'}

    def __init__(
        self,
        n_components: int,
        *,
        n_subspaces: int = 8,
        pls_components: int | None = None,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.n_subspaces = n_subspaces
        self.pls_components = pls_components
        self.target_labels = target_labels


def _gfk(dimension, classes, pls):
    return shallow.gfk(dimension, classes=classes if pls else None)


class GFK(FeatureAdapter):
    """Geodesic Flow Kernel (Gong, Shi, Sha and Grauman, CVPR 2012).

    With Phi(t) the geodesic from the source subspace, t = 0, to the target subspace,
    t = 1, the kernel is x^T G z, G = integral of Phi(t) Phi(t)^T dt (section 3.2). The
    features are 2k coordinates whose inner products and distances are those of the
    kernel. As in the authors' code, features are not centred. The function is
    `shallow.gfk`.

    Args:
      n_components: k, 1 to d; the paper has k below d / 2.
      pls: whether the source subspace is spanned by the weights of partial least
        squares on its labels, GFK(PLS, PCA) in the paper; else GFK(PCA, PCA).
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(_gfk)

    def __init__(
        self, n_components: int, *, pls: bool = False, target_labels: bool = False
    ):
        self.n_components = n_components
        self.pls = pls
        self.target_labels = target_labels


class Coral(FeatureAdapter):
    """CORAL, correlation alignment (Sun, Feng and Saenko, AAAI 2016).

    With C_S = cov(X_S) + r v_S I and C_T = cov(X_T) + r v_T I, a source row x becomes
    x C_S^-1/2 C_T^1/2 (algorithm 1); target rows are not changed. v_S and v_T are the
    mean variances of the features that vary; in the paper they are 1 and r = 1.
    Covariances are divided by n - 1, and the mapped rows are not centred, both as in
    the authors' code; a fit warns if their common mean is much longer than their
    deviation. The function is `shallow.coral`.

    Args:
      regularisation: r, in units of the mean variance.
      relative: False for r in units of the squared features, as in the paper.
      center: subtracts its mean from each domain first.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.coral)

    def __init__(
        self,
        regularisation: float = 1.0,
        *,
        relative: bool = True,
        center: bool = False,
        target_labels: bool = False,
    ):
        self.regularisation = regularisation
        self.relative = relative
        self.center = center
        self.target_labels = target_labels
