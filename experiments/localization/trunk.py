"""SqueezeNet in two parts: fixed up to CUT and computed once, trained above it.

The features at CUT of every image and its mirror image are stored as float16. The upper
part trains on them as its images. The test is on the whole network, from pixels, at any
size and with a last map of stride 16 or 8.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from experiments.tasks import photo_features, training_trials
from transfer_jax import data, evaluation, methods, models, training
from transfer_jax.recipes import backbones
from transfer_jax.training import TrainState, optim
from transfer_jax.types import PyTree

NETWORK = 'squeezenet'
CUT = 'fire8'  # the last layer that is fixed
ABOVE = ('fire9',)
HEAD_FACTOR = 10.0  # rate of the head over that of the backbone
TEST_BATCH = 20


class Trunk(NamedTuple):
    """All weights of the network below its classifier, and its preprocessing."""

    params: PyTree
    mean: np.ndarray
    std: np.ndarray

    @property
    def above(self) -> PyTree:
        """The trained weights."""
        return {name: self.params[name] for name in ABOVE}

    @property
    def scale(self) -> Callable:
        """A function of a batch: uint8 images become inputs."""
        return data.normalise(self.mean, self.std)


@dataclasses.dataclass(frozen=True)
class Items:
    """Feature maps with the labels of their images; item i + n is the mirrored i."""

    maps: np.ndarray  # (2, n, h, w, d) float16
    label: np.ndarray  # (n, c), or (n,)

    def __len__(self) -> int:
        return 2 * len(self.label)

    def __getitem__(self, index: int) -> dict[str, Any]:
        mirrored, i = divmod(index, len(self.label))
        return {'image': self.maps[mirrored, i], 'label': self.label[i]}

    def take(self, rows: np.ndarray) -> 'Items':
        """The items of some images."""
        return Items(self.maps[:, rows], self.label[rows])


def load(data_dir: str | None, *, random: bool = False) -> Trunk:
    """The pretrained weights, or random ones for runs of seconds.

    Raises:
      MissingData: the file of weights is not in the data folder.
    """
    backbone = backbones.PRETRAINED[NETWORK]
    if random:
        image = jnp.zeros((1, 64, 64, 3))
        init = jax.jit(functools.partial(_network().init, train=False))
        params = init(jax.random.key(0), image)['params']
    else:
        params = backbones.load(NETWORK, data_dir)[0]
        params = {k: v for k, v in params.items() if k != 'logits'}
    return Trunk(params, np.float32(backbone.mean), np.float32(backbone.std))


def items(trunk: Trunk, images: np.ndarray, label: np.ndarray) -> Items:
    """Training examples from images (n, h, w, 3) uint8."""
    return Items(both(trunk, images), label)


def both(trunk: Trunk, images: np.ndarray) -> np.ndarray:
    """(2, n, h', w', d): `features` of the images and of their mirror images."""
    return np.stack([features(trunk, part) for part in (images, images[:, :, ::-1])])


def features(trunk: Trunk, images: np.ndarray) -> np.ndarray:
    """(n, h', w', d) float16 at CUT, of images (n, h, w, 3) uint8."""
    below = {k: v for k, v in trunk.params.items() if k not in ABOVE}
    batches = data.batches(data.Images(images), min(photo_features.BATCH, len(images)))
    batches = batches.map(trunk.scale)
    return evaluation.extract(Partial(_lower, below), batches, [CUT])[CUT]


def _lower(params, batch):
    module = models.SqueezeNet(classes=0, end_at=CUT)
    x = module.apply({'params': params}, batch['image'], train=False)[0]
    return {CUT: x.astype(jnp.float16)}


def _network(output_stride: int = 16) -> nn.Module:
    return models.SqueezeNet(classes=0, end_at=ABOVE[-1], output_stride=output_stride)


def upper() -> nn.Module:
    """The trained part."""
    return models.SqueezeNet(classes=0, start_after=CUT, end_at=ABOVE[-1])


class Recipe(NamedTuple):
    """The training of the upper part and a head."""

    loss: Callable
    steps: int
    batch: int
    rate: float  # Adam's, of the head


@functools.lru_cache(maxsize=16)  # one compiled step for all seeds
def method(
    head: nn.Module,
    recipe: Recipe,
    build: Callable[..., training.Method] = methods.image_labels,
) -> training.Method:
    """Trains the upper part and a head; the head has HEAD_FACTOR times its rate."""
    rate = optim.scaled(
        optax.warmup_cosine_decay_schedule(0.0, 1.0, recipe.steps // 10, recipe.steps),
        recipe.rate,
    )
    slow = optim.scaled(rate, 1 / HEAD_FACTOR)
    txs = {'encoder': optim.adam(slow), 'head': optim.adam(rate)}
    return build(upper(), head, loss=recipe.loss, txs=txs)


def train(
    method: training.Method,
    recipe: Recipe,
    trunk: Trunk,
    parts: Sequence[Items],
    seed: int,
) -> TrainState:
    """The state after training on feature maps, of several image sizes in turn."""
    streams = [
        data.labelled(
            part, batch_size=min(recipe.batch, len(part)), seed=seed, name='source'
        )
        for part in parts
    ]
    count = len(streams)
    stream = data.zipped(
        source=data.Stream(lambda t: streams[t % count][t // count])
    ).map(_to_float32)
    start = methods.start_from({'encoder': trunk.above})
    return training_trials.train(method, start, stream, steps=recipe.steps, seed=seed)


def _to_float32(batch):
    source = batch['source']
    return {'source': {**source, 'image': source['image'].astype(np.float32)}}


def predict(
    head: nn.Module,
    trunk: Trunk,
    state: TrainState,
    images: np.ndarray,
    *,
    sizes: Sequence[tuple[int, int]] = (),
    output_stride: int = 16,
) -> dict[str, np.ndarray]:
    """{'logits': (n, c), 'maps': (n, h, w, c)} of images (n, h, w, 3) uint8.

    Args:
      sizes: the images are resized to each, and the results combined; by default the
        size of the images.
      output_stride: 16 as in training, or 8 for maps of twice the side.
    """
    shape = tuple(images.shape[1:3])
    at_sizes = _predict_at_sizes(head, tuple(sizes) or (shape,), output_stride)
    params = {
        'encoder': {**trunk.params, **state.params['encoder']},
        'head': state.params['head'],
    }
    state = training.state.create(params, state.model_state, {})
    batches = data.batches(data.Images(images), min(TEST_BATCH, len(images)))
    parts = []
    for batch in batches.map(trunk.scale):
        outputs = at_sizes(state, {'image': batch['image']})
        real = np.asarray(batch['mask']) > 0
        parts.append({k: np.asarray(v)[real] for k, v in outputs.items()})
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}


@functools.lru_cache(maxsize=64)
def _predict_at_sizes(head, sizes, output_stride):
    score_maps = methods.score_maps(_network(output_stride), head)

    @jax.jit
    def at_sizes(state, batch):
        combined = methods.at_scales(
            lambda b: score_maps(state, {'source': b})['source'], sizes
        )
        return combined(batch)

    return at_sizes
