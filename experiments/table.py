"""Tables from result files.

python -m experiments.table NAME [--json]     one table; an unknown NAME lists them
python -m experiments.table readme [--check]  rewrites, or checks, those of README.md
"""

import dataclasses
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import tyro

from experiments import common, pairs
from transfer_jax import tables

ROOTS = (pathlib.Path('results'), pathlib.Path('runs'))
PAGES = 'python -m experiments.adaptation.'
SKIPPED = ('checkpoints', 'events', 'figures')  # of a run folder: no results in there

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
# Protocol oc20, 10 draws, dimension 80 (github.com/LeoGautheron/
# OfficeCaltechDomainAdaptation): (no adaptation, Subspace Alignment).
SUBSPACE_ALIGNMENT = {
    'C-A': (0.222, 0.352),
    'C-W': (0.202, 0.300),
    'C-D': (0.225, 0.352),
    'A-C': (0.231, 0.339),
    'A-W': (0.265, 0.312),
    'A-D': (0.239, 0.321),
    'W-C': (0.189, 0.287),
    'W-A': (0.234, 0.302),
    'W-D': (0.520, 0.834),
    'D-C': (0.253, 0.306),
    'D-A': (0.266, 0.320),
    'D-W': (0.522, 0.794),
}


class Block(NamedTuple):
    """One task of a table."""

    task: str  # as results name it
    commands: Mapping[str, str]  # {arm that belongs here: what makes its result}
    published: Mapping[str, float]
    ceiling: tuple[str, str] = ('', '')  # (task, network) of its train on target
    images: int = 0  # of the whole target test set; fewer are a subset


