"""Transfer learning and domain adaptation in vision, as pure functions in JAX.

    import transfer_jax as tj

    tj.data, tj.models, tj.methods, tj.training, tj.evaluation, ...

Every package is imported when it is first used, so `import transfer_jax` is immediate.
`tj.DomainAdapter` trains a classifier as scikit-learn users expect (adapt.adapter), and
`tj.load(run_dir)` is a trained model with `predict` and `transform` (cli.classifier).
"""

import importlib

__version__ = '0.1.0'

# __init__.pyi has the same names, for editors and type checkers.
_PACKAGES = (
    'adapt',
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
    'zero_shot',
)
_FUNCTIONS = {  # {name: its module}
    'DomainAdapter': 'transfer_jax.adapt.adapter',
    'load': 'transfer_jax.cli.classifier',
    'predict': 'transfer_jax.cli.predict',
}

__all__ = ['__version__', *_FUNCTIONS, *_PACKAGES]  # noqa: PLE0604


def __getattr__(name: str):
    if name in _PACKAGES:
        return importlib.import_module(f'{__name__}.{name}')
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
