"""Every deep method on the six pairs of Office-31, with ResNet-50.

Published, mean of the six pairs: source only 76.1, DAN 80.4, DANN 82.2, ADDA 82.9, JAN
84.3 (papers); in one code base, at the best step by target labels: source only 79.5,
DANN 86.1, DAN 83.7, JAN 87.0, CDAN 87.7, MCC 89.6 (tllib). Source only alone lies
between 76.1 and 82.0: compare gains.

    python -m experiments.adaptation.office31 --config.method cdan_e \
        --config.pair amazon_to_webcam
    python -m experiments.sweep experiments.adaptation.office31

Settings of public code: ResNet-50 and a bottleneck of 256 units, images of 224 pixels,
32 of each domain in a step, SGD with momentum 0.9 and decay 1e-3, rate
0.01 / (1 + 10 p)^0.75, a tenth of it for the pretrained layers. Training sees all
images of the source with labels and all of the target without; the test is on the same
target images (experiments/tasks/photo_pairs.py). A step keeps the activations of 64
images of ResNet-50 for the backward pass, by estimate 6 GB in float32; methods with
several encoders (ADDA, DSN) need a multiple. --config.frozen block1_3 and a smaller
--config.batch need less.
"""

import dataclasses
from collections.abc import Iterator

from experiments.adaptation import photos
from experiments.tasks import choices
from transfer_jax import cli, runs

DOMAINS = ('amazon', 'dslr', 'webcam')
PAIRS = tuple(f'{a}_to_{b}' for a in DOMAINS for b in DOMAINS if a != b)
FAKE = 'fake_to_fake_shifted'
CLASSES = 31
# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = photos.TRACED


@dataclasses.dataclass(frozen=True)
class Config:
    """One method on a pair of Office-31."""

    method: str = 'dann'
    """source_only, labelled_target, or a method of docs/methods.md."""
    pair: str = 'amazon_to_webcam'
    """Two of amazon, dslr and webcam."""
    backbone: str = 'resnet50'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 224
    """Side of the images in pixels."""
    bottleneck: int = 256
    """Width of the dense layer above the network; 0: none."""
    frozen: str = ''
    """The last of the layers that are not trained; '' trains all."""
    seeds: int = 3
    steps: int = 10_000
    """Steps of each stage; some methods have two."""
    batch: int = 32
    """Images of each domain in a step."""
    evaluations: int = 10
    """Evaluations in a stage."""
    rate: float = 0.01
    """Rate of the new layers at the start."""
    encoder_rate: float = 0.1
    """Rate of the pretrained layers over that of the new ones."""
    optimiser: str = 'sgd'
    """adam, or sgd with momentum 0.9 and decay 1e-3."""
    weight: float | None = None
    """Weight of the loss that the method adds; by default that of its recipe."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    choices.check('pair', config.pair, (*PAIRS, FAKE))
    source, target = config.pair.split('_to_')
    fields = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name != 'pair'
    }
    classes = 0
    if config.pair != FAKE:
        source, target, classes = f'office31_{source}', f'office31_{target}', CLASSES
    given = photos.Config(source=source, target=target, classes=classes, **fields)
    built = photos.build(given)
    return built._replace(
        name='adaptation.office31',
        config=dataclasses.replace(config, weight=built.config.weight),
        fast=cli.configs_equal(config, fast()),
    )


def sweep() -> Iterator[Config]:
    """Every method on the six pairs."""
    for pair in PAIRS:
        for method in photos.ALL:
            yield Config(method, pair)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        pair=FAKE,
        backbone='tiny',
        size=32,
        bottleneck=8,
        seeds=1,
        steps=4,
        batch=8,
        evaluations=2,
        rate=1e-3,
    )


if __name__ == '__main__':
    cli.main(Config, build)
