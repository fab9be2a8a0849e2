"""The table of docs/methods.md: method, paper, what it minimises, file, result.

Written by `python -m experiments.table readme`, with the tables of README.md.
"""

import inspect
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from transfer_jax import methods, models
from transfer_jax.reports import tables

COMMAND = 'python -m experiments.adaptation.digits --config.method'
TASKS = {'mnist_to_usps, adda': 'M -> U', 'usps_to_mnist, adda': 'U -> M'}


class About(NamedTuple):
    """A line of the table."""

    title: str
    paper: str
    where: Any  # the function or class
    minimises: str


ABOUT = {
    'source_only': About('source only', '', methods.supervised, 'CE on the source'),
    'ddc': About(
        'DDC', 'Tzeng et al. 2014', methods.ddc, 'CE + w ‖mean f(S) − mean f(T)‖²'
    ),
    'dan': About(
        'DAN', 'Long et al. 2015', methods.dan, 'CE + w Σ_l MMD²(S_l, T_l), 5 Gaussians'
    ),
    'jan': About('JAN', 'Long et al. 2017', methods.jan, 'CE + w MMD² of Π_l k_l'),
    'deep_coral': About(
        'Deep CORAL',
        'Sun & Saenko 2016',
        methods.deep_coral,
        'CE + w ‖C_S − C_T‖² / 4d²',
    ),
    'cmd': About(
        'CMD', 'Zellinger et al. 2017', methods.cmd, 'CE + w Σ_k ‖c_k(S) − c_k(T)‖'
    ),
    'deep_jdot': About(
        'DeepJDOT',
        'Damodaran et al. 2018',
        methods.deep_jdot,
        'CE + w min_P Σ P_ij (α ‖f(s_i) − f(t_j)‖² + λ CE(t_j, y_i))',
    ),
    'dann': About(
        'DANN', 'Ganin et al. 2016', methods.dann, 'CE − λ BCE of a discriminator on f'
    ),
    'domain_confusion': About(
        'domain confusion',
        'Tzeng et al. 2015',
        methods.domain_confusion,
        'CE + w CE(discriminator, uniform)',
    ),
    'adda': About(
        'ADDA',
        'Tzeng et al. 2017',
        methods.adda,
        'a target encoder: BCE of the discriminator, labels inverted',
    ),
    'wdgrl': About(
        'WDGRL',
        'Shen et al. 2018',
        methods.wdgrl,
        'CE + w W₁ by a critic with gradient penalty',
    ),
    'cdan': About(
        'CDAN',
        'Long et al. 2018',
        methods.cdan,
        'CE − λ BCE of a discriminator on f ⊗ p',
    ),
    'cdan_e': About(
        'CDAN+E',
        'Long et al. 2018',
        methods.cdan,
        'CE − λ BCE weighted by 1 + exp(−H(p))',
    ),
    'mada': About(
        'MADA',
        'Pei et al. 2018',
        methods.mada,
        'CE − λ Σ_k BCE of discriminator k on p_k f',
    ),
    'mcd': About(
        'MCD',
        'Saito et al. 2018',
        methods.mcd,
        'CE; max and min of ‖p₁ − p₂‖₁ on T in turn',
    ),
    'dsn': About(
        'DSN',
        'Bousmalis et al. 2016',
        methods.dsn,
        'CE + α reconstruction + β ‖SᵀP‖² + γ similarity',
    ),
    'beyond_sharing_weights': About(
        'Beyond Sharing Weights',
        'Rozantsev et al. 2018',
        methods.beyond_sharing_weights,
        'CE + w (Σ_l exp ‖a θ_S + b − θ_T‖² − 1 + MMD²)',
    ),
    'residual_transfer': About(
        'Residual Parameter Transfer',
        'Rozantsev et al. 2018',
        methods.residual_transfer,
        'CE + w (inverted BCE + ‖R‖² − log ‖R‖²), R of low rank',
    ),
    'adabn': About(
        'AdaBN', 'Li et al. 2016', models.BatchNorm, "CE; the target's own statistics"
    ),
    'autodial': About(
        'AutoDIAL',
        'Carlucci et al. 2017',
        models.AutoDial,
        'CE + w H(p) on T; statistics mixed by a learned α',
    ),
    'dsbn': About(
        'DSBN',
        'Chang et al. 2019',
        models.BatchNorm,
        'DANN; statistics, scale and shift of each domain',
    ),
    'entropy_minimization': About(
        'entropy minimisation',
        'Grandvalet & Bengio 2005',
        methods.entropy_minimization,
        'CE + w H(p) on T',
    ),
    'mcc': About(
        'MCC', 'Jin et al. 2020', methods.mcc, 'CE + w confusion between classes on T'
    ),
    'bnm': About('BNM', 'Cui et al. 2020', methods.bnm, 'CE − w ‖P_T‖_* / n'),
    'self_training': About(
        'self-training',
        'Lee 2013',
        methods.self_training,
        'CE + w CE(p, argmax p) on T',
    ),
}


def markdown(results: Sequence[dict]) -> str:
    """The table, with the digits page's results on the small protocol."""
    root = pathlib.Path(__file__).parents[2]
    found = {
        (result['arm'], result['task']): result['target_accuracy']['fixed_validator']
        for result in results
        if result['experiment'] == 'adaptation.digits' and not result['config']['norm']
    }
    head = ['method', 'paper', 'minimises', 'file', 'run', *TASKS.values()]
    body = []
    for arm, about in ABOUT.items():
        file = pathlib.Path(inspect.getfile(about.where)).relative_to(root).as_posix()
        cells = [
            f'{100 * found[arm, task]["mean"]:.1f}' if (arm, task) in found else ''
            for task in TASKS
        ]
        link = f'[{file.rpartition("/")[2]}](../{file})'
        body.append([about.title, about.paper, about.minimises, link, arm, *cells])
    return '\n'.join(tables.markdown_grid(head, body))
