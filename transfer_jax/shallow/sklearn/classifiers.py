"""Methods that classify by themselves, without labels of the target."""

from transfer_jax import ops, shallow
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow.sklearn.base import DomainClassifier


class JDOT(DomainClassifier):
    """Joint Distribution Optimal Transport (Courty, Flamary, Habrard, Rakotomamonjy).

    min over plans P and linear f of
        sum_ij P_ij (feature_weight d_ij + L(y_i, f(x_j))) + 1 / (2 C m) |f|^2

    (NIPS 2017) for m target rows, d being the squared distance divided by the largest
    of all pairs. It alternates between P and f. The function is `shallow.jdot`.

    Args:
      feature_weight: 0 or more; 1 is the paper's alpha.
      C: above 0, as in LinearSVC.
      loss: L, 'squared_hinge' (one-vs-rest, as in the paper) or 'cross_entropy'.
      regularisation: the weight of sum P log P; None is the exact plan, by POT.
      max_iter: of the alternation; 10 in the authors' code.
      target_labels: whether labels of target rows (except -1) are used: pairs of
        different labels are forbidden.
    """

    build = staticmethod(shallow.jdot)

    def __init__(
        self,
        *,
        feature_weight: float = 1.0,
        C: float = 1.0,
        loss: str = 'squared_hinge',
        regularisation: float | None = None,
        max_iter: int = 10,
        target_labels: bool = False,
    ):
        self.feature_weight = feature_weight
        self.C = C
        self.loss = loss
        self.regularisation = regularisation
        self.max_iter = max_iter
        self.target_labels = target_labels


class LabelPropagation(DomainClassifier):
    """Label propagation by optimal transport (Solomon et al., ICML 2014).

    With a plan P between the domains and one-hot labels Y of the source, the class
    shares of the target rows are diag(b)^-1 P^T Y, b being their weights; as domain
    adaptation: Redko, Courty, Flamary and Tuia, AISTATS 2019. It is transductive: a new
    row has the shares of the nearest target row of the fit. The function is
    `shallow.label_propagation`.

    Args:
      regularisation: of the entropic plan, in units of the largest cost; None is the
        exact plan, by POT.
      target_labels: whether labels of target rows (except -1) are used: pairs of
        different labels are forbidden.
    """

    build = staticmethod(shallow.label_propagation)

    def __init__(
        self, *, regularisation: float | None = None, target_labels: bool = False
    ):
        self.regularisation = regularisation
        self.target_labels = target_labels


class DASVM(DomainClassifier):
    """Domain adaptation SVM (Bruzzone and Marconcini, TPAMI 32(5), 2010).

    For each class against the rest, a machine trained on the source labels target rows
    by its sign. Every iteration gives labels to the `rho` target rows in the margin
    nearest to either side, takes them back where the sign changed, and removes as many
    source rows of the largest and smallest values. Iteration i weights the hinge of a
    source row by max(C', C - (C - C') (i / growth)^2), and that of a target row
    labelled k iterations ago by min(C, C' + (C - C') (k / growth)^2), C' = start * C.
    The machines are LIBSVM's. The function is `shallow.dasvm`.

    Args:
      kernel: of two samples; None is a Gaussian of the median width of both domains.
        Only a function of a module can be pickled.
      C: above 0.
      start: C' / C.
      growth: iterations until a weight has passed from C' to C.
      rho: 5 % of the target, rounded up, by default.
      share: of the target that may gain or lose a label at convergence.
      max_iter: the maximum number of iterations.
      target_labels: whether labels of target rows (except -1) are used, throughout at
        cost C.
    """

    build = staticmethod(shallow.dasvm)

    def __init__(
        self,
        *,
        kernel: Kernel | None = ops.linear_kernel,
        C: float = 1.0,
        start: float = 0.1,
        growth: int = 10,
        rho: int | None = None,
        share: float = 0.03,
        max_iter: int = 200,
        target_labels: bool = False,
    ):
        self.kernel = kernel
        self.C = C
        self.start = start
        self.growth = growth
        self.rho = rho
        self.share = share
        self.max_iter = max_iter
        self.target_labels = target_labels


