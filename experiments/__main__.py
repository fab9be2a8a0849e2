"""Lists every experiment, a line each.

python -m experiments
"""

import ast
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


def pages() -> dict[str, str]:
    """{module of a page: first line of its docstring}; read, not imported."""
    found = {}
    for path in sorted(HERE.rglob('*.py')):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        names = {getattr(node, 'name', '') for node in tree.body}
        if {'Config', 'build'} <= names:
            module = '.'.join(('experiments', *path.relative_to(HERE).parts))
            about = ast.get_docstring(tree) or ''
            found[module.removesuffix('.py')] = about.partition('\n')[0]
    return found


def main() -> None:
    """Writes the list."""
    found = pages()
    width = max(map(len, found))
    lines = [f'python -m {name:<{width}}  {line}' for name, line in found.items()]
    sys.stdout.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
