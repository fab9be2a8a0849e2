"""Data that lies on the device, and several steps in a dispatch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import data
from transfer_jax.training import chunks, feed, fit, on_device

KEY = jax.random.key(3)
MEAN, STD = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])


@pytest.fixture(scope='module')
def domains():
    """Arrays and Images of different lengths."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    label = rng.integers(0, 4, 30)  # int64: batches hold int32
    return data.Arrays(image[:30], label), data.Images(image[30:])


def _stream(domains, seed=0, scale=True, balanced=False):
    source, target = domains
    draw = {'batch_size': 8, 'seed': seed}
    both = data.zipped(
        source=data.labelled(source, balanced=balanced, **draw),
        target=data.unlabelled(target, **draw),
    )
    return both.map(data.normalise(MEAN, STD)) if scale else both


@pytest.fixture(scope='module')
def method(networks):
    from transfer_jax import methods
    from transfer_jax.training import optim

    encoder, classifier, discriminator = networks()
    names = ('encoder', 'classifier', 'discriminator')
    txs = dict.fromkeys(names, optim.sgd(optim.constant(0.1), momentum=0.9))
    return methods.dann(
        encoder, classifier, discriminator, txs=txs, strength=optim.constant(0.3)
    )


@pytest.fixture(scope='module')
def first(method, domains):
    return jax.jit(method.init)(jax.random.key(0), _stream(domains)[0])


@pytest.mark.parametrize('balanced', [False, True])
def test_rows_labels_and_bytes_are_those_of_the_host(domains, balanced):
    stream = _stream(domains, scale=False, balanced=balanced)
    placed = on_device.place(stream, 'always')
    make = jax.jit(placed.resident.batch)
    for t in (0, 1, 7):  # beyond an epoch of both
        made, given = make(*placed.data, placed.resident.rows(t), t), stream[t]
        assert jax.tree.structure(made) == jax.tree.structure(given)
        for one, other in zip(
            jax.tree.leaves(made), jax.tree.leaves(given), strict=True
        ):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def test_scaled_images_are_those_of_the_host_to_a_millionth(domains):
    stream = _stream(domains)
    placed = on_device.place(stream, 'always')
    made = jax.jit(placed.resident.batch)(*placed.data, placed.resident.rows(2), 2)
    for name in ('source', 'target'):
        given = stream[2][name]['image']
        assert abs(given).max() > 2
        np.testing.assert_allclose(made[name]['image'], given, rtol=0, atol=1e-6)


def test_the_target_has_no_labels_on_the_device(domains):
    placed = on_device.place(_stream(domains), 'always')
    tables, _ = placed.data
    assert set(tables['source']) == {'image', 'label'}
    assert set(tables['target']) == {'image'}


