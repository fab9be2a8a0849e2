"""Runs the sweep of an experiment: python -m experiments.sweep EXPERIMENT."""

from experiments import __main__ as listing
from transfer_jax.cli import sweep

if __name__ == '__main__':
    sweep.main(known=[*listing.experiments()])
