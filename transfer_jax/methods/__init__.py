"""Methods, one file per paper. Networks and optimisers are arguments."""

from transfer_jax.methods.adaptation.adda import adda, start_from_source
from transfer_jax.methods.adaptation.dann import dann
from transfer_jax.methods.transfer.supervised import supervised

__all__ = ['adda', 'dann', 'start_from_source', 'supervised']
