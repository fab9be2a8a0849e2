"""The examples: each runs, with few steps; the README shows the first word for word."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = sorted(
    path.name for path in (ROOT / 'examples').glob('*.py') if path.stem != '__init__'
)
# What a shorter run replaces: {name: (its line, the line of the test)}.
SHORTER = {
    'adapt_arrays.py': ('steps = 1000', 'steps = 4'),
    'dann_on_arrays.py': ('steps = 1000', 'steps = 4'),
    'fine_tuning.py': ('steps = 200 ', 'steps = 10 '),
    'many_devices.py': ('steps = 400', 'steps = 4'),
    'shallow_sklearn.py': ('n = 200 ', 'n = 40 '),
    'sweep_in_one_program.py': ('steps = 300', 'steps = 2'),
    'zero_shot_attributes.py': ('n = 200 ', 'n = 20 '),
}


def _run(name, capsys):
    """What the example prints when it is shortened."""
    text = (ROOT / 'examples' / name).read_text()
    full, short = SHORTER[name]
    assert text.count(f'\n{full}') == 1
    code = compile(text.replace(f'\n{full}', f'\n{short}'), name, 'exec')
    exec(code, {'__name__': '__main__'})
    return capsys.readouterr().out


@pytest.mark.parametrize('name', EXAMPLES)
def test_an_example_runs_and_prints_accuracies(name, capsys):
    lines = _run(name, capsys).splitlines()
    accuracies = [float(line) for line in re.findall(r'([\d.]+)%', '\n'.join(lines))]
    assert accuracies and all(0 <= value <= 100 for value in accuracies)


@pytest.mark.parametrize('name', EXAMPLES)
def test_an_example_says_how_to_run_it(name):
    text = (ROOT / 'examples' / name).read_text()
    assert f'python -m examples.{name.removesuffix(".py")}\n' in text
    assert len(text.splitlines()) <= 90


def test_the_readme_shows_the_first_example():
    """All below its docstring."""
    text = (ROOT / 'examples' / EXAMPLES[0]).read_text()
    _, _, code = text.split('"""', 2)
    blocks = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.S)
    assert code.strip() == blocks[0].strip()
