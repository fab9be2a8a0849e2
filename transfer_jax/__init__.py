"""Transfer learning and domain adaptation in vision, as pure functions in JAX.

    import transfer_jax as tj

    tj.data, tj.models, tj.methods, tj.training, tj.evaluation, ...

Every package is imported when it is first used, so `import transfer_jax` is immediate.
`tj.predict` is the function of `transfer_jax.cli.predict`.
"""

import importlib

__version__ = '0.1.0'

# __init__.pyi has the same names, for editors and type checkers.
_PACKAGES = (
    'cli',
    'data',
    'evaluation',
    'losses',
    'methods',
    'metrics',
    'models',
    'ops',
    'recipes',
    'reports',
    'runs',
    'selection',
    'shallow',
    'training',
    'tree',
    'types',
)
_FUNCTIONS = {'predict': 'transfer_jax.cli.predict'}  # {name: its module}

__all__ = ['__version__', *_FUNCTIONS, *_PACKAGES]  # noqa: PLE0604


def __getattr__(name: str):
    if name in _PACKAGES:
        return importlib.import_module(f'{__name__}.{name}')
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
