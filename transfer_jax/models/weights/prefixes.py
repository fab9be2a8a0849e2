"""Names of modules around a network: 'module.backbone.' before the names of its layers.

Training code wraps networks (torch.compile, DataParallel, a self-supervised learner),
and the names in its files begin with the names of the wrappers.
"""

import collections
from collections.abc import Iterable

from transfer_jax.models.weights import mappings


def wrapper(names: Iterable[str], mapping: mappings.Mapping) -> str:
    """The prefix to remove: wrappers, below which most names of layers are known.

    '' if names without a prefix are known as often, or if two prefixes are equally
    good, such as those of two copies of the network.
    """
    counts = collections.Counter({'': 0})
    for name in names:
        prefix = _wrappers(name, mapping.style)
        layer = name.removeprefix(prefix).rpartition(mapping.style.separator)[0]
        counts[prefix] += layer in mapping.layers
    (best, most), *others = counts.most_common(2)
    return '' if others and others[0][1] == most else best


def fitting(names: Iterable[str], mapping: mappings.Mapping) -> list[str]:
    """All prefixes, of any words, below which every needed layer has a name."""
    separator = mapping.style.separator
    found = collections.defaultdict(set)
    for name in names:
        layer = name.rpartition(separator)[0]
        words = layer.split(separator)
        for i in range(len(words)):
            rest = separator.join(words[i:])
            if rest in mapping.layers:
                found[layer[: len(layer) - len(rest)]].add(rest)
    needed = {
        layer
        for layer, path in mapping.layers.items()
        if path.split('/')[0] not in mapping.head
    }
    return [prefix for prefix, layers in found.items() if needed <= layers]


def _wrappers(name: str, style: mappings.Style) -> str:
    """The names of wrappers at the beginning, with their separators."""
    *words, _ = name.split(style.separator)
    end = 0
    for word in words:
        if word not in style.wrappers:
            break
        end += len(word) + len(style.separator)
    return name[:end]
