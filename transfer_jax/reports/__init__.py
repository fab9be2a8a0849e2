"""Reports: tables, figures and pages of HTML, from result files and checkpoints.

Every module is imported when it is first used: figures need matplotlib, tables do not.
"""

import importlib

# __init__.pyi has the same names, for editors and type checkers.
__all__ = [
    'averages',
    'feature_maps',
    'figures',
    'gains',
    'grids',
    'html_page',
    'image_grids',
    'overlays',
    'run_report',
    'sections',
    'selection_cost',
    'study_report',
    'study_tables',
    'sweep_entries',
    'sweep_figures',
    'sweep_report',
    'tables',
]


def __getattr__(name: str):
    if name in __all__:
        return importlib.import_module(f'{__name__}.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