class _Every:
    """A hook for every `period`-th step."""

    def __init__(self, period):
        self.period, self.calls = period, []

    def next_due(self, step):
        return (step // self.period + 1) * self.period

    def __call__(self, step, state, metrics):
        self.calls.append((step, int(state.step), metrics))


def test_chunks_end_where_a_hook_is_due_and_have_all_metrics(method, first, domains):
    placed = on_device.place(_stream(domains), 'always')
    alone, hook, seen = _Every(1), _Every(7), []
    options = {'key': KEY, 'steps': 9}
    fit(method, first, placed, hooks=[alone], **options)
    fit(method, first, placed, hooks=[hook], chunk=5, **options)
    fit(
        method,
        first,
        placed,
        hooks=[lambda *call: seen.append(call)],
        chunk=5,
        **options,
    )
    assert [(step, taken) for step, taken, _ in hook.calls] == [(7, 7)]
    assert [step for step, *_ in seen] == list(range(1, 10))
    for name, values in hook.calls[0][2].items():
        singly = np.concatenate([metrics[name] for *_, metrics in alone.calls])
        np.testing.assert_allclose(values, singly[:7], rtol=1e-5, err_msg=name)
        each = [float(metrics[name]) for *_, metrics in seen]
        np.testing.assert_allclose(each, singly, rtol=1e-5)


@pytest.mark.parametrize('where', ['always', 'never'])
def test_twenty_steps_a_dispatch_give_the_bits_of_one(
    method, first, domains, where, same_bits
):
    """Also when the run is cut in the middle of a chunk."""
    placed = on_device.place(_stream(domains), where)
    together = fit(method, first, placed, key=KEY, steps=25, chunk=20)
    if jax.default_backend() == 'cpu':  # elsewhere a loop may be compiled otherwise
        same_bits(fit(method, first, placed, key=KEY, steps=25), together)
    half = fit(method, first, placed, key=KEY, steps=13, chunk=20)
    same_bits(
        fit(method, half, placed, key=KEY, steps=25, start=13, chunk=20), together
    )


def test_training_on_the_device_is_that_on_the_host(method, first, domains):
    stream = _stream(domains)
    there = fit(method, first, on_device.place(stream, 'always'), key=KEY, steps=8)
    here = fit(method, first, stream, key=KEY, steps=8)
    for one, other in zip(jax.tree.leaves(there), jax.tree.leaves(here), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_one_compiled_program_serves_all_lengths(method, first, domains):
    placed = on_device.place(_stream(domains), 'always')
    program = chunks.Program(method, placed, 4)
    state = jax.tree.map(jnp.copy, first)
    with program.read(0, 10, lambda batch: batch) as inputs:
        for start, stop in [(0, 4), (4, 5), (5, 8), (8, 10)]:
            state, measured = program(state, KEY, inputs, start, stop)
            assert measured.count == stop - start
    assert state.step == 10
    assert program.compiled() == 1


def test_streams_of_other_seeds_share_the_program(domains):
    batches = [
        on_device.place(stream, 'always').resident.batch
        for one, two in [(_stream(domains, 0), _stream(domains, 1))]
        for stream in (one, two, feed.Stacked([one, two]), feed.Stacked([two, one]))
    ]
    assert batches[0] == batches[1] and hash(batches[0]) == hash(batches[1])
    assert batches[2] == batches[3] != batches[0]


def test_batches_from_the_host_are_few_at_a_time(method, domains, monkeypatch):
    stream = _stream(domains)
    batch = 2 * 8 * 8 * 8 * 3 * 4 + 8 * 4  # bytes: float32 images, int32 labels
    monkeypatch.setattr(chunks, 'MOST_BYTES', 3 * batch + 1)
    assert chunks.Program(method, stream, 20).chunk == 3
    monkeypatch.setattr(chunks, 'MOST_BYTES', 10)
    assert chunks.Program(method, stream, 20).chunk == 1
    assert chunks.Program(method, on_device.place(stream, 'always'), 20).chunk == 20


def test_runs_side_by_side_share_equal_tables(domains):
    source, target = domains
    again = data.Arrays(source.image.copy(), source.label.copy())
    other = data.Arrays(source.image[:20], source.label[:20])
    pairs = [(source, target), (again, target), (other, target)]
    streams = [_stream(pair, seed) for seed, pair in enumerate(pairs)]
    placed = on_device.place(feed.Stacked(streams), 'always')
    tables, _ = placed.data
    assert len(tables['source']['image']) == 30 + 20
    assert len(tables['target']['image']) == 20
    made = jax.jit(placed.resident.batch)(*placed.data, placed.resident.rows(5), 5)
    for number, stream in enumerate(streams):
        given = stream[5]
        np.testing.assert_array_equal(
            made['source']['label'][number], given['source']['label']
        )
        np.testing.assert_allclose(
            made['source']['image'][number], given['source']['image'], atol=1e-6
        )


def test_labels_are_compared_with_the_classifier_before_the_first_step(
    method, first, domains
):
    source, target = domains
    wrong = data.Arrays(source.image, np.full(30, 7))
    placed = on_device.place(_stream((wrong, target)), 'always')
    with pytest.raises(ValueError, match="labels of 'source' are 7..7"):
        fit(method, first, placed, key=KEY, steps=2)


def _turned(item, rng):
    return {**item, 'image': item['image'][::-1]}


def test_data_that_cannot_lie_on_the_device_is_told_why(domains, monkeypatch):
    source, target = domains
    turned = data.labelled(source, batch_size=4, seed=0, transform=_turned)
    flipped = data.labelled(
        source, batch_size=4, seed=0, transform=data.transforms.flip(), name='x'
    )
    plain = data.labelled(source, batch_size=4, seed=0)
    for stream, reason in [
        (turned, "the transform _turned of stream 'source' has no form for a device"),
        (flipped, "the transform flip of stream 'x' has no form for a device"),
        (data.zipped(source=plain, target=turned), 'the transform _turned'),
        (plain.map(_turned), '_turned has no form for a device'),
        ([{}], 'not one of transfer_jax.data'),
        (feed.Stacked([plain, turned]), 'the transform _turned'),
    ]:
        with pytest.raises(ValueError, match=reason):
            on_device.place(stream, 'always')
    with pytest.raises(ValueError, match="device 'yes'; choose from auto, always, nev"):
        on_device.place(plain, 'yes')
    assert on_device.place(plain, 'never') is plain
    monkeypatch.setattr(on_device.jax, 'default_backend', lambda: 'cpu')
    assert on_device.place(plain) is plain
    monkeypatch.setattr(on_device.jax, 'default_backend', lambda: 'gpu')
    assert on_device.place(turned) is turned
    assert isinstance(on_device.place(plain), on_device.OnDevice)


def test_runs_with_other_transforms_or_tables_are_not_one_program(domains):
    from transfer_jax.data import device_transforms as transforms

    source, target = domains

    def of(part, transform=None):
        draw = data.labelled if hasattr(part, 'label') else data.unlabelled
        return draw(part, batch_size=4, seed=0, transform=transform)

    for one, other in [
        (of(source, transforms.shift(1)), of(source, transforms.shift(2))),
        (of(source, transforms.flip()), of(source)),
        (of(source, transforms.rotate(5)), of(source, transforms.rotate(9))),
        (of(source), of(target)),
        (of(source), of(data.Arrays(source.image[:, :4], source.label))),
    ]:
        with pytest.raises(ValueError, match='the runs differ in their transforms'):
            on_device.place(feed.Stacked([one, other]), 'always')


def test_equal_constants_are_there_once(domains):
    seeds = [_stream(domains, seed) for seed in (0, 1)]
    placed = on_device.place(feed.Stacked(seeds), 'always')
    shapes = {leaf.shape for leaf in jax.tree.leaves(placed.data[1])}
    assert shapes == {(3,)}  # mean and rate, not one for each run


class _Small:
    """A device of 10 KB, of which 1 KB is in use."""

    @staticmethod
    def memory_stats():
        return {'bytes_limit': 10_000, 'bytes_in_use': 1_000}


def test_data_larger_than_the_device_stays_on_the_host(domains, monkeypatch):
    stream = _stream(domains)
    monkeypatch.setattr(on_device.jax, 'default_backend', lambda: 'gpu')
    monkeypatch.setattr(on_device.jax, 'local_devices', lambda: [_Small])
    assert on_device.place(stream) is stream
    with pytest.raises(ValueError, match=r'takes 0.0 GB, and there is room for 0.0 GB'):
        on_device.place(stream, 'always')


@pytest.mark.parametrize('chunk', [0, -1, 2.5])
def test_a_chunk_is_a_whole_number(method, first, domains, chunk):
    with pytest.raises(ValueError, match=f'chunk is {chunk}: give a whole number'):
        fit(method, first, _stream(domains), key=KEY, steps=2, chunk=chunk)
