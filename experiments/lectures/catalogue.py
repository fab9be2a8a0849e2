"""The lectures and their items, in order."""

from experiments.lectures import adaptation, features, others, weak_supervision
from experiments.lectures.item import Item

LECTURES = {
    '1': 'Features of pretrained networks, and fine-tuning',
    '2': 'From image labels to places',
    '3': 'Unsupervised domain adaptation',
    '4': 'Zero-shot learning, generators, style',
    '5': 'Self-supervision',
}
ITEMS: tuple[Item, ...] = (
    *features.ITEMS,
    *weak_supervision.ITEMS,
    *adaptation.ITEMS,
    *others.ITEMS,
)


def of(lecture: str) -> tuple[Item, ...]:
    """The items of a lecture."""
    return tuple(item for item in ITEMS if item.lecture == lecture)
