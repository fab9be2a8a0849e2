"""A short evaluation in place of all validators and diagnostics."""

from transfer_jax import evaluation, metrics, selection


def measure(predicts, held_out, final):
    """What the rules and the figures read."""
    del final
    parts = {
        'source_validation': (predicts['source'], held_out.source_validation),
        'target_test': (predicts['target'], held_out.target_test),
    }
    scores = {
        name: evaluation.evaluate(predict, batches, metrics.accuracy())
        for name, (predict, batches) in parts.items()
    }
    return {
        **{name: score['accuracy'] for name, score in scores.items()},
        selection.FIXED: 0.0,
        'target_test_images': scores['target_test']['count'],
    }
