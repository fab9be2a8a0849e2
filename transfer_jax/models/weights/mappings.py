"""Translation of a file's layer names, array names and layouts to ours."""

from collections.abc import Callable
from collections.abc import Mapping as Table
from typing import NamedTuple

import numpy as np


class Style(NamedTuple):
    """How a library names and lays out the arrays of one layer.

    Attributes:
      separator: separates layer and array in a name.
      wrappers: names of modules around the network in some files; their names precede
        those of the layers, one or several of them.
      kernels: {array of a convolution or dense layer: our path}, where {} in the path
        is the layer.
      norms: the same for a norm.
      ignored: arrays that do not affect the function.
      layout: (name of the array, array) -> array in our layout, HWIO or IO.
    """

    separator: str
    wrappers: tuple[str, ...]
    kernels: Table[str, str]
    norms: Table[str, str]
    ignored: tuple[str, ...]
    layout: Callable[[str, np.ndarray], np.ndarray]


class Mapping(NamedTuple):
    """The names of one architecture in one library's files.

    Attributes:
      name: name of the architecture.
      style: style of the library.
      layers: {their layer: our path}; the path of a norm ends in 'norm'.
      maps: {our dense layer: (h, w)} of the layers that read a whole map. PyTorch
        flattens a map as (c, h, w), we as (h, w, c).
      ignored: beginnings of the names of layers that we leave out.
      head: our layers that a file of an encoder may lack.
      arrays: {their array: our path} of arrays that are no layer's weight or bias, such
        as a class token. They keep their order of axes and lose those of length 1.
    """

    name: str
    style: Style
    layers: Table[str, str]
    maps: Table[str, tuple[int, int]] = {}
    ignored: tuple[str, ...] = ()
    head: tuple[str, ...] = ('logits',)
    arrays: Table[str, str] = {}

    def translate(self, name: str, array: np.ndarray) -> tuple[str, np.ndarray] | None:
        """(our name, the array in our layout), or None if the name is unknown.

        The name is '' for arrays to ignore.
        """
        if name.startswith(self.ignored):
            return '', array
        if name in self.arrays:
            return f'params/{self.arrays[name]}', np.float32(array).squeeze()
        layer, _, leaf = name.rpartition(self.style.separator)
        if layer not in self.layers:
            return ('', array) if self._is_of_another_head(layer) else None
        if leaf in self.style.ignored:
            return '', array
        ours = self.layers[layer]
        norm = ours.endswith('norm')
        leaves = self.style.norms if norm else self.style.kernels
        if leaf not in leaves:
            return None
        if not norm:
            array = self.style.layout(leaf, array)
        if array.ndim == 2 and ours in self.maps:
            h, w = self.maps[ours]
            array = array.reshape(-1, h, w, array.shape[-1])
            array = array.transpose(1, 2, 0, 3).reshape(-1, array.shape[-1])
        return leaves[leaf].format(ours), np.asarray(array, np.float32)

    def _is_of_another_head(self, layer: str) -> bool:
        """Whether it lies below the classifier: 'fc.0' of a projection named 'fc'."""
        return layer.startswith(
            tuple(
                name + self.style.separator
                for name, path in self.layers.items()
                if _head(path) == 'logits'
            )
        )

    @property
    def our_layers(self) -> list[str]:
        """Names of our layers, in order and without repetition."""
        paths = (*self.layers.values(), *self.arrays.values())
        return list(dict.fromkeys(map(_head, paths)))


def pair(conv: str, norm: str, unit: str) -> dict[str, str]:
    """Names of the convolution and the norm of one of our units."""
    return {conv: f'{unit}/conv', norm: f'{unit}/norm'}


def _head(path):
    return path.split('/')[0]


def _pytorch_layout(leaf, array):
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)  # OIHW
    return array.T if array.ndim == 2 else array


def _keras_layout(leaf, array):
    return array.swapaxes(2, 3) if leaf == 'depthwise_kernel' else array  # HWC1


PYTORCH = Style(
    separator='.',
    wrappers=(
        'module',  # of DataParallel
        '_orig_mod',  # of torch.compile
        'model',
        'network',
        'net',
        'backbone',
        'encoder',
        'encoder_q',  # MoCo's; 'encoder_k' is its moving average
        'base_encoder',  # MoCo v3's
        'trunk',
        'visual',  # CLIP's image tower
        'Scale',  # of DeepLab-v2 converted from Caffe
    ),
    kernels={
        'weight': 'params/{}/kernel',
        'bias': 'params/{}/bias',
        'in_proj_weight': 'params/{}/kernel',  # of nn.MultiheadAttention
        'in_proj_bias': 'params/{}/bias',
    },
    norms={
        'weight': 'params/{}/scale',
        'bias': 'params/{}/shift',
        'running_mean': 'batch_stats/{}/mean',
        'running_var': 'batch_stats/{}/variance',
    },
    ignored=('num_batches_tracked',),
    layout=_pytorch_layout,
)
KERAS = Style(
    separator='/',
    wrappers=('model', 'backbone', 'encoder'),
    kernels={
        'kernel': 'params/{}/kernel',
        'depthwise_kernel': 'params/{}/kernel',
        'bias': 'params/{}/bias',
    },
    norms={
        'gamma': 'params/{}/scale',
        'beta': 'params/{}/shift',
        'moving_mean': 'batch_stats/{}/mean',
        'moving_variance': 'batch_stats/{}/variance',
    },
    ignored=(),
    layout=_keras_layout,
)
