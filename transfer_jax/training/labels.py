"""Refuses labels that are no class of the classifier, before they reach a device.

In a compiled step such a label is not an error: the loss is NaN from `classes` on, and
label -1 means the last class.
"""

from collections.abc import Callable, Mapping

import flax.traverse_util
import numpy as np

from transfer_jax.training.state import TrainState
from transfer_jax.types import Batch

LABELLED = ('source', 'target_labelled')  # the domains whose labels are trained on
LOGITS = ('classifier', 'logits')  # network and layer whose outputs are the classes


def checked(state: TrainState) -> Callable[[Batch], Batch]:
    """f(batch) -> the batch, whose labels (..., n) were compared with the classifier.

    Only NumPy labels of whole numbers are compared. A method without a network
    'classifier' that has a layer 'logits' is not checked.

    Raises:
      ValueError: by f, for a label that is not 0..classes - 1.
    """
    classes = _classes(state)
    if classes is None:
        return lambda batch: batch

    def check(batch: Batch) -> Batch:
        for name in LABELLED:
            part = batch.get(name)
            label = part.get('label') if isinstance(part, Mapping) else None
            if not isinstance(label, np.ndarray) or label.dtype.kind not in 'iu':
                continue
            # Negative numbers are large as unsigned ones: one pass over the labels.
            if label.size and label.astype(np.uint64).max() >= classes:
                raise ValueError(
                    f'labels of {name!r} are {label.min()}..{label.max()} in a batch, '
                    f'but the classifier has {classes} classes: labels must be '
                    f'0..{classes - 1}'
                )
        return batch

    return check


def _classes(state: TrainState) -> int | None:
    """The number of outputs of the classifier, where its parameters show it."""
    params = state.params
    for name in LOGITS:
        params = params.get(name) if isinstance(params, Mapping) else None
    if not isinstance(params, Mapping):
        return None
    leaves = flax.traverse_util.flatten_dict(params)
    kernels = [leaf for path, leaf in leaves.items() if path[-1] == 'kernel']
    return kernels[0].shape[-1] if len(kernels) == 1 else None
