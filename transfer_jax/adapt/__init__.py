"""From a user's own photographs to a model: DomainAdapter, and its command.

`python -m experiments.adapt` is `command`; DomainAdapter is the same for Python.
"""

from transfer_jax.adapt.adapter import DomainAdapter
from transfer_jax.adapt.experiment import Config
from transfer_jax.adapt.plan import METHODS

__all__ = ['METHODS', 'Config', 'DomainAdapter']
