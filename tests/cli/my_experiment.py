"""DANN on generated domains, as a user's own experiment.

python -m my_experiment
"""

import dataclasses

import numpy as np

import transfer_jax as tj
from transfer_jax.training import optim

TRACED = ('rate',)


@dataclasses.dataclass(frozen=True)
class Config:
    """One run."""

    steps: int = 4
    rate: float = 0.01


def build(config):
    """The experiment of a config."""
    tx = optim.sgd(optim.constant(config.rate))
    method = tj.methods.dann(
        tj.models.SmallNet(width=4),
        tj.models.Classifier(4),
        tj.models.Discriminator((8,)),
        txs={'encoder': tx, 'classifier': tx, 'discriminator': tx},
        strength=optim.ganin_strength(config.steps),
    )
    return tj.runs.Experiment(
        name='mine',
        config=config,
        method='dann',
        task='fake_to_fake_shifted',
        seeds=(0,),
        data=load,
        held_out=held_out,
        stages=(tj.runs.Stage('train', config.steps, method, stream),),
        evaluations=2,
        fast=True,
    )


def load(seed, data_dir):
    """Both domains."""
    names = ('fake', 'fake_shifted')
    return [tj.data.load(name, size=8, data_dir=data_dir) for name in names]


def stream(domains, previous):
    """Training batches."""
    source, target = domains
    both = tj.data.zipped(
        source=tj.data.labelled(source.train, batch_size=8, seed=0),
        target=tj.data.unlabelled(target.train, batch_size=8, seed=0),
    )
    return both.map(scale)


def held_out(domains):
    """What an evaluation reads."""
    source, target = domains
    parts = (source.test, tj.data.Images(target.train.image), target.test)
    return tj.runs.HeldOut(*(tj.data.batches(part, 32).map(scale) for part in parts))


scale = tj.data.normalise(np.full(3, 0.5, np.float32))


def sweep():
    """Two rates."""
    return [Config(rate=rate) for rate in (0.01, 0.03)]


def fast():
    """A run of seconds."""
    return Config(steps=2)


if __name__ == '__main__':
    tj.cli.main(Config, build)
