"""Streams: pure in (seed, step), complete in every epoch, sharded by rows."""

import gc
import threading
import time

import numpy as np
import pytest

from transfer_jax import data
from transfer_jax.data import sources, streams, transforms


def _numbered(n=20, size=4):
    """Image i is filled with the value i, its label is i."""
    image = np.broadcast_to(
        np.arange(n, dtype=np.uint8)[:, None, None, None], (n, size, size, 3)
    )
    return sources.Arrays(image.copy(), np.arange(n, dtype=np.int32))


def _labels(stream, steps):
    return np.concatenate([stream[step]['label'] for step in steps])


def _assert_equal(one, two):
    assert set(one) == set(two)
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])


def test_a_batch_is_images_with_their_own_labels():
    batch = streams.labelled(_numbered(), batch_size=6, seed=0)[2]
    assert batch['image'].shape == (6, 4, 4, 3) and batch['image'].dtype == np.uint8
    assert batch['label'].dtype == np.int32
    np.testing.assert_array_equal(batch['image'][:, 1, 2, 0], batch['label'])


def test_a_step_gives_the_same_batch_in_any_order():
    make = lambda: streams.labelled(  # noqa: E731
        _numbered(), batch_size=6, seed=0, transform=transforms.shift(2)
    )
    forward, backward = make(), make()
    first = [forward[step] for step in range(8)]
    for step in reversed(range(8)):
        _assert_equal(first[step], backward[step])
        _assert_equal(first[step], forward[step])


