"""The command line: of an experiment, of a sweep, on clusters and several devices."""

from transfer_jax.cli.launch import (
    Flags,
    default_folder,
    errors,
    execute,
    main,
    same,
)

__all__ = ['Flags', 'default_folder', 'errors', 'execute', 'main', 'same']
