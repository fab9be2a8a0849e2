"""Methods that weight source examples, so that the source resembles the target."""

from collections.abc import Sequence

from transfer_jax import shallow
from transfer_jax.shallow.sklearn.base import InstanceWeighting


class KMM(InstanceWeighting):
    """Kernel Mean Matching (Huang et al., NIPS 2006).

    Minimises 1/2 b^T K b - kappa^T b over 0 <= b_i <= bound with
    |sum_i b_i - n| <= n slack, where K_ij = k(x_i, x_j) for the n source rows,
    kappa_i = n/m sum_j k(x_i, z_j) with the m target rows z, and
    k(x, z) = exp(-|x - z|^2 / (2 variance)): the weighted source mean approaches the
    target mean in feature space. The function is `shallow.kmm`.

    Args:
      variance: in squared units of the features; by default half the median squared
        distance within both domains together.
      bound: the largest weight.
      slack: 0 or more; by default (sqrt(n) - 1) / sqrt(n), as in the paper.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too, with weight 1.
    """

    build = staticmethod(shallow.kmm)

    def __init__(
        self,
        *,
        variance: float | None = None,
        bound: float = 1000.0,
        slack: float | None = None,
        target_labels: bool = False,
    ):
        self.variance = variance
        self.bound = bound
        self.slack = slack
        self.target_labels = target_labels


class KLIEP(InstanceWeighting):
    """Importance estimation by the Kullback-Leibler divergence (Sugiyama et al., 2008).

    The weight w(x) = sum_l alpha_l exp(-|x - c_l|^2 / (2 s)), with centres c_l among
    the target rows, maximises the mean of log w over the target rows subject to
    alpha_l >= 0 and a mean of w over the source rows of 1: it estimates
    p_target / p_source. The function is `shallow.kliep`.

    Args:
      variances: s, in squared units of the features. Among several the one with the
        highest mean log w of held-out target rows is used, without labels; by default
        1/8 to 8 times the median variance.
      centres: the number of centres.
      folds: the number of folds that choose the variance.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too, with weight 1.
    """

    build = staticmethod(shallow.kliep)

    def __init__(
        self,
        *,
        variances: float | Sequence[float] | None = None,
        centres: int = 100,
        folds: int = 5,
        target_labels: bool = False,
    ):
        self.variances = variances
        self.centres = centres
        self.folds = folds
        self.target_labels = target_labels


class DensityRatio(InstanceWeighting):
    """Weights by a classifier of the domains (Bickel et al., JMLR 2009).

    w(x) = n/m P(target | x) / P(source | x) = p_target(x) / p_source(x), with n source
    and m target rows and P a logistic regression of the domain, which minimises
    1/2 |normal|^2 + C sum_i log(1 + exp(-y_i f(x_i))). Bickel et al. fit the ratio
    jointly with the classifier of the labels; here it is fitted first. The function is
    `shallow.density_ratio`.

    Args:
      C: above 0, as in LogisticRegression.
      target_labels: whether labels of target rows (except -1) are used, to train the
        classifier of AdaptedClassifier on these rows too, with weight 1.
    """

    build = staticmethod(shallow.density_ratio)

    def __init__(self, *, C: float = 1.0, target_labels: bool = False):
        self.C = C
        self.target_labels = target_labels
