"""The lines that say what a run will do, before it starts."""

from collections.abc import Mapping

import numpy as np

from transfer_jax import recipes, runs
from transfer_jax.adapt import estimate, experiment, plan, reading, shallow_way


def lines(
    config: experiment.Config,
    given: Mapping[str, reading.Pictures],
    method: str,
    counts: plan.Counts,
    without_weights: bool = False,
) -> list[str]:
    """Five lines: the images, the network, the training, the method, the time.

    Args:
      without_weights: no pretrained network was found, and none was asked for.
    """
    source, target, few = map(given.get, ('source', 'target', 'target_labelled'))
    shallow = method in shallow_way.METHODS
    fewest = int(np.bincount(source.label, minlength=counts.classes).min())
    said = [
        f'images: {source.count:,} of {counts.classes} classes, {fewest} or more each, '
        f'from {source.name}; {target.count:,} without labels from {target.name}'
        + (f'; {few.count:,} labelled ones join the source' if few else ''),
        f'network: {config.backbone}, images of {config.size} pixels, '
        f'norm {config.norm}' + (f'; {no_weights()}' if without_weights else ''),
    ]
    if shallow:
        return [
            *said,
            f'method: {method} on frozen features, beside logistic regression and '
            'nearest neighbour',
        ]
    changes = 'flips and zooms' if config.augment else 'no augmentation'
    epochs = config.steps * config.batch / counts.larger
    said.append(
        f'training: {config.steps:,} steps of {config.batch} + {config.batch} images '
        f'({_epochs(epochs)} of the larger domain), {changes}, '
        f'rate {config.rate:g}, {config.encoder_rate:g} of it for the network'
    )
    recipe = recipes.get(method)
    weight = '' if config.weight is None else f', weight {config.weight:g}'
    runs_of = f'{config.seeds} seed{"s" if config.seeds > 1 else ""}'
    said.append(
        f'method: {recipe.title}{weight}, beside source only; {runs_of} of each; model '
        'chosen by the calibrated information maximisation of target predictions'
    )
    methods = 1 if method == 'source_only' else 2
    stages = 1 + (recipe.start is not None)
    seconds = estimate.seconds(config, counts) * (methods - 1 + stages)
    said.append(
        f'time: about {estimate.text(seconds)} on {runs.provenance.device()}, and a '
        'minute or two for compilation and the report'
    )
    return said


def _epochs(value: float) -> str:
    if value < 1:
        return 'less than an epoch'
    return f'{value:.0f} epoch{"s" if round(value) > 1 else ""}'


def no_weights() -> str:
    """What to do about it."""
    return (
        "no pretrained weights are in the data folder: put torchvision's "
        'squeezenet1_1 as weights/squeezenet1_1_imagenet.safetensors there '
        '(python -m experiments.weights --help; docs/transfer.md lists others)'
    )
