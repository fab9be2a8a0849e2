"""Exports a model: python -m experiments.export RUN_OR_MODEL_DIR --out FILE."""

from transfer_jax.cli import export

if __name__ == '__main__':
    export.main()
