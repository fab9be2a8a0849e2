"""What the precision of matrix products costs, and what it saves.

A part of benchmarks.device: DANN on MNIST -> MNIST-M, the whole run of
benchmarks/whole_run.py, trained with several seeds in each precision.

float32 asks for the highest precision of every product, TF32 for the default, which is
TF32 on NVIDIA's devices. 'bfloat16' has an encoder that computes in bfloat16; the heads
are float32 by default products. 'three passes' are products of bfloat16 parts, three
for each product of float32, with convolutions as products of patches, because XLA has
no such convolution. (On NVIDIA's devices JAX's precisions 'high' and 'bfloat16' are
TF32 too, so they would measure nothing more.) Losses and metrics are exact in all of
them. On a CPU the first two are the same.
"""

import collections
import contextlib
import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import jax

from benchmarks import dann_step, goals, whole_run
from transfer_jax import runs
from transfer_jax.ops import convolution


class Precision(NamedTuple):
    """How products are computed."""

    products: str  # a value of jax.default_matmul_precision
    dtype: str = 'float32'  # of the encoder
    patches: bool = False  # convolutions are products of patches


PRECISIONS = {
    'float32': Precision('highest'),
    'TF32': Precision('default'),
    'bfloat16': Precision('default', dtype='bfloat16'),
    'three passes': Precision('BF16_BF16_F32_X3', patches=True),
}


def measure(settings, result: dict[str, Any]) -> Iterator[goals.Row]:
    """A row for each precision: accuracies of the last step, and seconds of all seeds.

    Args:
      settings: see device_parts.Settings.
    """
    small = settings.small
    seeds = 2 if small else 4
    result |= {'images': whole_run.images_of(small), 'precisions': {}}
    for name, precision in PRECISIONS.items():
        try:
            row = result['precisions'][name] = _trained(precision, small, seeds)
            yield _row(name, row, result)
        except jax.errors.JaxRuntimeError as error:
            yield goals.Row(name, f'not here: {str(error).splitlines()[0]}')


def _trained(precision: Precision, small: bool, seeds: int) -> dict[str, Any]:
    """Accuracies, seconds, and what the products of a step ask for."""
    with applied(precision):
        built = experiment(small, seeds, precision)
        products = products_of(built)
        short = whole_run.SMALL_SHORT if small else whole_run.SHORT
        first, _ = whole_run.timed(whole_run.cut(built, short))
        seconds, content = whole_run.timed(built)
    values = whole_run.last_accuracies(content)
    return {
        'target_test': values,
        'mean': statistics.fmean(values),
        'std': statistics.stdev(values),
        'seconds': seconds,
        'first_start': first,
        'products': products,
    }


def _row(name: str, row: dict[str, Any], result: dict[str, Any]) -> goals.Row:
    """Whether it is as accurate as float32: the means differ by a deviation at most."""
    each = ', '.join(f'{value:.1%}' for value in row['target_test'])
    what = f'{name}, {len(row["target_test"])} seeds, {result["images"]} images'
    shown = f'{row["mean"]:.1%} ± {row["std"]:.1%} ({each}), {row["seconds"]:.1f} s'
    exact = result['precisions'].get('float32')
    if exact is None or exact is row:
        return goals.Row(what, shown)
    close = abs(row['mean'] - exact['mean']) <= max(row['std'], exact['std'])
    return goals.Row(what, shown, 'as float32, within the spread', close)


def experiment(small: bool, seeds: int, precision: Precision) -> runs.Experiment:
    """The whole run, with an encoder of the precision's type."""
    built = whole_run.experiment(small, seeds)
    (stage,) = built.stages
    classes = len(built.classes(built.data(0, None)))
    method = dann_step.build(classes, stage.steps, precision.dtype)
    return built._replace(stages=(stage._replace(method=method),))


@contextlib.contextmanager
def applied(precision: Precision) -> Iterator[None]:
    """Programs that are traced in the block have this precision, in any thread."""
    before = jax.config.jax_default_matmul_precision
    # Not jax.default_matmul_precision, which is for one thread.
    jax.config.update('jax_default_matmul_precision', precision.products)
    forms = contextlib.nullcontext()
    if precision.patches:
        forms = mock.patch.object(convolution, 'by_xla', _by_patches)
    try:
        with forms:
            yield
    finally:
        jax.config.update('jax_default_matmul_precision', before)


def _by_patches(x, kernel, *, groups=1, **options):
    if groups != 1:
        raise ValueError('grouped convolutions have no form with patches')
    return convolution.by_patches(x, kernel, **options)


def products_of(built: runs.Experiment) -> dict[str, int]:
    """{'type, precision': number of products and convolutions of a step with them}.

    It shows whether a network chooses its own precision, whatever is applied here.
    """
    (stage,) = built.stages
    batch = stage.stream(built.data(0, None), None)[0]
    key = jax.random.key(0)
    state = jax.eval_shape(stage.method.init, key, batch)
    step = jax.make_jaxpr(stage.method.step)(state, batch, key)
    return dict(collections.Counter(_products(step.jaxpr)))


def _products(jaxpr) -> Iterator[str]:
    """'float32, HIGHEST' for each product or convolution, those of functions too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ('dot_general', 'conv_general_dilated'):
            asked = equation.params['precision']
            asked = asked[0] if isinstance(asked, tuple) else asked
            name = getattr(asked, 'name', 'DEFAULT')
            yield f'{equation.invars[0].aval.dtype}, {name}'
        inner = jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda v: hasattr(v, 'eqns')
        )
        for value in inner:
            value = getattr(value, 'jaxpr', value)
            if hasattr(value, 'eqns'):
                yield from _products(value)
