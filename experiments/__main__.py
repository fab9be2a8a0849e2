"""Lists the experiments, one per line; or those of the lectures, with what they need.

python -m experiments
python -m experiments lectures
"""

import ast
import pathlib
import sys
from collections.abc import Sequence

HERE = pathlib.Path(__file__).resolve().parent


def experiments() -> dict[str, str]:
    """{module of an experiment: first line of its docstring}; imports none of them."""
    first_lines = {}
    for path in sorted(HERE.rglob('*.py')):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        names = {getattr(node, 'name', '') for node in tree.body}
        if {'Config', 'build'} <= names:
            module = '.'.join(('experiments', *path.relative_to(HERE).parts))
            docstring = ast.get_docstring(tree) or ''
            first_lines[module.removesuffix('.py')] = docstring.partition('\n')[0]
    return first_lines


def main(args: Sequence[str] | None = None) -> None:
    """Writes the list that `args` ask for, by default those of the command line."""
    args = sys.argv[1:] if args is None else list(args)
    if args:
        from experiments.lectures import listing  # imports jax

        if args[0] != 'lectures':
            raise SystemExit(
                f'error: no list {args[0]!r}; there are: python -m experiments, '
                'python -m experiments lectures'
            )
        listing.main(args[1:])
        return
    listed = experiments()
    width = max(map(len, listed))
    lines = [f'python -m {name:<{width}}  {line}' for name, line in listed.items()]
    sys.stdout.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
