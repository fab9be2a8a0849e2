"""The pages: every link, path and command in them leads to something that exists."""

import pathlib
import re

import pytest

from experiments.tables import command

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob('*.md')), *sorted((ROOT / 'docs').glob('*.md'))]
FOLDERS = 'transfer_jax|experiments|tests|tools|examples|benchmarks|results|docs'


def _text(page):
    """Without the changelog's old names."""
    text = page.read_text()
    return text.partition('### Renamed')[0] if page.name == 'CHANGELOG.md' else text


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r'\]\(([^)#\s]+)(?:#[^)]*)?\)', _text(page))
    local = [link for link in links if not link.startswith('http')]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_paths_exist(page):
    pattern = rf'(?<![\w/(])((?:{FOLDERS})/[\w/]+\.(?:py|json|png|md))'
    paths = re.findall(pattern, _text(page))
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert [path for path in missing if '/NAME' not in path] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_commands_name_modules(page):
    pattern = rf'python -m ((?:{FOLDERS})(?:\.\w+)*)'
    for name in set(re.findall(pattern, _text(page))):
        path = ROOT / name.replace('.', '/')
        assert path.with_suffix('.py').exists() or (path / '__main__.py').exists(), name


def test_headings_that_links_name_exist():
    for page in PAGES:
        for link, heading in re.findall(r'\]\(([^)#\s]*)#([^)]+)\)', _text(page)):
            target = page.parent / link if link else page
            headings = re.findall(r'^#+ (.*)$', target.read_text(), re.M)
            slugs = [
                re.sub(r'[^\w -]', '', h).lower().replace(' ', '-') for h in headings
            ]
            assert heading in slugs, f'{page.name}: {link}#{heading}'


def test_the_generated_tables_are_those_of_the_result_files(monkeypatch):
    """As `python -m experiments.table readme --check`, which exits if they are not."""
    monkeypatch.chdir(ROOT)
    command.main(['readme', '--check'])
