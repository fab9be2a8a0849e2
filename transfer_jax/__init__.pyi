from transfer_jax import adapt as adapt
from transfer_jax import cli as cli
from transfer_jax import data as data
from transfer_jax import evaluation as evaluation
from transfer_jax import losses as losses
from transfer_jax import methods as methods
from transfer_jax import metrics as metrics
from transfer_jax import models as models
from transfer_jax import ops as ops
from transfer_jax import recipes as recipes
from transfer_jax import reports as reports
from transfer_jax import runs as runs
from transfer_jax import selection as selection
from transfer_jax import shallow as shallow
from transfer_jax import training as training
from transfer_jax import tree as tree
from transfer_jax import types as types
from transfer_jax import zero_shot as zero_shot
from transfer_jax.adapt.adapter import DomainAdapter as DomainAdapter
from transfer_jax.cli.classifier import load as load
from transfer_jax.cli.predict import predict as predict

__version__: str
