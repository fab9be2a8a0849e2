"""FCN-32s, FCN-16s and FCN-8s on a pretrained MobileNetV2, and their training."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax

from experiments.tasks import training_trials
from transfer_jax import data, methods, models, training
from transfer_jax.recipes import backbones
from transfer_jax.training import TrainState, optim

NETWORK = 'mobilenet_v2'
SKIPS: dict[int, Sequence[str]] = {32: (), 16: ('block13',), 8: ('block13', 'block6')}
BACKBONE_RATE = 0.1  # rate of the backbone over that of the new layers


@dataclasses.dataclass(frozen=True)
class Pixels:
    """A source of images (n, h, w, 3) uint8 with labels (n, h, w) of their pixels."""

    image: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'image': self.image[index], 'label': self.label[index]}


def segmenter(classes: int, stride: int) -> nn.Module:
    """The network whose finest scores have this stride.

    Raises:
      ValueError: an unknown stride; the message lists the others.
    """
    if stride not in SKIPS:
        raise ValueError(f'stride {stride}: choose from {", ".join(map(str, SKIPS))}')
    backbone = models.MobileNetV2(classes=0, end_at='conv2', norm=None)
    return models.FCN(backbone, classes, SKIPS[stride])


def scale():
    """A function of a batch: uint8 images become inputs."""
    backbone = backbones.PRETRAINED[NETWORK]
    return data.normalise(np.float32(backbone.mean), np.float32(backbone.std))


@functools.lru_cache(maxsize=4)  # one compiled step for all seeds
def method(classes: int, stride: int, steps: int, rate: float) -> training.Method:
    """Segmentation by Adam; the rate rises over a tenth of the steps, then falls as a
    cosine."""
    schedule = optim.scaled(
        optax.warmup_cosine_decay_schedule(0.0, 1.0, steps // 10, steps), rate
    )

    def tx(group):
        return optim.adam(optim.scaled(schedule, group.rate))

    rules = [('backbone/.*', optim.Group(rate=BACKBONE_RATE)), ('.*', optim.Group())]
    return methods.segmentation(
        segmenter(classes, stride), txs={'segmenter': optim.grouped(tx, rules)}
    )


def train(
    method: training.Method,
    source: data.Source,
    *,
    steps: int,
    batch: int,
    seed: int,
    pretrained: bool,
    data_dir: str | None,
) -> TrainState:
    """The state after `steps` steps on images flipped at random.

    Raises:
      MissingData: the pretrained weights are not in the data folder.
    """
    start = None
    if pretrained:
        params = backbones.load(NETWORK, data_dir)[0]
        params = {name: leaf for name, leaf in params.items() if name != 'logits'}
        start = methods.start_from(
            {'segmenter': {'backbone': params}},
            keep=['segmenter/(score|up_).*'],
        )
    stream = training_trials.labelled(
        source,
        scale(),
        batch=min(batch, len(source)),
        seed=seed,
        transform=data.transforms.flip(),
    )
    return training_trials.train(method, start, stream, steps=steps, seed=seed)


def predict(
    method: training.Method, state: TrainState, images: np.ndarray, batch: int = 10
) -> np.ndarray:
    """Probabilities (n, h, w, c) float32 of images (n, h, w, 3) uint8."""
    batches = data.batches(data.Images(images), min(batch, len(images))).map(scale())
    parts = []
    for read in batches:
        probabilities = _probabilities(method.predict, state, read['image'])
        parts.append(np.asarray(probabilities)[np.asarray(read['mask']) > 0])
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=0)
def _probabilities(predict, state, image):
    logits = predict(state, {'source': {'image': image}})['source']['logits']
    return jax.nn.softmax(logits)
