"""Methods that learn components in which the distributions of the domains agree."""

from transfer_jax import ops, shallow
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow.sklearn.base import FeatureAdapter


class TCA(FeatureAdapter):
    """Transfer Component Analysis (Pan, Tsang, Kwok and Yang, TNN 2011).

    Minimises tr(A^T K M K A) + mu tr(A^T A) subject to A^T K H K A = I (section IV),
    with the MMD matrix M and the centring matrix H. A row x becomes k(x, X) A.

    The defaults are those of later comparisons: M is divided by its Frobenius norm,
    rows have length 1 before and after the projection, and columns of A have length 1.
    The paper's method is normalise=False, unit_rows=False, unit_output=False,
    whiten=True. The function is `shallow.tca`.

    Args:
      n_components: k, 1 to the number of rows (without a kernel, of features).
      kernel: of two samples, (n, d), (m, d) -> (n, m); with None the features replace
        K. Only a function of a module can be pickled.
      regularisation: mu, above 0.
      normalise: divides M by its Frobenius norm.
      unit_rows: scales the rows to length 1 first.
      unit_output: scales the projected rows to length 1.
      whiten: imposes A^T K H K A = I.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.tca)

    def __init__(
        self,
        n_components: int,
        *,
        kernel: Kernel | None = ops.linear_kernel,
        regularisation: float = 1.0,
        normalise: bool = True,
        unit_rows: bool = True,
        unit_output: bool = True,
        whiten: bool = False,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.regularisation = regularisation
        self.normalise = normalise
        self.unit_rows = unit_rows
        self.unit_output = unit_output
        self.whiten = whiten
        self.target_labels = target_labels


class SemiSupervisedTCA(FeatureAdapter):
    """TCA with labels and neighbourhoods, SSTCA (Pan et al., TNN 2011, section V).

    Minimises tr(A^T K L K A) + mu tr(A^T A) + lambda / n^2 tr(A^T K N K A) subject to
    A^T K H Y H K A = I. The constraint maximises the dependence (HSIC) on
    Y = gamma Y_l + (1 - gamma) I, where Y_l is 1 between labelled rows of one class;
    N is the Laplacian of the graph of nearest neighbours, L the MMD matrix. Time n^3.
    The function is `shallow.semi_supervised_tca`.

    Args:
      n_components: k.
      kernel: of two samples; with None the features replace K. Only a function of a
        module can be pickled.
      regularisation: mu, above 0.
      dependence: gamma, 0 to 1.
      manifold: lambda, 0 or more.
      n_neighbors: of the graph.
      variance: of its Gaussian weights; by default half the mean squared distance
        between neighbours.
      unit_rows: scales the rows to length 1 first.
      unit_output: scales the projected rows to length 1.
      whiten: imposes the constraint; otherwise columns of A have length 1.
      target_labels: whether labels of target rows (except -1) are used, in Y and to
        train the classifier of AdaptedClassifier.
    """

    build = staticmethod(shallow.semi_supervised_tca)

    def __init__(
        self,
        n_components: int,
        *,
        kernel: Kernel | None = ops.linear_kernel,
        regularisation: float = 1.0,
        dependence: float = 0.5,
        manifold: float = 1.0,
        n_neighbors: int = 10,
        variance: float | None = None,
        unit_rows: bool = True,
        unit_output: bool = True,
        whiten: bool = False,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.regularisation = regularisation
        self.dependence = dependence
        self.manifold = manifold
        self.n_neighbors = n_neighbors
        self.variance = variance
        self.unit_rows = unit_rows
        self.unit_output = unit_output
        self.whiten = whiten
        self.target_labels = target_labels


class TJM(FeatureAdapter):
    """Transfer Joint Matching (Long, Wang, Ding, Sun and Yu, CVPR 2014).

    Minimises tr(A^T K M K A) + lambda (|A_S|_{2,1} + |A_T|_F^2) subject to
    A^T K H K A = I, where A_S and A_T are the rows of A for source and target: it
    matches the domains' means while it reweights source rows by their relevance. The
    defaults are those of the authors' code. The function is `shallow.tjm`.

    Args:
      n_components: k, 1 to the number of rows.
      kernel: of two samples. Only a function of a module can be pickled.
      regularisation: lambda, above 0.
      sparsity: the factor of 1 / |a_i| in the weights; 0.5 in the paper.
      max_iter: how many times A is solved for.
      unit_rows: scales the rows to length 1 first.
      unit_output: scales the projected rows to length 1.
      whiten: imposes A^T K H K A = I, as in the paper; else columns of A have length 1.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.tjm)

    def __init__(
        self,
        n_components: int = 20,
        *,
        kernel: Kernel = ops.linear_kernel,
        regularisation: float = 1.0,
        sparsity: float = 1.0,
        max_iter: int = 10,
        unit_rows: bool = True,
        unit_output: bool = False,
        whiten: bool = False,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.regularisation = regularisation
        self.sparsity = sparsity
        self.max_iter = max_iter
        self.unit_rows = unit_rows
        self.unit_output = unit_output
        self.whiten = whiten
        self.target_labels = target_labels


class JDA(FeatureAdapter):
    """Joint Distribution Adaptation (Long, Wang, Ding, Sun and Yu, ICCV 2013).

    Minimises sum_c tr(A^T K M_c K A) + lambda |A|_F^2 subject to A^T K H K A = I. M_0
    is the MMD matrix of the domains; M_c is that of class c, between its source rows
    and the target rows to which 1-NN on the projected sources gave that label in the
    previous iteration. The defaults are those of the authors' code. The function is
    `shallow.jda`.

    Args:
      n_components: k, 1 to the number of rows (without a kernel, of features).
      kernel: of two samples; with None the features replace K. Only a function of a
        module can be pickled.
      regularisation: lambda, above 0.
      max_iter: how many times A is solved for.
      unit_rows: scales the rows to length 1 first.
      unit_output: scales the projected rows to length 1, for 1-NN too.
      whiten: imposes A^T K H K A = I, as in the paper; else columns of A have length 1.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.jda)

    def __init__(
        self,
        n_components: int = 100,
        *,
        kernel: Kernel | None = ops.linear_kernel,
        regularisation: float = 1.0,
        max_iter: int = 10,
        unit_rows: bool = True,
        unit_output: bool = True,
        whiten: bool = False,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.regularisation = regularisation
        self.max_iter = max_iter
        self.unit_rows = unit_rows
        self.unit_output = unit_output
        self.whiten = whiten
        self.target_labels = target_labels


class DIP(FeatureAdapter):
    """Domain Invariant Projection (Baktashmotlagh et al., ICCV 2013).

    Minimises the squared maximum mean discrepancy of the projected rows x W over W
    (d, k) with W^T W = I, with the kernel exp(-|u - v|^2 / sigma) or (1 + u^T v)^2.
    With `clustering` = lambda above 0 (DIP-CC) it adds lambda / sigma times the sum of
    squared distances of projected source rows to the mean of their class. L-BFGS takes
    the place of the authors' conjugate gradients. The function is `shallow.dip`.

    Args:
      n_components: k, 1 to d.
      kernel: 'gaussian' or 'polynomial'.
      width: sigma, in squared units of the features; by default the median squared
        distance between source rows.
      clustering: lambda, 0 or more.
      max_iter: the maximum number of steps.
      tol: the norm of the gradient at which to stop, as a share of the first.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too.
    """

    build = staticmethod(shallow.dip)
    renamed = {'max_iter': 'steps'}

    def __init__(
        self,
        n_components: int,
        *,
        kernel: str = 'gaussian',
        width: float | None = None,
        clustering: float = 0.0,
        max_iter: int = 200,
        tol: float = 1e-5,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.width = width
        self.clustering = clustering
        self.max_iter = max_iter
        self.tol = tol
        self.target_labels = target_labels
