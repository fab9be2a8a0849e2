"""SqueezeNet in two parts: below CUT fixed and computed once, above it trained.

Features at CUT are kept as float16, of every image and of its mirror image. What is
trained sees them as images; what is tested is the whole network, from pixels, at any
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

from experiments.tasks import photo_features, training_trials
from transfer_jax import data, methods, models, training
from transfer_jax.recipes import backbones
from transfer_jax.training import TrainState, optim
from transfer_jax.types import PyTree

NETWORK = 'squeezenet'
CUT = 'fire8'  # the last layer that is fixed
ABOVE = ('fire9',)
HEAD_FACTOR = 10.0  # how many times as fast as the backbone the head learns
TEST_BATCH = 20


class Trunk(NamedTuple):
    """All weights of the network below its classifier, and the scale of its input."""

    params: PyTree
    mean: np.ndarray
    std: np.ndarray

    @property
    def above(self) -> PyTree:
        """Those that are trained."""
        return {name: self.params[name] for name in ABOVE}

    @property
    def scale(self) -> Callable:
        """f(batch): uint8 images become inputs."""
        return data.normalise(self.mean, self.std)


@dataclasses.dataclass(frozen=True)
class Items:
    """Feature maps with the labels of their images: item i + n is i mirrored."""

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
    """The pretrained weights, or drawn ones for runs of seconds.

    Raises:
      MissingData: their file is not in the data folder.
    """
    chosen = backbones.PRETRAINED[NETWORK]
    if random:
        image = jnp.zeros((1, 64, 64, 3))
        init = jax.jit(functools.partial(_network().init, train=False))
        params = init(jax.random.key(0), image)['params']
    else:
        params = backbones.load(NETWORK, data_dir)[0]
        params = {k: v for k, v in params.items() if k != 'logits'}
    return Trunk(params, np.float32(chosen.mean), np.float32(chosen.std))


def items(trunk: Trunk, images: np.ndarray, label: np.ndarray) -> Items:
    """What is trained on, of images (n, h, w, 3) uint8."""
    return Items(both(trunk, images), label)


def both(trunk: Trunk, images: np.ndarray) -> np.ndarray:
    """(2, n, h', w', d): `features` of the images and of their mirror images."""
    return np.stack([features(trunk, part) for part in (images, images[:, :, ::-1])])


def features(trunk: Trunk, images: np.ndarray) -> np.ndarray:
    """(n, h', w', d) float16 at CUT."""
    below = {k: v for k, v in trunk.params.items() if k not in ABOVE}
    batches = data.batches(data.Images(images), min(photo_features.BATCH, len(images)))
    parts = []
    for batch in batches.map(trunk.scale):
        found = np.asarray(_forward(below, batch['image']))
        parts.append(found[np.asarray(batch['mask']) > 0])
    return np.concatenate(parts)


@jax.jit
def _forward(params, image):
    module = models.SqueezeNet(classes=0, end_at=CUT)
    return module.apply({'params': params}, image, train=False)[0].astype(jnp.float16)


def _network(output_stride: int = 16) -> nn.Module:
    return models.SqueezeNet(classes=0, end_at=ABOVE[-1], output_stride=output_stride)


def upper() -> nn.Module:
    """The part that is trained."""
    return models.SqueezeNet(classes=0, start_after=CUT, end_at=ABOVE[-1])


class Recipe(NamedTuple):
    """How the upper part and a head are trained."""

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
    """The upper part with a head, which learns HEAD_FACTOR times as fast."""
    rate = optim.warmup_cosine(recipe.steps, recipe.rate, recipe.steps // 10)
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
    """Networks trained on feature maps, of one or of several image sizes in turn."""
    streams = [
        data.labelled(
            part, batch_size=min(recipe.batch, len(part)), seed=seed, name='source'
        )
        for part in parts
    ]
    turn = len(streams)
    stream = data.zipped(
        source=data.Stream(lambda t: streams[t % turn][t // turn])
    ).map(_wide)
    start = methods.start_from({'encoder': trunk.above})
    return training_trials.train(method, start, stream, steps=recipe.steps, seed=seed)


def _wide(batch):
    source = batch['source']
    return {'source': {**source, 'image': source['image'].astype(np.float32)}}


def answers(
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
      sizes: to resize to, and to combine; none: as they are.
      output_stride: 16 as trained, or 8 for maps of twice the side.
    """
    shape = tuple(images.shape[1:3])
    ask = _ask(head, tuple(sizes) or (shape,), output_stride)
    params = {
        'encoder': {**trunk.params, **state.params['encoder']},
        'head': state.params['head'],
    }
    state = training.state.create(params, state.model_state, {})
    batches = data.batches(data.Images(images), min(TEST_BATCH, len(images)))
    parts = []
    for batch in batches.map(trunk.scale):
        found = ask(state, {'image': batch['image']})
        kept = np.asarray(batch['mask']) > 0
        parts.append({k: np.asarray(v)[kept] for k, v in found.items()})
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}


@functools.lru_cache(maxsize=64)
def _ask(head, sizes, output_stride):
    predict = methods.score_maps(_network(output_stride), head)

    @jax.jit
    def ask(state, batch):
        one = methods.at_scales(
            lambda b: predict(state, {'source': b})['source'], sizes
        )
        return one(batch)

    return ask