@pytest.mark.parametrize('size, batch_size', [(20, 5), (20, 6), (21, 8)])
def test_every_epoch_is_complete_and_shuffled_anew(size, batch_size):
    stream = streams.labelled(_numbered(size), batch_size=batch_size, seed=0)
    labels = _labels(stream, range(4 * size // batch_size + 1))
    epochs = [labels[e * size : (e + 1) * size].tolist() for e in range(4)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(size))
    assert len({tuple(epoch) for epoch in [*epochs, range(size)]}) == 5


def _classes(counts, size=2):
    """A source with so many images of each class; image i is filled with i."""
    image = np.arange(sum(counts), dtype=np.uint8)[:, None, None, None]
    label = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return sources.Arrays(np.tile(image, (1, size, size, 1)), label)


@pytest.mark.parametrize('batch_size', [2, 4, 5, 10, 17])
def test_a_balanced_batch_has_each_class_equally_often_up_to_one(batch_size):
    """And each image of a class comes once before one comes twice."""
    counts = [9, 3, 7, 4]
    source = _classes(counts)
    stream = streams.labelled(source, batch_size=batch_size, seed=0, balanced=True)
    seen = {number: [] for number in range(4)}
    for step in range(40):
        batch = stream[step]
        images = batch['image'][:, 0, 0, 0]
        np.testing.assert_array_equal(source.label[images], batch['label'])
        held = np.bincount(batch['label'], minlength=4)
        assert held.max() - held.min() <= 1
        for image, label in zip(images, batch['label'], strict=True):
            seen[int(label)].append(int(image))
    drawn = [len(images) for images in seen.values()]
    assert max(drawn) - min(drawn) <= 1
    for number, count in enumerate(counts):
        epochs = [
            tuple(seen[number][i : i + count])
            for i in range(0, len(seen[number]) - count + 1, count)
        ]
        assert all(len(set(epoch)) == count for epoch in epochs)
        assert len(set(epochs)) > 1  # shuffled anew


def test_a_balanced_stream_is_a_function_of_seed_and_step():
    def make(seed=0, **options):
        return streams.labelled(
            _classes([9, 3, 7]), batch_size=8, seed=seed, balanced=True, **options
        )

    transformed = make(transform=transforms.jitter(brightness=0.5))
    straight = [transformed[step] for step in range(6)]
    again = make(transform=transforms.jitter(brightness=0.5))
    for step in (5, 0, 3):  # a run that resumes there
        _assert_equal(again[step], straight[step])
    parts = [make(rows=(i, 2))[3] for i in range(2)]
    whole = make()[3]
    _assert_equal(whole, {k: np.concatenate([p[k] for p in parts]) for k in whole})
    _assert_equal(make().process_shard(1, 2)[3], parts[1])
    orders = {tuple(_labels(make(seed), range(4))) for seed in range(4)}
    assert len(orders) > 1


def test_balance_needs_labels():
    for source in (sources.Images(_classes([3, 3]).image), [{}] * 6):
        with pytest.raises(ValueError, match="stream 'source': balanced=True needs"):
            streams.labelled(source, batch_size=2, seed=0, balanced=True)


def test_seeds_and_names_give_different_draws():
    data = _numbered(200)
    orders = [
        _labels(streams.labelled(data, batch_size=50, seed=seed, name=name), range(8))
        for seed in (0, 1)
        for name in ('source', 'target_labelled')
    ]
    # No epoch of one is an epoch of another: seeds are not epoch numbers either.
    epochs = {tuple(order[i : i + 200]) for order in orders for i in (0, 200)}
    assert len(epochs) == 8


def test_source_and_target_of_one_seed_are_not_aligned():
    data = _numbered(200)
    pair = streams.zipped(
        source=streams.labelled(data, batch_size=100, seed=0),
        target=streams.unlabelled(data, batch_size=100, seed=0),
    )[0]
    same = pair['source']['label'] == pair['target']['image'][:, 0, 0, 0]
    assert same.mean() < 0.1


def test_zipped_streams_differ_in_length_and_are_endless():
    short, long = _numbered(7), _numbered(20)
    pair = streams.zipped(
        source=streams.labelled(short, batch_size=7, seed=0),
        target=streams.unlabelled(long, batch_size=4, seed=0),
    )
    batch = pair[1000]
    assert sorted(batch['source']['label'].tolist()) == list(range(7))
    assert batch['target']['image'].shape == (4, 4, 4, 3)
    assert 'label' not in batch['target']


def test_labels_are_dropped_before_the_transform():
    seen = []

    def look(item, rng):
        seen.append(set(item))
        return item

    items = [_numbered()[i] for i in range(20)]
    for source in (_numbered(), items):
        streams.unlabelled(source, batch_size=3, seed=0, transform=look)[0]
    assert seen == [{'image'}] * 6


def test_a_plain_sequence_of_items_gives_the_batches_of_arrays():
    items = [_numbered()[i] for i in range(20)]
    for step in range(5):
        _assert_equal(
            streams.labelled(_numbered(), batch_size=6, seed=4)[step],
            streams.labelled(items, batch_size=6, seed=4)[step],
        )


@pytest.mark.parametrize('transform', [None, transforms.jitter(brightness=0.5)])
def test_the_rows_of_all_processes_are_the_batch_of_one(transform):
    def make(rows):
        return streams.labelled(
            _numbered(), batch_size=8, seed=1, transform=transform, rows=rows
        )

    for step in (0, 3, 11):
        parts = [make((process, 4))[step] for process in range(4)]
        joined = {
            key: np.concatenate([part[key] for part in parts]) for key in parts[0]
        }
        _assert_equal(joined, make(None)[step])


def test_transforms_draw_by_seed_and_position():
    data = sources.Arrays(
        np.full((10, 4, 4, 1), 128, np.uint8), np.arange(10, dtype=np.int32)
    )

    def draws(seed):
        stream = streams.labelled(
            data, batch_size=10, seed=seed, transform=transforms.jitter(brightness=0.4)
        )
        batches = [stream[step] for step in range(2)]
        return np.concatenate([b['image'][:, 0, 0, 0] for b in batches])

    np.testing.assert_array_equal(draws(0), draws(0))
    assert len(set(draws(0).tolist())) > 12  # items differ, and so do epochs
    assert (draws(0) != draws(1)).any()


def test_map_changes_each_batch():
    stream = streams.labelled(_numbered(), batch_size=4, seed=0)
    doubled = stream.map(lambda batch: {'label': 2 * batch['label']})
    np.testing.assert_array_equal(doubled[3]['label'], 2 * stream[3]['label'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'batch_size': 64, 'name': 'mnist'}, r"'mnist': a batch of 64 .* 20 items"),
        ({'batch_size': 0}, 'a batch of 0'),
        ({'batch_size': 9, 'rows': (0, 2)}, 'evenly by 2'),
        ({'batch_size': 8, 'rows': (2, 2)}, 'no such process'),
    ],
)
def test_wrong_sizes_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        streams.unlabelled(_numbered(), seed=0, **arguments)


