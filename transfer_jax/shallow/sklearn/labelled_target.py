"""Methods that need labels of some target rows (-1 marks the others)."""

from transfer_jax import shallow
from transfer_jax.shallow.sklearn.base import DomainClassifier, FeatureAdapter


class EasyAdapt(FeatureAdapter):
    """Feature augmentation (Daume III, ACL 2007).

    "Frustratingly Easy Domain Adaptation". A source row x becomes (x, x, 0), a target
    row (x, 0, x): shared, source-specific and target-specific features (section 3). The
    classifier of AdaptedClassifier(EasyAdapt(), classifier) is trained on the source
    rows and the labelled target rows, which are required. The function is
    `shallow.easy_adapt`.
    """

    build = staticmethod(shallow.easy_adapt)
    target_labels = True

    def __init__(self):
        pass


class ITML(FeatureAdapter):
    """Information-theoretic metric learning (Davis et al., ICML 2007).

    The metric A nearest to the Euclidean one in LogDet divergence such that
    (x_i - x_j)^T A (x_i - x_j) is at most u for pairs of one class and at least l for
    pairs of two classes, u and l being the 5th and 95th percentiles of the squared
    distances, up to slack that costs gamma. Pairs are drawn at random, one row of each
    domain (Saenko, Kulis, Fritz and Darrell, ECCV 2010). x becomes x L with
    A = L L^T. The function is `shallow.itml`.

    Args:
      constraints: the number of pairs.
      gamma: above 0; larger values allow less slack.
      across: False draws both rows of a pair from either domain.
      sweeps: the maximum number of passes over the pairs.
      tol: the relative change of the multipliers at which to stop.
      random_state: of the pairs.
    """

    build = staticmethod(shallow.itml)
    target_labels = True

    def __init__(
        self,
        constraints: int,
        *,
        gamma: float = 1.0,
        across: bool = True,
        sweeps: int = 30,
        tol: float = 1e-3,
        random_state: int | None = 0,
    ):
        self.constraints = constraints
        self.gamma = gamma
        self.across = across
        self.sweeps = sweeps
        self.tol = tol
        self.random_state = random_state


class AdaptiveSVM(DomainClassifier):
    """A-SVM: the source classifier plus a correction (Yang et al., ACM MM 2007).

    f(x) = f_S(x) + <w, x> minimises, over the labelled target rows,

        1/2 |w|^2 + C sum_i max(0, 1 - y_i (f_S(x_i) + <w, x_i>)),

    one-vs-rest; f_S is a linear SVM with squared hinge on the source. The function is
    `shallow.adaptive_svm`.

    Args:
      C: of the correction, above 0; the smaller, the closer f stays to f_S.
      source_C: of f_S, as in LinearSVC.
    """

    build = staticmethod(shallow.adaptive_svm)
    target_labels = True

    def __init__(self, *, C: float = 1.0, source_C: float = 1.0):
        self.C = C
        self.source_C = source_C


def _boosted(classes, iterations, cost):
    learner = shallow.linear_svm(classes, cost)
    return shallow.tradaboost(classes, iterations=iterations, classify=learner)


class TrAdaBoost(DomainClassifier):
    """Boosting for transfer learning (Dai, Yang, Xue and Yu, ICML 2007).

    In each of N rounds a linear SVM is trained on the labelled rows of both domains
    with weights. Its weighted error on the target is e, and b = e / (1 - e). The weight
    of a misclassified source row is multiplied by 1 / (1 + sqrt(2 ln n / N)), with n
    source rows, that of a misclassified target row by 1 / b. Learners from round
    ceil(N/2) on vote, each with log 1/b (figure 1). More than two classes are as in
    AdaBoost.M1. The function is `shallow.tradaboost`.

    Args:
      max_iter: N.
      C: of the linear SVM, as in LinearSVC.
    """

    build = staticmethod(_boosted)
    target_labels = True

    def __init__(self, *, max_iter: int = 20, C: float = 1.0):
        self.max_iter = max_iter
        self.C = C
