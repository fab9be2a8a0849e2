"""Golden runs: the deep methods on embedded digits, whose numbers must not change.

    python -m tools.golden_runs                       # compare with the recorded file
    python -m tools.golden_runs --write               # record it anew; say why
    python -m tools.golden_runs --against REVISION    # compare two trees, bit for bit

The recorded file, experiments/tasks/golden_runs.json, holds for each stage the losses
of its first five steps and the sum of squares of all parameters after them. The test
tests/golden_runs_test.py compares with it on every machine. After 60 steps two
processors differ in the third digit, so longer runs are compared on one machine only:
`--against` runs both trees with the same libraries and cores and compares digests of
all parameters.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

from transfer_jax import recipes

ADAPT = 'experiments.adapt'  # its default method, streams and rates
METHODS = (*recipes.RECIPES, ADAPT)
# One of each kind; the test of the others is slow.
FEW_METHODS = (
    *('source_only', 'dan', 'dann', 'adda', 'mcd', 'wdgrl', 'mada', 'dsbn'),
    ADAPT,
)
PAIR = 'digits_to_digits_m'
SCHEDULED = 60  # steps over which rates and weights are scheduled
FEW = 5  # steps in the recorded file
LOSSES, SQUARES = 1e-5, 1e-4  # relative differences that are rounding
ROOT = pathlib.Path(__file__).parents[1]
FILE = ROOT / 'experiments' / 'tasks' / 'golden_runs.json'


def record(method: str, steps: int = FEW) -> dict:
    """{stage: {'losses', 'squares', 'digest'}} of a method, or of ADAPT.

    Each stage runs `steps` steps.

    'losses' is {name: [one value per step]}. 'squares' is the sum of squares of all
    parameters. 'digest' covers all parameters and does not depend on the names of the
    networks.
    """
    import jax
    import numpy as np

    from transfer_jax.training import fit

    experiment = _adapt() if method == ADAPT else _digits(method)
    data = experiment.data(0, None)
    stages, previous = {}, None
    for i, stage in enumerate(experiment.stages):
        key = jax.random.fold_in(jax.random.key(0), i)
        stream = stage.stream(data, previous)
        state = stage.method.init(jax.random.fold_in(key, 0), stream[0])
        if stage.start is not None:
            state = stage.start(state, previous)
        rows = []

        def hook(step, state, metrics, rows=rows):
            rows.append(jax.device_get(metrics))

        state = fit(stage.method, state, stream, key=key, steps=steps, hooks=[hook])
        losses = {
            name: [float(row[name]) for row in rows]
            for name in rows[0]
            if name.endswith('/loss')
        }
        leaves = [
            np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state.params)
        ]
        stages[stage.name] = {
            'losses': losses,
            'squares': float(sum(np.sum(leaf**2) for leaf in leaves)),
            'digest': _digest(state.params),
        }
        previous = state
    return stages


def _digits(method):
    """The experiment of a method on digits."""
    from experiments.adaptation import digits

    return digits.build(
        digits.Config(
            method=method, pair=PAIR, protocol='full', steps=SCHEDULED, batch=16
        )
    )


def _adapt():
    """experiments.adapt on digits as a user's images, 64 and 48 of them."""
    from transfer_jax import data
    from transfer_jax.adapt import experiment, photographs, plan, reading
    from transfer_jax.recipes import encoders

    source, target = (data.load(name, size=16) for name in PAIR.split('_to_'))
    images = source.train.take(range(64)), target.train.take(range(48))
    parts = {
        'source': reading.Decoded(images[0].image, (), images[0].label),
        'target': reading.Decoded(images[1].image, ()),
    }
    asked = experiment.Config(backbone=encoders.SMALL_CONVNET, size=16)
    counts = plan.Counts(64, 48, len(source.classes))
    config = plan.resolve(asked, counts)
    encoder = encoders.load(config.backbone)
    photos = photographs.of_run(0, source.classes, parts, encoder)
    return experiment.build(config, lambda seed: photos)


