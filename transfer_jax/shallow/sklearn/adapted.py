"""A shallow method followed by a classifier of scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from transfer_jax.shallow.sklearn import base


def _classifier_has(name):
    return lambda self: hasattr(self.classifier, name)


class AdaptedClassifier(base.PredictsByDomain, base.TakesLabels, BaseEstimator):
    """A classifier that is trained on adapted or weighted source examples.

    The fit has three steps: it fits the `adapter` on the rows of both domains, maps
    each labelled row by the map of its domain, and fits the `classifier` on these rows.
    These are the source rows, and if the adapter has target_labels=True (or needs
    them) the target rows whose label is not -1. The weights of KMM, KLIEP and
    DensityRatio are passed to the classifier as `sample_weight`; labelled target rows
    have weight 1. No other target label is used.

    Without `sample_domain` all rows are predicted as target rows.

    Args:
      adapter: a feature adapter or an instance weighting of this package, such as
        SubspaceAlignment(20) or KMM().
      classifier: a classifier of scikit-learn. KNeighborsClassifier(1) is that of most
        papers on feature adapters; instance weights need one that takes
        `sample_weight`, such as LogisticRegression().

    Attributes:
      adapter_: the fitted adapter.
      classifier_: the fitted classifier.
      classes_: (c,), the labels.
    """

    __metadata_request__fit = base.ROUTED

    def __init__(
        self,
        adapter: base.FeatureAdapter | base.InstanceWeighting,
        classifier: BaseEstimator,
    ):
        self.adapter = adapter
        self.classifier = classifier

    def fit(self, X, y, sample_domain=None):
        """Fits adapter and classifier.

        Args:
          X: (n, d).
          y: (n,) labels. Those of target rows are ignored, except with labelled target
            rows, where -1 is an unknown label.
          sample_domain: (n,), positive for source rows, negative for target rows;
            required.

        Raises:
          ValueError: no `sample_domain`, a domain without rows, an adapter that is
            none, weights for a classifier that takes none, or an error of the method.
        """
        weighted = self._check_parts()
        labelled_target = self.adapter.target_labels
        x, y, source, known = base.check_fit(self, X, y, sample_domain, labelled_target)
        domain = np.where(source, 1, -1)
        self.adapter_ = clone(self.adapter).fit(x, y, domain)
        arguments = {}
        if weighted:
            weights = np.ones(len(x))
            weights[source] = self.adapter_.weights_
            arguments['sample_weight'] = weights[known]
        adapted = self.adapter_._mapped(x, source)[known]
        self.classifier_ = clone(self.classifier).fit(adapted, y[known], **arguments)
        self.classes_ = self.classifier_.classes_
        base.warn_of_class(self.classes_, y, source)
        return self

    def predict(self, X, sample_domain=None):
        """(n, d) -> (n,) labels of `classes_`."""
        adapted = self._adapted(X, sample_domain)
        return self.classifier_.predict(adapted)

    @available_if(_classifier_has('decision_function'))
    def decision_function(self, X, sample_domain=None):
        """That of the classifier, for the adapted rows."""
        adapted = self._adapted(X, sample_domain)
        return self.classifier_.decision_function(adapted)

    @available_if(_classifier_has('predict_proba'))
    def predict_proba(self, X, sample_domain=None):
        """That of the classifier, for the adapted rows, (n, c)."""
        adapted = self._adapted(X, sample_domain)
        return self.classifier_.predict_proba(adapted)

    def _adapted(self, X, sample_domain):
        x, source = base.check_rows(self, X, sample_domain)
        return self.adapter_._mapped(x, source)

    def _check_parts(self) -> bool:
        """Whether the adapter has weights for the classifier."""
        adapter, classifier = self.adapter, self.classifier
        name = type(adapter).__name__
        if isinstance(adapter, base.DomainClassifier):
            raise ValueError(f'adapter: {name} classifies by itself; fit it directly')
        if not isinstance(adapter, base.FeatureAdapter | base.InstanceWeighting):
            raise ValueError(
                f'adapter: {name} is none; choose one of transfer_jax.shallow.sklearn, '
                'such as NoAdaptation(), and in a Pipeline put scalers before '
                'AdaptedClassifier, not inside it'
            )
        weighted = isinstance(adapter, base.InstanceWeighting)
        if weighted and not has_fit_parameter(classifier, 'sample_weight'):
            raise ValueError(
                f'classifier: {type(classifier).__name__}.fit takes no sample_weight '
                f'and cannot use the weights of {name}; choose one that does, such as '
                'LogisticRegression(), and in a Pipeline put scalers before '
                'AdaptedClassifier, not inside it'
            )
        return weighted
