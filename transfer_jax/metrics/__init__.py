"""Metrics over batches as (init, update, compute), and measures of whole data sets."""

from transfer_jax.metrics.accuracy import (
    Metric,
    accuracy,
    class_accuracy,
    confusion_matrix,
)
from transfer_jax.metrics.localization import (
    box_of_map,
    boxes_of_maps,
    centres,
    corloc,
    hit_rate,
    iou,
    peaks,
    pointwise_average_precision,
    top1_localization,
)
from transfer_jax.metrics.ranking import (
    average_precision,
    mean_average_precision,
    precision_at,
    recall_at,
    voc_average_precision,
    voc_mean_average_precision,
)
from transfer_jax.metrics.retrieval import (
    n_s_score,
    trapezoidal_average_precision,
    without_junk,
)
from transfer_jax.metrics.segmentation import (
    confusion_scores,
    label_confusion,
    mean_iou,
)
from transfer_jax.metrics.zero_shot import (
    Curve,
    Generalised,
    ausuc,
    calibrated,
    generalised,
    harmonic_mean,
    mean_class_accuracy,
    score_deviation,
    seen_unseen_curve,
)

__all__ = [
    'Curve',
    'Generalised',
    'Metric',
    'accuracy',
    'ausuc',
    'average_precision',
    'box_of_map',
    'boxes_of_maps',
    'calibrated',
    'centres',
    'class_accuracy',
    'confusion_matrix',
    'confusion_scores',
    'corloc',
    'generalised',
    'harmonic_mean',
    'hit_rate',
    'iou',
    'label_confusion',
    'mean_average_precision',
    'mean_class_accuracy',
    'mean_iou',
    'n_s_score',
    'peaks',
    'pointwise_average_precision',
    'precision_at',
    'recall_at',
    'score_deviation',
    'seen_unseen_curve',
    'top1_localization',
    'trapezoidal_average_precision',
    'voc_average_precision',
    'voc_mean_average_precision',
    'without_junk',
]
