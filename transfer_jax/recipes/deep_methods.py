"""The deep methods of adaptation, one row each.

A new method is added in three places:

1. its file in transfer_jax/methods/adaptation/, exported by methods/__init__.py;
2. its row in `RECIPES`, below; a new kind of network is a field of networks.Networks;
3. its own test, tests/methods/NAME_test.py, with numbers worked out by hand.

Everything else reads this list: experiments.adaptation.digits, the common tests
(tests/methods/cases.py), and the tables, by `python -m experiments.table readme`.

A weight is the published one, in the normalisation of our loss: the paper's, else that
of the authors' code ('code'), else 1. It rises as Ganin's strength where the published
one rises, else it is constant. Deviations: DSN's terms rise (the paper starts them at
step 10,000), self-training's do not rise linearly.
"""

from transfer_jax import losses, methods, models
from transfer_jax.recipes.recipe import Recipe
from transfer_jax.training import optim

DISCRIMINATOR = ('encoder', 'classifier', 'discriminator')
_SLOW = optim.adam(optim.constant(2e-4), b1=0.5)  # of ADDA, as in the paper
LAYERS = ('conv_1', 'conv_2', 'dense')  # of LeNet
RECIPES: dict[str, Recipe] = {
    'source_only': Recipe(
        'source only', '', 'CE on the source', methods.supervised, weight_name=''
    ),
    'train_on_target': Recipe(
        'trained on the target', '', '', methods.supervised, weight_name=''
    ),
    'ddc': Recipe(
        'DDC',
        'Tzeng et al. 2014',
        'CE + w ‖mean f(S) − mean f(T)‖²',
        methods.ddc,
        weight=0.25,
        weight_source='paper: λ = 0.25',
    ),
    'dan': Recipe(
        'DAN',
        'Long et al. 2015',
        'CE + w Σ_l MMD²(S_l, T_l), 5 Gaussians',
        methods.dan,
        options={'estimator': losses.mmd_unbiased},  # as in the authors' code
        weight=5.0,
        weight_source='code: 1 on the sum of 5 kernels; the paper selects λ by task',
    ),
    'jan': Recipe(
        'JAN',
        'Long et al. 2017',
        'CE + w MMD² of Π_l k_l',
        methods.jan,
        weight=1.0,
        weight_source='paper: λ rises to 1',
        ramp=True,
    ),
    'deep_coral': Recipe(
        'Deep CORAL',
        'Sun & Saenko 2016',
        'CE + w ‖C_S − C_T‖² / 4d²',
        methods.deep_coral,
        weight=0.8,
        weight_source='code: 0.8; the paper: such that both losses end about equal',
    ),
    'cmd': Recipe(
        'CMD',
        'Zellinger et al. 2017',
        'CE + w Σ_k ‖c_k(S) − c_k(T)‖',
        methods.cmd,
        weight=1.0,
        weight_source='code: 1',
    ),
    'deep_jdot': Recipe(
        'DeepJDOT',
        'Damodaran et al. 2018',
        'CE + w min_P Σ P_ij (α ‖f(s_i) − f(t_j)‖² + λ CE(t_j, y_i))',
        methods.deep_jdot,
        options={'feature_weight': 0.001, 'label_weight': 0.0001},
        weight=1.0,
        weight_source='code for SVHN to MNIST: α = 0.001 and λ = 0.0001',
        batch=500,  # with 50 of each of ten classes, as in the authors' code
        balanced=True,
        logged_metrics=('train/forced_mass',),
    ),
    'dann': Recipe(
        'DANN',
        'Ganin et al. 2016',
        'CE − λ BCE of a discriminator on f',
        methods.dann,
        modules=DISCRIMINATOR,
        weight_name='strength',
        weight=1.0,
        weight_source='paper: λ rises to 1',
        ramp=True,
    ),
    'domain_confusion': Recipe(
        'domain confusion',
        'Tzeng et al. 2015',
        'CE + w CE(discriminator, uniform)',
        methods.domain_confusion,
        modules=DISCRIMINATOR,
        weight=0.01,
        weight_source='paper: λ = 0.01',
        phases=('discriminator', 'train'),
    ),
    'adda': Recipe(
        'ADDA',
        'Tzeng et al. 2017',
        'a target encoder: BCE of the discriminator, labels inverted',
        methods.adda,
        modules=DISCRIMINATOR,
        trains=('encoder', 'discriminator'),
        weight_name='',
        optimisers={'encoder': _SLOW, 'discriminator': _SLOW},
        start=methods.start_from_source,
        validate_as='target',
        phases=('discriminator', 'encoder'),
        source_only_at_zero=False,
    ),
    'wdgrl': Recipe(
        'WDGRL',
        'Shen et al. 2018',
        'CE + w W₁ by a critic with gradient penalty',
        methods.wdgrl,
        modules=('encoder', 'classifier', 'critic'),
        weight=1.0,
        weight_source='code: 1 on reviews, 0.1 and 0.00045 on images; paper: search',
        phases=('encode', 'critic', 'train'),
    ),
    'cdan': Recipe(
        'CDAN',
        'Long et al. 2018',
        'CE − λ BCE of a discriminator on f ⊗ p',
        methods.cdan,
        modules=DISCRIMINATOR,
        weight_name='strength',
        weight=1.0,
        weight_source='paper: λ rises to 1',
        ramp=True,
    ),
    'cdan_e': Recipe(
        'CDAN+E',
        'Long et al. 2018',
        'CE − λ BCE weighted by 1 + exp(−H(p))',
        methods.cdan,
        modules=DISCRIMINATOR,
        options={'by_entropy': True},
        weight_name='strength',
        weight=1.0,
        weight_source='paper: λ rises to 1',
        ramp=True,
    ),
    'mada': Recipe(
        'MADA',
        'Pei et al. 2018',
        'CE − λ Σ_k BCE of discriminator k on p_k f',
        methods.mada,
        modules=('encoder', 'classifier', 'discriminators'),
        weight_name='strength',
        weight=5.0,
        weight_classes=10,
        weight_source='paper: λ rises to 1 on the sum over classes: K / 2, K = 10',
        ramp=True,
    ),
    'mcd': Recipe(
        'MCD',
        'Saito et al. 2018',
        'CE; max and min of ‖p₁ − p₂‖₁ on T in turn',
        methods.mcd,
        trains=('encoder', 'classifier', 'second'),
        weight=1.0,
        weight_source='paper: no weight',
        phases=('train', 'disagree', 'agree'),
    ),
    'source_norm': Recipe(
        'source statistics', '', '', methods.supervised, weight_name='', norm='source'
    ),
    'dsn': Recipe(
        'DSN',
        'Bousmalis et al. 2016',
        'CE + α reconstruction + β ‖SᵀP‖² + γ similarity',
        methods.dsn,
        modules=('encoder', 'classifier', 'encoder', 'decoder', 'discriminator'),
        trains=(*DISCRIMINATOR, 'private_source', 'private_target', 'decoder'),
        weight=1.0,
        weight_source='paper: no common weight; α, β, γ of the port fungtion/DSN',
        ramp=True,
        logged_metrics=('train/correlation',),
    ),
    'beyond_sharing_weights': Recipe(
        'Beyond Sharing Weights',
        'Rozantsev et al. 2018',
        'CE + w (Σ_l exp ‖a θ_S + b − θ_T‖² − 1 + MMD²)',
        methods.beyond_sharing_weights,
        trains=('encoder', 'target_encoder', 'classifier', 'maps'),
        options={'width': None},
        weight=1.0,
        weight_source='none found; λ_w = λ_u = 1',
        optimisers={'maps': optim.adam(optim.constant(1e-4))},
        start=methods.start_streams,
        validate_as='target',
        source_only_at_zero=False,  # each stream has batch statistics of its domain
        logged_metrics=tuple(f'train/r_w_{layer}' for layer in LAYERS),
    ),
    'residual_transfer': Recipe(
        'Residual Parameter Transfer',
        'Rozantsev et al. 2018',
        'CE + w (inverted BCE + ‖R‖² − log ‖R‖²), R of low rank',
        methods.residual_transfer,
        modules=DISCRIMINATOR,
        trains=(*DISCRIMINATOR, 'residual'),
        options={'rate': optim.constant(1e-3), 'rank_weight': 0.2},
        weight=0.5,
        weight_source='paper: 1 on the mean over both domains; λ_s, λ_r not found',
        start=methods.start_residual,
        validate_as='target',
        source_only_at_zero=False,
        logged_metrics=tuple(f'train/rank_{layer}' for layer in LAYERS),
    ),
    'adabn': Recipe(
        'AdaBN',
        'Li et al. 2016',
        "CE; the target's own statistics",
        methods.supervised,
        weight_name='',
        norm='adabn',
        described_by=models.BatchNorm,
    ),
    'autodial': Recipe(
        'AutoDIAL',
        'Carlucci et al. 2017',
        'CE + w H(p) on T; statistics mixed by a learned α',
        methods.entropy_minimization,
        weight=0.1,
        weight_source='code: 0.1',
        norm='autodial',
        described_by=models.AutoDial,
    ),
    'dsbn': Recipe(
        'DSBN',
        'Chang et al. 2019',
        'CE + w CE(p, y) on T, y from a first stage (DANN) and p; norm of each domain',
        methods.dsbn,
        weight=1.0,
        weight_source='paper: no weight',
        rising=('mixing',),
        norm='dsbn',
        start=methods.start_with_labels_of,
        first='dann',
        logged_metrics=('train/changed',),
    ),
    'entropy_minimization': Recipe(
        'entropy minimisation',
        'Grandvalet & Bengio 2005',
        'CE + w H(p) on T',
        methods.entropy_minimization,
        weight=0.1,
        weight_source='code of AutoDIAL: 0.1; the paper cross-validates',
    ),
    'mcc': Recipe(
        'MCC',
        'Jin et al. 2020',
        'CE + w confusion between classes on T',
        methods.mcc,
        weight=1.0,
        weight_source='code: 1',
    ),
    'bnm': Recipe(
        'BNM',
        'Cui et al. 2020',
        'CE − w ‖P_T‖_* / n',
        methods.bnm,
        weight=1.0,
        weight_source='paper: 1 (code: 1 on n / c times this loss)',
    ),
    'self_training': Recipe(
        'self-training',
        'Lee 2013',
        'CE + w CE(p, argmax p) on T',
        methods.self_training,
        weight=3.0,
        weight_source='paper: α rises to 3',
        ramp=True,
    ),
}
# The methods that are also trained on the large protocols.
MAIN = ('source_only', 'train_on_target', 'dann', 'cdan_e', 'deep_coral', 'mcc', 'bnm')


def get(name: str) -> Recipe:
    """The recipe of a method.

    Raises:
      ValueError: no such method; the message lists them.
    """
    if name not in RECIPES:
        raise ValueError(f'no method {name!r}; choose from {", ".join(RECIPES)}')
    return RECIPES[name]