def test_steps_before_the_first_are_refused():
    with pytest.raises(IndexError):
        streams.labelled(_numbered(), batch_size=4, seed=0)[-1]


@pytest.mark.parametrize('prefetch', [0, 1, 3])
def test_reading_ahead_gives_what_direct_access_gives(prefetch):
    stream = streams.labelled(
        _numbered(), batch_size=6, seed=0, transform=transforms.shift(1)
    )
    with stream.read(3, 9, prefetch=prefetch) as reader:
        batches = list(reader)
    assert len(batches) == 6
    for step, batch in enumerate(batches, 3):
        _assert_equal(batch, stream[step])


def test_no_more_than_the_prefetched_batches_are_prepared():
    asked = []
    stream = streams.Stream(lambda step: asked.append(step) or step)
    with stream.read(0, None, prefetch=2) as reader:
        time.sleep(0.1)
        assert asked == [0, 1]
        assert next(reader) == 0
        time.sleep(0.1)
        assert asked == [0, 1, 2]


def test_an_error_reaches_the_reader_when_its_batch_is_due():
    def batch(step):
        if step == 2:
            raise ValueError('image 7 is torn')
        return step

    reader = streams.Stream(batch).read(0, 5)
    assert [next(reader), next(reader)] == [0, 1]
    with pytest.raises(ValueError, match='image 7 is torn'):
        next(reader)
    reader.close()


def _threads():
    return [t for t in threading.enumerate() if t.name == 'stream-reader']


def test_closing_ends_the_thread_at_once():
    reader = streams.Stream(lambda step: step).read(0, None)
    assert next(reader) == 0 and len(_threads()) == 1
    start = time.monotonic()
    reader.close()
    reader.close()
    assert time.monotonic() - start < 1 and not _threads()
    with pytest.raises(StopIteration):
        next(reader)


def test_a_freed_reader_ends_its_thread():
    reader = streams.Stream(lambda step: step).read(0, None)
    next(reader)
    thread = _threads()[0]
    del reader
    gc.collect()
    thread.join(timeout=2)
    assert not thread.is_alive()


def test_evaluation_batches_keep_the_order_and_mask_the_padding():
    batches = data.batches(_numbered(10), 4)
    assert len(batches) == 3
    read = list(batches)
    labels = np.concatenate([batch['label'] for batch in read])
    masks = np.concatenate([batch['mask'] for batch in read])
    assert labels.tolist() == [*range(10), 9, 9]
    assert masks.tolist() == [1.0] * 10 + [0.0] * 2 and masks.dtype == np.float32
    assert read[2]['image'][:, 0, 0, 0].tolist() == [8, 9, 9, 9]
    assert len(list(batches)) == 3  # may be read again


def test_evaluation_batches_of_images_have_no_label():
    view = sources.without_labels(_numbered(10))
    assert set(data.batches(view, 4)[0]) == {'image', 'mask'}
    mapped = data.batches(view, 5).map(lambda batch: batch['mask'].sum())
    assert list(mapped) == [5, 5]


def test_no_items_make_no_evaluation_batches():
    empty = _numbered().take(np.arange(0))
    with pytest.raises(ValueError, match='from 0 items'):
        data.batches(empty, 4)


def test_the_parts_of_processes_are_the_whole_batch():
    """For streams that read only their rows, and streams cut from whole batches."""
    source = data.Arrays(
        np.arange(40, dtype=np.uint8).reshape(10, 2, 2, 1), np.arange(10)
    )
    make = {'batch_size': 4, 'seed': 0}
    both = data.zipped(
        source=data.labelled(source, **make), target=data.unlabelled(source, **make)
    ).map(data.normalise(np.zeros(1, np.float32)))
    cut = data.Stream(lambda t: both[t])
    for stream in (both, cut):
        parts = [stream.process_shard(i, 2) for i in (0, 1)]
        for t in range(3):
            whole, halves = both[t], [part[t] for part in parts]
            for domain in whole:
                for name, rows in whole[domain].items():
                    joined = np.concatenate([half[domain][name] for half in halves])
                    np.testing.assert_array_equal(joined, rows)
    with pytest.raises(ValueError, match='cannot be shared evenly by 3 processes'):
        cut.process_shard(0, 3)[0]
