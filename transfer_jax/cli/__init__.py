"""The command line: of an experiment, of a sweep, on clusters and several devices."""

from transfer_jax.cli.launch import (
    Flags,
    check_config,
    configs_equal,
    default_folder,
    errors,
    execute,
    main,
)

__all__ = [
    'Flags',
    'check_config',
    'configs_equal',
    'default_folder',
    'errors',
    'execute',
    'main',
]
