"""A backbone and a head of score maps: features of the fixed part, training, tests.

Where part of the network is fixed, its features of every image and its mirror image are
computed once and stored as float16; the upper part trains on them as its images. Where
nothing is fixed, training reads the images themselves, from memory or from files. The
test is on the whole network, from pixels, at any size and, where the network has it,
with a larger last map.
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

from experiments.localization import networks, pixels
from experiments.tasks import photo_features, training_trials
from transfer_jax import data, evaluation, methods, training
from transfer_jax.recipes import backbones
from transfer_jax.training import TrainState, optim
from transfer_jax.types import PyTree

BELOW = 0.1  # rate of the backbone over that of the head
MOMENTUM = 0.9  # of SGD
TEST_BATCH = 20
OPTIMIZERS = ('adam', 'sgd')


class Trunk(NamedTuple):
    """All weights of a network below its classifier, and its preprocessing."""

    network: networks.Network
    params: PyTree
    model_state: PyTree
    mean: np.ndarray
    std: np.ndarray

    @property
    def scale(self) -> Callable:
        """A function of a batch: uint8 images become inputs."""
        return data.normalise(self.mean, self.std)

    def layers(self, *, fixed: bool) -> tuple[PyTree, PyTree]:
        """(parameters, other collections) of the fixed or of the trained layers."""
        names = [
            layer
            for layer in self.network.layers
            if (layer in self.network.fixed) == fixed
        ]
        state = {k: networks.part(v, names) for k, v in self.model_state.items()}
        return networks.part(self.params, names), {k: v for k, v in state.items() if v}


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


def load(
    data_dir: str | None,
    network: networks.Network | None = None,
    *,
    random: bool = False,
) -> Trunk:
    """The pretrained weights, or random ones for runs of seconds.

    Args:
      network: by default SqueezeNet, fixed up to fire8.

    Raises:
      MissingData: the file of weights is not in the data folder.
    """
    network = networks.of() if network is None else network
    params, model_state = networks.variables(network, data_dir, random=random)
    backbone = backbones.get(network.backbone)
    return Trunk(
        network,
        params,
        model_state,
        np.float32(backbone.mean),
        np.float32(backbone.std),
    )


def items(
    trunk: Trunk, images: pixels.Images, label: np.ndarray
) -> Items | pixels.Views:
    """Training examples from images (n, h, w, 3) uint8."""
    if not trunk.network.cut:
        return pixels.Views(images, label)
    return Items(both(trunk, images), label)


def both(trunk: Trunk, images: pixels.Images) -> np.ndarray:
    """(2, n, h', w', d): `features` of the images and of their mirror images."""
    parts = [
        np.stack([_features(trunk, part) for part in (block, block[:, :, ::-1])])
        for block in pixels.blocks(images)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, 1)


def features(trunk: Trunk, images: np.ndarray) -> np.ndarray:
    """(n, h', w', d) float16 at the cut, of images (n, h, w, 3) uint8.

    Raises:
      ValueError: no part of the network is fixed.
    """
    if not trunk.network.cut:
        raise ValueError('the network is not cut: no part of it is fixed')
    return _features(trunk, images)


def _features(trunk, images):
    params, state = trunk.layers(fixed=True)
    batches = data.batches(data.Images(images), min(photo_features.BATCH, len(images)))
    lower = Partial(_lower(trunk.network), {'params': params, **state})
    name = trunk.network.cut
    return evaluation.extract(lower, batches.map(trunk.scale), [name])[name]


@functools.lru_cache(maxsize=16)  # one function for a network compiles once
def _lower(network):
    def lower(variables, batch):
        x = network.lower().apply(variables, batch['image'], train=False)[0]
        return {network.cut: x.astype(jnp.float16)}

    return lower


class Recipe(NamedTuple):
    """The training of the upper part and a head."""

    loss: Callable
    steps: int
    batch: int
    rate: float  # of the head
    # adam: the rate rises over a tenth of the steps and falls to 0 as a cosine;
    # sgd: with momentum, at a constant rate
    optimizer: str = 'adam'
    below: float = BELOW
    decay: float = 0.0  # weight decay


@functools.lru_cache(maxsize=16)  # one compiled step for all seeds
def method(
    network: networks.Network,
    head: nn.Module,
    recipe: Recipe,
    build: Callable[..., training.Method] = methods.image_labels,
) -> training.Method:
    """Trains the upper part and a head; the head learns faster."""
    if recipe.optimizer == 'sgd':
        rate = optim.as_schedule(recipe.rate)
        tx = functools.partial(optim.sgd, momentum=MOMENTUM, decay=recipe.decay)
    else:
        rate = optim.scaled(
            optax.warmup_cosine_decay_schedule(
                0.0, 1.0, recipe.steps // 10, recipe.steps
            ),
            recipe.rate,
        )
        tx = functools.partial(optim.adam, decay=recipe.decay)
    txs = {'encoder': tx(optim.scaled(rate, recipe.below)), 'head': tx(rate)}
    return build(network.upper(), head, loss=recipe.loss, txs=txs)


def train(
    method: training.Method,
    recipe: Recipe,
    trunk: Trunk,
    parts: Sequence[Items | pixels.Views],
    seed: int,
) -> TrainState:
    """The state after training on feature maps, of several image sizes in turn.

    Or on images, where no part of the network is fixed.
    """
    streams = [
        data.labelled(
            part,
            batch_size=min(recipe.batch, len(part)),
            seed=seed,
            name='source',
            threads=pixels.THREADS if isinstance(part, pixels.Views) else 1,
        )
        for part in parts
    ]
    count = len(streams)
    stream = data.zipped(
        source=data.Stream(lambda t: streams[t % count][t // count])
    ).map(_to_float32 if trunk.network.cut else trunk.scale)
    params, state = trunk.layers(fixed=False)
    start = methods.start_from({'encoder': params}, {'encoder': state})
    return training_trials.train(method, start, stream, steps=recipe.steps, seed=seed)


def _to_float32(batch):
    source = batch['source']
    return {'source': {**source, 'image': source['image'].astype(np.float32)}}


def predict(
    head: nn.Module,
    trunk: Trunk,
    state: TrainState,
    images: pixels.Images,
    *,
    sizes: Sequence[tuple[int, int]] = (),
    output_stride: int | None = None,
) -> dict[str, np.ndarray]:
    """{'logits': (n, c), 'maps': (n, h, w, c)} of images (n, h, w, 3) uint8.

    Args:
      sizes: the images are resized to each, and the results combined; by default the
        size of the images.
      output_stride: see networks.Network.whole.
    """
    params, model_state = trunk.layers(fixed=True)
    trained = state.model_state['encoder']
    names = {*model_state, *trained}
    encoder_state = {k: {**model_state.get(k, {}), **trained.get(k, {})} for k in names}
    state = training.state.create(
        {
            'encoder': {**params, **state.params['encoder']},
            'head': state.params['head'],
        },
        {**state.model_state, 'encoder': encoder_state},
        {},
    )
    parts = []
    for block in pixels.blocks(images):
        shape = tuple(block.shape[1:3])
        at_sizes = _predict_at_sizes(
            trunk.network, head, tuple(sizes) or (shape,), output_stride
        )
        batches = data.batches(data.Images(block), min(TEST_BATCH, len(block)))
        for batch in batches.map(trunk.scale):
            outputs = at_sizes(state, {'image': batch['image']})
            real = np.asarray(batch['mask']) > 0
            parts.append({k: np.asarray(v)[real] for k, v in outputs.items()})
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}


@functools.lru_cache(maxsize=64)
def _predict_at_sizes(network, head, sizes, output_stride):
    score_maps = methods.score_maps(network.whole(output_stride), head)

    @jax.jit
    def at_sizes(state, batch):
        combined = methods.at_scales(
            lambda b: score_maps(state, {'source': b})['source'], sizes
        )
        return combined(batch)

    return at_sizes
