"""Methods, one file per paper. Networks and optimisers are arguments.

Every weight and strength is a number or a function of the step, see training.optim.
`txs` is {network: optimiser}, or one optimiser for all the networks of a method.
"""

from transfer_jax.methods.adaptation.adda import adda, start_from_source
from transfer_jax.methods.adaptation.beyond_sharing_weights import (
    beyond_sharing_weights,
    start_streams,
)
from transfer_jax.methods.adaptation.bnm import bnm
from transfer_jax.methods.adaptation.cdan import cdan
from transfer_jax.methods.adaptation.cmd import cmd
from transfer_jax.methods.adaptation.dan import dan
from transfer_jax.methods.adaptation.dann import dann
from transfer_jax.methods.adaptation.ddc import ddc
from transfer_jax.methods.adaptation.deep_coral import deep_coral
from transfer_jax.methods.adaptation.deep_jdot import deep_jdot
from transfer_jax.methods.adaptation.domain_confusion import domain_confusion
from transfer_jax.methods.adaptation.dsbn import dsbn, start_with_labels_of
from transfer_jax.methods.adaptation.dsn import dsn
from transfer_jax.methods.adaptation.entropy_minimization import entropy_minimization
from transfer_jax.methods.adaptation.jan import jan
from transfer_jax.methods.adaptation.mada import mada
from transfer_jax.methods.adaptation.mcc import mcc
from transfer_jax.methods.adaptation.mcd import mcd
from transfer_jax.methods.adaptation.residual_transfer import (
    residual_transfer,
    start_residual,
)
from transfer_jax.methods.adaptation.self_training import self_training
from transfer_jax.methods.adaptation.wdgrl import wdgrl
from transfer_jax.methods.localization.image_labels import image_labels, score_maps
from transfer_jax.methods.localization.pronet import pronet
from transfer_jax.methods.localization.scales import at_scales
from transfer_jax.methods.localization.segmentation import segmentation
from transfer_jax.methods.transfer.fine_tuning import (
    choose_layers,
    continue_from_previous,
    copy_layers,
    fine_tuning,
    start_from,
    start_from_previous,
)
from transfer_jax.methods.transfer.multi_task import multi_task, single_task
from transfer_jax.methods.transfer.supervised import supervised
from transfer_jax.methods.zero_shot.two_towers import tower_scores, two_towers

__all__ = [
    'adda',
    'at_scales',
    'beyond_sharing_weights',
    'bnm',
    'cdan',
    'choose_layers',
    'cmd',
    'continue_from_previous',
    'copy_layers',
    'dan',
    'dann',
    'ddc',
    'deep_coral',
    'deep_jdot',
    'domain_confusion',
    'dsbn',
    'dsn',
    'entropy_minimization',
    'fine_tuning',
    'image_labels',
    'jan',
    'mada',
    'mcc',
    'mcd',
    'multi_task',
    'pronet',
    'residual_transfer',
    'score_maps',
    'segmentation',
    'self_training',
    'single_task',
    'start_from',
    'start_from_previous',
    'start_from_source',
    'start_residual',
    'start_streams',
    'start_with_labels_of',
    'supervised',
    'tower_scores',
    'two_towers',
    'wdgrl',
]
