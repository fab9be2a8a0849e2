"""Networks: Linen modules that return (output, named intermediates).

Every network is called as `module(x, *, train, domain=None)`; it never knows which
method trains it.
"""

from transfer_jax.models.decoders import DigitDecoder
from transfer_jax.models.digits import (
    GaninMnist,
    GaninSigns,
    GaninSvhn,
    LeNet,
    SmallNet,
)
from transfer_jax.models.heads import ClassCritics, Classifier, Critic
from transfer_jax.models.layered import LayeredNet
from transfer_jax.models.layers import Conv
from transfer_jax.models.norm import SOURCE, AutoDial, BatchNorm

__all__ = [
    'SOURCE',
    'AutoDial',
    'BatchNorm',
    'ClassCritics',
    'Classifier',
    'Conv',
    'Critic',
    'DigitDecoder',
    'GaninMnist',
    'GaninSigns',
    'GaninSvhn',
    'LayeredNet',
    'LeNet',
    'SmallNet',
]
