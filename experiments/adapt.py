"""Photographs to a model: python -m experiments.adapt --source A --target B."""

from transfer_jax.adapt import command

if __name__ == '__main__':
    command.main()
