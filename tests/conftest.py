"""What the tests share: tiny batches, tiny networks and a run of seconds."""

import dataclasses
import functools
import os
from collections.abc import Callable

# Exact equality and tolerances are promised for the CPU; `make test-gpu` has another.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# Nothing is kept from one test to another, nor in the user's cache.
os.environ['JAX_COMPILATION_CACHE_DIR'] = ''
# XLA's passes, but few of LLVM's, which compiles sooner. With 0 programs are those that
# users run, as tests/shallow has them always and `make test-slow` asks for.
HASTY = os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1') == '1'

import flax.linen as nn  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from transfer_jax import data, methods, models, runs  # noqa: E402
from transfer_jax.training import optim  # noqa: E402

CLASSES = 4
SIZE = 8
# What `make test-gpu` runs, by the beginning of its name below tests/: all that is not
# slow gets the marker `accelerator`. A test that is about the CPU has the marker
# `cpu(reason)`, and skips elsewhere.
ON_ACCELERATOR = (
    'data/device_transforms_test.py',
    'evaluation/',
    'losses/',
    'methods/common_test.py::test_a_resumed_run',
    'methods/common_test.py::test_dann_with_strength',
    'methods/common_test.py::test_the_state_keeps',
    'metrics/',
    'models/norm_test.py',
    'ops/',
    'runs/chunks_test.py',
    'runs/resume_test.py',
    'runs/vectorised_test.py',
    'selection/',
    'training/',
)
# These are exact by themselves. In all others networks have the precision that commands
# give them by default.
EXACT = ('losses/', 'metrics/', 'ops/', 'selection/')


def pytest_itemcollected(item):
    """Marks what an accelerator runs."""
    if _name(item).startswith(ON_ACCELERATOR) and not item.get_closest_marker('slow'):
        item.add_marker('accelerator')


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """On an accelerator: skips what is about the CPU, and sets the precision."""
    if jax.default_backend() == 'cpu':
        return
    if cpu := item.get_closest_marker('cpu'):
        pytest.skip(f'about the CPU: {cpu.args[0]}')
    exact = _name(item).startswith(EXACT)
    jax.config.update('jax_default_matmul_precision', None if exact else 'highest')


def _name(item):
    return item.nodeid.removeprefix('tests/')


class TinyNet(nn.Module):
    """One convolution with its norm: what a test needs of an encoder, soon compiled."""

    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = models.Conv(4, 3, stride=2, dtype=self.dtype, name='conv_1')(x)
        if self.norm is not None:
            x = self.norm(name='norm_1')(x, train=train, domain=domain)
        x = nn.relu(x)
        return x.reshape(x.shape[0], -1), {'conv_1': x}


@dataclasses.dataclass(frozen=True)
class Config:
    """Of the tiny run."""

    steps: int = 6


@pytest.fixture(scope='session')
def batch():
    """make(seed, n) -> {'source': {'image', 'label'}, 'target': {'image'}}."""

    def make(seed=0, n=8):
        rng = np.random.default_rng(seed)

        def images(shift):
            image = rng.normal(shift, 1, (n, SIZE, SIZE, 3))
            return image.astype(np.float32)

        label = rng.integers(CLASSES, size=n).astype(np.int32)
        return {
            'source': {'image': images(0.0), 'label': label},
            'target': {'image': images(0.5)},
        }

    return make


@pytest.fixture(scope='session')
def stream(batch):
    """Training batches of noise, as a pure function of the step."""

    class Stream:
        def __getitem__(self, t):
            return batch(t)

    return Stream()


@pytest.fixture(scope='session')
def networks():
    """make(dropout, norm, dtype) -> (encoder, classifier, discriminator), all tiny."""

    def make(dropout=0.5, norm=models.BatchNorm, dtype=jnp.float32):
        return (
            TinyNet(norm, dtype),
            models.Classifier(CLASSES, (8,), dropout=dropout),
            models.Discriminator((8,), dropout=dropout),
        )

    return make


@pytest.fixture(scope='session')
def tiny(networks):
    """make(**changes) -> an Experiment of two stages, source and ADDA, on blobs.

    Its methods are built once, so that all tests share their compiled programs.
    """
    encoder, classifier, discriminator = networks()
    tx = optim.sgd(optim.constant(0.05))
    first = methods.supervised(
        encoder, classifier, txs={'encoder': tx, 'classifier': tx}
    )
    second = methods.adda(
        encoder, classifier, discriminator, txs={'encoder': tx, 'discriminator': tx}
    )

    def load(seed, data_dir):
        del data_dir
        source = data.fake.fake_domain(0, 32, SIZE)
        target = data.fake.fake_domain(1, 32, SIZE, shift=1.0)
        return source, target, seed

    def held_out(pair):
        source, target, _ = pair
        read = functools.partial(data.batches, batch_size=8)
        scale = data.normalise(np.zeros(3, np.float32))
        return runs.HeldOut(
            read(source.train).map(scale),  # enough that some are misclassified
            read(data.Images(target.train.image)).map(scale),
            read(target.test).map(scale),
        )

    def batches(pair, previous):
        del previous
        source, target, seed = pair
        make = {'batch_size': 8, 'seed': seed}
        both = data.zipped(
            source=data.labelled(source.train, **make),
            target=data.unlabelled(target.train, **make),
        )
        return both.map(data.normalise(np.zeros(3, np.float32)))

    def make(config=Config(), **changes):  # noqa: B008
        experiment = runs.Experiment(
            name='tests.tiny',
            config=config,
            method='adda',
            task='blobs',
            seeds=(0,),
            data=load,
            held_out=held_out,
            stages=(
                runs.Stage('source', config.steps, first, batches),
                runs.Stage(
                    'adapt', config.steps, second, batches, methods.start_from_source
                ),
            ),
            evaluations=3,
            measure=functools.partial(runs.measure_adaptation, validate_as='target'),
            fast=True,
        )
        return experiment._replace(**changes)

    return make


@pytest.fixture
def optimised():
    """Programs within a test are compiled as users' are."""
    jax.config.update('jax_disable_most_optimizations', False)
    yield
    jax.config.update('jax_disable_most_optimizations', HASTY)


@pytest.fixture
def default_precision():
    """Products have JAX's default, until the test sets another."""
    before = jax.config.jax_default_matmul_precision
    jax.config.update('jax_default_matmul_precision', None)
    yield
    jax.config.update('jax_default_matmul_precision', before)


@pytest.fixture
def float64():
    """64 bits within a test: `pytestmark = pytest.mark.usefixtures('float64')`."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def same_bits():
    """check(one, two): the same tree, and the same bits in every leaf."""

    def check(one, two):
        assert jax.tree.structure(one) == jax.tree.structure(two)
        for (keys, a), b in zip(
            jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(two), strict=True
        ):
            a, b = np.asarray(a), np.asarray(b)
            name = jax.tree_util.keystr(keys)
            assert (a.shape, a.dtype) == (b.shape, b.dtype), name
            assert a.tobytes() == b.tobytes(), name

    return check