@dataclasses.dataclass(frozen=True)
class Command:
    """Print a table, from result files only."""

    name: tyro.conf.Positional[str]
    """demo, ganin, adda, subspace_alignment; or readme, to rewrite README.md."""
    json: bool = False
    """Print JSON."""
    runs: tuple[pathlib.Path, ...] | None = None
    """Folders to search for result files. Default: results and runs; for the README
    results alone."""
    check: bool = False
    """With readme: change nothing, and fail if it is not up to date."""
    readme: pathlib.Path = pathlib.Path('README.md')
    """The page to rewrite or check."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """The command in `args`, by default that of the command line."""
    command = tyro.cli(
        Command, prog='python -m experiments.table', description=__doc__, args=args
    )
    with common.errors(command.debug):
        if command.name == 'readme':
            _readme(command)
            return
        blocks = named(command.name)
        results, left_out = find(command.runs or ROOTS)
        lines, missing = build(blocks, results)
        show = _as_json if command.json else _as_text
        _say(show(command.name, lines, missing, left_out))


def named(name: str) -> list[Block]:
    """The tasks of a named table.

    Raises:
      ValueError: there is no such table.
    """
    if name not in NAMED:
        raise ValueError(f'no table {name!r}; there are: {", ".join(NAMED)}, readme')
    return NAMED[name]()


def find(roots: Iterable[pathlib.Path]) -> tuple[list[dict], list[pathlib.Path]]:
    """(results below the folders, each once; files left out as runs for tests).

    Raises:
      ValueError: a file is not JSON.
    """
    results, left_out = [], []
    for root in roots:
        for folder, inside, files in os.walk(root):
            inside[:] = sorted(set(inside) - set(SKIPPED))
            for name in sorted(files):
                path = pathlib.Path(folder) / name
                if path.suffix != '.json':
                    continue
                try:
                    content = json.loads(path.read_text(encoding='utf-8'))
                except json.JSONDecodeError as error:
                    raise ValueError(f'{path} is not JSON: {error}') from None
                if not isinstance(content, dict) or 'target_accuracy' not in content:
                    continue
                if content['fast']:
                    left_out.append(path)
                elif content not in results:
                    results.append(content)
    return results, left_out


def build(
    blocks: Iterable[Block], results: Sequence[dict]
) -> tuple[list[tables.Row], list[dict[str, str]]]:
    """(lines of the table, what is not there and which command makes it)."""
    lines, missing = [], []
    for block in blocks:
        own = [result for result in results if _belongs(result, block)]
        whole = [r for r in own if r['target_test_images'] >= block.images]
        lines += tables.rows(whole, task=block.task, published=block.published)
        # A subset is named so, and nothing published stands beside it.
        part = [result for result in own if result not in whole]
        lines += tables.rows(part, task=f'{block.task}, subset')
        there = {result['arm'] for result in own}
        missing += [
            {'task': block.task, 'arm': arm, 'command': command}
            for arm, command in block.commands.items()
            if arm not in there
        ]
    return lines, missing


def rewrite(page: str, results: Sequence[dict]) -> str:
    """The page with what stands between its table markers made anew."""
    explained = False

    def table(match):
        nonlocal explained
        lines, _ = build(named(match[1]), results)
        content = 'No result files yet.'
        if lines:
            content = tables.markdown(lines, explain=not explained)
            explained = True
        return f'<!-- table:{match[1]} -->\n{content}\n<!-- /table -->'

    marked = r'<!-- table:(\w+) -->\n.*?<!-- /table -->'
    return re.sub(marked, table, page, flags=re.DOTALL)


def _belongs(result: dict, block: Block) -> bool:
    if result['arm'] == tables.CEILING and block.ceiling != ('', ''):
        # Named after its one domain; the same domain may serve several networks.
        return (result['task'], _network(result['config'])) == block.ceiling
    return result['task'] == block.task


def _network(config: dict) -> str:
    known = '' if config.get('source') else config.get('pair', '')
    default = pairs.PAIRS[known][2] if known in pairs.PAIRS else 'mnist'
    return config.get('network') or default


def _demo() -> list[Block]:
    arms = ('source_only', 'adabn', 'dann', 'train_on_target')
    commands = {arm: f'python -m experiments.demo --arms {arm}' for arm in arms}
    return [Block('digits_to_digits_m', commands, {})]


def _ganin() -> list[Block]:
    blocks = []
    for pair, (low, dann, high) in GANIN.items():
        _, target, network = pairs.PAIRS[pair]
        commands = {
            'source_only': f'{PAGES}source_only --config.pair {pair}',
            'dann': f'{PAGES}dann --config.pair {pair}',
            'train_on_target': f'{PAGES}source_only --config.source {target} '
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
        commands = {
            'source_only': f'{PAGES}adda --config.pair {pair} --config.adapt-steps 0',
            'adda': f'{PAGES}adda --config.pair {pair}',
        }
        published = {'source_only': low, 'dann': dann, 'adda': adda}
        blocks.append(Block(f'{pair}, adda', commands, published))
    return blocks


def _subspace_alignment() -> list[Block]:
    blocks = []
    for pair, values in SUBSPACE_ALIGNMENT.items():
        commands = {
            arm: f'{PAGES}subspace_alignment --config.pair {pair} '
            f'--config.method {arm} --config.protocol oc20 --config.seeds 20'
            for arm in ('none', 'subspace_alignment')
        }
        published = dict(zip(commands, values, strict=True))
        blocks.append(Block(f'{pair}, oc20', commands, published))
    return blocks


NAMED = {
    'demo': _demo,
    'ganin': _ganin,
    'adda': _adda,
    'subspace_alignment': _subspace_alignment,
}


def _as_text(name, lines, missing, left_out) -> str:
    parts = [tables.text(lines)] if lines else [f'{name}: no result files found.']
    if missing:
        parts += ['', 'No result yet for these; the command makes it:']
        parts += [f'  {m["task"]}, {m["arm"]}: {m["command"]}' for m in missing]
    if left_out:
        parts += ['', 'Left out, since they are runs of seconds for tests (fast):']
        parts += [f'  {path}' for path in left_out]
    return '\n'.join(parts)


def _as_json(name, lines, missing, left_out) -> str:
    content = {
        'table': name,
        'rows': tables.as_json(lines),
        'missing': missing,
        'left_out_as_fast': [str(path) for path in left_out],
    }
    return json.dumps(content, indent=1)


def _readme(command: Command) -> None:
    results, _ = find(command.runs or ROOTS[:1])
    try:
        before = command.readme.read_text(encoding='utf-8')
        after = rewrite(before, results)
        if not command.check:
            command.readme.write_text(after, encoding='utf-8')
    except OSError as error:
        raise ValueError(f'{command.readme}: {error.strerror}') from None
    if command.check and before != after:
        _say(
            f'{command.readme} is not what its result files say; rewrite it with '
            'python -m experiments.table readme'
        )
        sys.exit(1)


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')


if __name__ == '__main__':
    main()
