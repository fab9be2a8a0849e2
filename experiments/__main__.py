"""Lists the experiments, one per line.

python -m experiments
"""

import ast
import pathlib
import sys

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


def main() -> None:
    """Writes the list."""
    listed = experiments()
    width = max(map(len, listed))
    lines = [f'python -m {name:<{width}}  {line}' for name, line in listed.items()]
    sys.stdout.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
