"""The content of each named table: tasks, commands, published numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from experiments.adaptation import deep_features, photos
from experiments.tasks import digit_pairs
from transfer_jax import recipes, runs, selection
from transfer_jax.reports import gains

EXPERIMENTS = 'python -m experiments.adaptation.'

# Ganin et al., JMLR 2016, table 2: (source only, DANN, train on target).
GANIN = {
    'mnist_to_mnist_m': (0.5225, 0.7666, 0.9596),
    'syn_digits_to_svhn': (0.8674, 0.9109, 0.9220),
    'svhn_to_mnist': (0.5490, 0.7385, 0.9942),
    'syn_signs_to_gtsrb': (0.7900, 0.8865, 0.9980),
}
TEST_IMAGES = {'mnist_m': 10_000, 'svhn': 26_032, 'mnist': 10_000, 'gtsrb': 12_630}
# Tzeng et al., CVPR 2017, table 2: (source only, gradient reversal, ADDA).
ADDA = {
    'mnist_to_usps': (0.752, 0.771, 0.894),
    'usps_to_mnist': (0.571, 0.730, 0.901),
}
# Of adaptation.digits, by protocol. adda: Tzeng et al. 2017, table 2. skada: the column
# of skada-bench's published results that is chosen with target labels (one run). full:
# papers with other networks and recipes; compare gains, not values.
PUBLISHED = {
    'adda': {
        'mnist_to_usps': {
            'source_only': 0.752,
            'dann': 0.771,
            'domain_confusion': 0.791,
            'adda': 0.894,
        },
        'usps_to_mnist': {
            'source_only': 0.571,
            'dann': 0.730,
            'domain_confusion': 0.665,
            'adda': 0.901,
        },
    },
    'skada': {
        'mnist_to_usps': {
            'source_only': 0.9424,
            'train_on_target': 0.9808,
            'deep_coral': 0.9712,
            'dan': 0.9499,
            'dann': 0.9259,
            'deep_jdot': 0.9630,
            'mcc': 0.9822,
        },
        'usps_to_mnist': {
            'source_only': 0.7338,
            'train_on_target': 0.9892,
            'deep_coral': 0.8988,
            'dan': 0.8628,
            'dann': 0.8678,
            'deep_jdot': 0.9018,
            'mcc': 0.9037,
        },
    },
    'full': {
        'mnist_to_usps': {'cdan_e': 0.956},
        'usps_to_mnist': {'cdan_e': 0.980},
    },
}
DIGITS = 'adaptation.digits'


class Block(NamedTuple):
    """One task of a table."""

    task: str  # its name in result files
    commands: Mapping[str, str]  # {method of the table: command of its result}
    published: Mapping[str, float]
    ceiling: tuple[str, str] = ('', '')  # (task, network) of its train on target
    images: int = 0  # in the whole target test set; fewer are a subset
    experiment: str = ''  # whose results are in the table; '' is any but digits


def _demo() -> list[Block]:
    names = ('source_only', 'adabn', 'dann', 'train_on_target')
    commands = {n: f'python -m experiments.demo --methods {n}' for n in names}
    return [Block('digits_to_digits_m', commands, {})]


def _ganin() -> list[Block]:
    blocks = []
    for pair, (low, dann, high) in GANIN.items():
        _, target, network = digit_pairs.PAIRS[pair]
        commands = {
            'source_only': f'{EXPERIMENTS}source_only --config.pair {pair}',
            'dann': f'{EXPERIMENTS}dann --config.pair {pair}',
            'train_on_target': f'{EXPERIMENTS}source_only --config.source {target} '
            f'--config.target {target} --config.network {network}',
        }
        published = dict(zip(commands, (low, dann, high), strict=True))
        ceiling = (f'{target}_to_{target}, full', network)
        images = TEST_IMAGES[target]
        blocks.append(Block(f'{pair}, full', commands, published, ceiling, images))
    return blocks


def _adda() -> list[Block]:
    blocks = []
    for pair, (low, dann, adda) in ADDA.items():
        command = f'{EXPERIMENTS}adda --config.pair {pair}'
        commands = {
            'source_only': f'{command} --config.adapt-steps 0',
            'adda': command,
        }
        published = {'source_only': low, 'dann': dann, 'adda': adda}
        block = Block(f'{pair}, adda', commands, published)
        blocks.append(block)
    return blocks


def _digits() -> list[Block]:
    """Every deep method on MNIST and USPS, under each protocol."""
    blocks = []
    for protocol in ('adda', 'skada', 'full'):
        for pair in ADDA:
            names = recipes.RECIPES if protocol == 'adda' else recipes.MAIN
            blocks.append(_digits_block(pair, protocol, names))
    for pair in ('mnist_to_mnist_m', 'syn_signs_to_gtsrb', 'svhn_to_mnist'):
        blocks.append(_digits_block(pair, 'full', recipes.MAIN))
    return blocks


def _digits_block(pair: str, protocol: str, names: Iterable[str]) -> Block:
    flags = f'--config.pair {pair} --config.protocol {protocol}'
    if protocol != 'adda':
        flags += ' --config.steps 2000'
    commands = {a: f'{EXPERIMENTS}digits --config.method {a} {flags}' for a in names}
    target = digit_pairs.PAIRS[pair][1]
    return Block(
        f'{pair}, {protocol}',
        commands,
        PUBLISHED[protocol].get(pair, {}),
        ceiling=(f'{target}_to_{target}, {protocol}', 'lenet'),
        experiment=DIGITS,
    )


def _photos() -> list[Block]:
    """Deep adaptation of photographs; methods with target labels are another task."""
    blocks = []
    for source, target in photos.PAIRS:
        flags = f'--config.source {source} --config.target {target}'
        commands = {
            method: f'{EXPERIMENTS}photos --config.method {method} {flags}'
            for method in photos.METHODS
        }
        labelled = {photos.LABELLED: commands.pop(photos.LABELLED)}
        for group in (commands, labelled):
            config = photos.Config(next(iter(group)), source, target)
            blocks.append(Block(str(photos.task(config)), group, {}))
        for kind in deep_features.FEATURES:
            commands = {
                method: f'{EXPERIMENTS}deep_features --config.method {method} '
                f'--config.features {kind} {flags}'
                for method in deep_features.METHODS
            }
            config = deep_features.Config('none', kind, source=source, target=target)
            blocks.append(Block(deep_features.name_of(config), commands, {}))
    return blocks


def _selection_cost() -> list[Block]:
    """DANN and MCC on every task of the digits."""
    return [
        block._replace(commands={a: block.commands[a] for a in ('dann', 'mcc')})
        for block in _digits()
    ]


NAMED: dict[str, Callable[[], list[Block]]] = {
    'demo': _demo,
    'ganin': _ganin,
    'adda': _adda,
    'digits': _digits,
    'selection_cost': _selection_cost,
    'photos': _photos,
}


def belongs(result: dict, block: Block) -> bool:
    """Whether a result is in the rows of a block."""
    if (result['experiment'] == DIGITS) != (block.experiment == DIGITS):
        return False
    if result['method'] == gains.CEILING and block.ceiling != ('', ''):
        # Its task is the name of the target only; several networks may share it.
        return (result['task'], _network(result['config'])) == block.ceiling
    return result['task'] == block.task


def _network(config: dict) -> str:
    pair = '' if config.get('source') else config.get('pair', '')
    default = digit_pairs.PAIRS[pair][2] if pair in digit_pairs.PAIRS else 'mnist'
    return config.get('network') or default


def of_deep_features(studies: Sequence[dict]) -> list[dict]:
    """Results of adaptation.deep_features in the form of runs, for the same tables.

    A shallow method has no steps to choose from; 'last' is its only rule.
    """
    results = []
    for study in studies:
        if study['experiment'] != 'adaptation.deep_features':
            continue
        rows = study['rows']
        accuracy = runs.result.mean_std([row['accuracy'] for row in rows])
        number = runs.Number('target test accuracy', percent=True, in_tables=True)
        results.append(
            {
                **{key: study[key] for key in ('experiment', 'task', 'config', 'fast')},
                'method': study['config']['method'],
                'seeds': [row['seed'] for row in rows],
                'examples': int(rows[-1]['images']),
                'numbers': {'target_test': number._asdict()},
                'rules': {'last': selection.LAST._asdict()},
                'steps': {'last': [0]},
                'scores': {'last': {'target_test': accuracy}},
                'validators': {},
            }
        )
    return results