class NBNN(DomainClassifier):
    """Naive-Bayes nearest neighbour (Boiman, Shechtman and Irani, CVPR 2008).

    A row is an image of m local descriptors d_i. The distance to class c is
    sum_i |d_i - NN_c(d_i)|^2, NN_c(d_i) being the nearest descriptor of any image of
    class c; the class of least distance is predicted. The function is `shallow.nbnn`.

    Args:
      descriptors: m; a row is m descriptors, concatenated.
      target_labels: whether labelled target rows (except -1) count as images of their
        class.
    """

    build = staticmethod(shallow.nbnn)

    def __init__(self, *, descriptors: int = 1, target_labels: bool = False):
        self.descriptors = descriptors
        self.target_labels = target_labels


class DANBNN(DomainClassifier):
    """NBNN with learned metrics, while target images replace source images.

    (Tommasi and Caputo, ICCV 2013.) D_c(x) = tr(delta_c M_c delta_c^T) is the distance
    of an image to class c, delta_c (m, k) its differences to the nearest descriptors.
    Each iteration t exchanges images, the target's of large margin for the source's,
    and learns the metrics that minimise

      sum_i w_i [(1 - trade) D_p(x_i) + trade sum_{n != p} [margin + D_p - D_n]_+],

    p being the label and w = 1 - t / 10 for source, t / 10 for target images. Defaults
    are those of the authors' code. The function is `shallow.da_nbnn`.

    Args:
      descriptors: m; a row is m descriptors, concatenated.
      max_iter: of the exchange, at most 10.
      per_class: images exchanged for each class in an iteration.
      trade: 0 to 1.
      margin: in squared units of the features, summed over descriptors.
      rounds: the maximum number of subgradient steps.
      target_labels: whether labelled target rows (except -1) are in use throughout.
    """

    build = staticmethod(shallow.da_nbnn)

    def __init__(
        self,
        *,
        descriptors: int = 1,
        max_iter: int = 10,
        per_class: int = 2,
        trade: float = 0.5,
        margin: float = 1.0,
        rounds: int = 200,
        target_labels: bool = False,
    ):
        self.descriptors = descriptors
        self.max_iter = max_iter
        self.per_class = per_class
        self.trade = trade
        self.margin = margin
        self.rounds = rounds
        self.target_labels = target_labels


class DSCM(DomainClassifier):
    """Domain-specific class means (Csurka, Chidlovskii and Perronnin, ECCV 2014 w.).

    p(c | x) = 1/Z sum_d w_d exp(-|x - mu_d^c|^2 / 2), mu_d^c being the mean of class c
    in domain d and Z the sum over classes. Without labelled target rows and `rounds`
    the prediction is the nearest source mean. The function is `shallow.dscm`.

    Args:
      source_weight: w of the source, above 0.
      target_weight: w of the target, above 0.
      rounds: in each, the `per_class` target rows of each predicted class with the
        highest p join, and the source rows of each class with the lowest leave.
      per_class: see `rounds`.
      target_labels: whether labelled target rows (except -1) count in their means.
    """

    build = staticmethod(shallow.dscm)

    def __init__(
        self,
        *,
        source_weight: float = 1.0,
        target_weight: float = 1.0,
        rounds: int = 0,
        per_class: int = 1,
        target_labels: bool = False,
    ):
        self.source_weight = source_weight
        self.target_weight = target_weight
        self.rounds = rounds
        self.per_class = per_class
        self.target_labels = target_labels


class DSCMMetric(DomainClassifier):
    """DSCM with a learned metric of low rank (Csurka et al., ECCV 2014 workshops).

    Distances become |(x - mu) W|^2. W (d, k) minimises -mean_i log p(y_i | x_i) over
    the labelled rows of both domains, with p as in DSCM, starting from the first k
    principal directions (Mensink, Verbeek, Perronnin and Csurka, TPAMI 2013). The
    function is `shallow.dscm_metric`.

    Args:
      n_components: k, 1 to d.
      max_iter: the number of gradient steps.
      source_weight: w of the source, above 0.
      target_weight: w of the target, above 0.
      rounds: as in DSCM; the metric is learned again after each.
      per_class: as in DSCM.
      target_labels: whether labelled target rows (except -1) are used.
    """

    build = staticmethod(shallow.dscm_metric)
    renamed = {'max_iter': 'steps'}

    def __init__(
        self,
        n_components: int,
        *,
        max_iter: int = 100,
        source_weight: float = 1.0,
        target_weight: float = 1.0,
        rounds: int = 0,
        per_class: int = 1,
        target_labels: bool = False,
    ):
        self.n_components = n_components
        self.max_iter = max_iter
        self.source_weight = source_weight
        self.target_weight = target_weight
        self.rounds = rounds
        self.per_class = per_class
        self.target_labels = target_labels