def _digest(params) -> str:
    """Digest of every network's leaves in the order of their paths; networks sorted."""
    import jax
    import numpy as np

    parts = []
    for network in params.values():
        total = hashlib.sha256()
        for leaf in jax.tree.leaves(network):
            value = np.ascontiguousarray(leaf)
            total.update(f'{value.dtype} {value.shape}'.encode())
            total.update(value.tobytes())
        parts.append(total.hexdigest())
    return hashlib.sha256(' '.join(sorted(parts)).encode()).hexdigest()


def against(revision: str, methods: list[str]) -> bool:
    """Whether this tree and a revision have the same bits after 60 steps."""
    with tempfile.TemporaryDirectory() as scratch:
        other = pathlib.Path(scratch) / 'tree'
        git = ['git', '-C', str(ROOT)]
        subprocess.run(
            [*git, 'worktree', 'add', '--quiet', '--detach', str(other), revision],
            check=True,
        )
        try:
            equal = True
            for method in methods:
                mine, theirs = _digests(ROOT, method), _digests(other, method)
                same = list(mine.values()) == list(theirs.values())
                equal &= same
                sys.stdout.write(f'{method}: {"equal" if same else "DIFFERENT"}\n')
                sys.stdout.flush()
        finally:
            subprocess.run(
                [*git, 'worktree', 'remove', '--force', str(other)], check=True
            )
    sys.stdout.write('equal\n' if equal else 'DIFFERENT\n')
    return equal


def _digests(tree: pathlib.Path, method: str) -> dict[str, str]:
    """{stage: digest of all parameters after 60 steps}, by the code of `tree`."""
    command = [sys.executable, '-m', 'tools.golden_runs', '--digests', method]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f'{method} in {tree} failed:\n{run.stderr[-2000:]}')
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='python -m tools.golden_runs',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--against', metavar='REVISION')
    parser.add_argument('--write', action='store_true', help='record the file anew')
    parser.add_argument('--methods', nargs='+', default=list(METHODS))
    parser.add_argument('--digests', metavar='METHOD', help='for --against')
    flags = parser.parse_args()
    if flags.digests:
        stages = record(flags.digests, SCHEDULED)
        digests = {name: stage['digest'] for name, stage in stages.items()}
        sys.stdout.write(json.dumps(digests) + '\n')
    elif flags.against:
        sys.exit(0 if against(flags.against, flags.methods) else 1)
    elif flags.write:
        _write(flags.methods)
    else:
        recorded = json.loads(FILE.read_text())
        worst = {
            name: _difference(record(name), recorded[name]) for name in flags.methods
        }
        for name, (losses, squares) in worst.items():
            sys.stdout.write(f'{name}: losses {losses:.1e}, squares {squares:.1e}\n')
        sys.exit(any(a > LOSSES or b > SQUARES for a, b in worst.values()))


def _write(methods: list[str]) -> None:
    """Records methods anew; those that differ by rounding alone stay as they are.

    A result holds a digest of what was recorded, which rounding must not change.
    """
    recorded = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in methods:
        found = _without_digests(record(name))
        if name not in recorded or not _same(found, recorded[name]):
            recorded[name] = found
            sys.stdout.write(f'{name}: recorded\n')
    FILE.write_text(json.dumps(recorded, indent=1) + '\n')


def _same(stages: dict, recorded: dict) -> bool:
    """Whether the differences are rounding."""
    names = [(stage, sorted(of['losses'])) for stage, of in stages.items()]
    if names != [(stage, sorted(of['losses'])) for stage, of in recorded.items()]:
        return False
    losses, squares = _difference(stages, recorded)
    return losses <= LOSSES and squares <= SQUARES


def _without_digests(stages: dict) -> dict:
    return {
        name: {k: v for k, v in stage.items() if k != 'digest'}
        for name, stage in stages.items()
    }


def _difference(stages: dict, recorded: dict) -> tuple[float, float]:
    """Largest relative differences of losses, and of sums of squares."""
    losses, squares = [0.0], [0.0]
    for name, stage in recorded.items():
        squares.append(_relative(stages[name]['squares'], stage['squares']))
        for loss, values in stage['losses'].items():
            pairs = zip(stages[name]['losses'][loss], values, strict=True)
            losses += [_relative(now, then) for now, then in pairs]
    return max(losses), max(squares)


def _relative(now: float, then: float) -> float:
    return abs(now - then) / (abs(then) or 1) if now == now else float('inf')


if __name__ == '__main__':
    main()
