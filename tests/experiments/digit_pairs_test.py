"""What the tasks on pairs of digits refuse."""

import pytest

from experiments.tasks import digit_pairs


@pytest.mark.parametrize(
    ('source', 'target', 'name'), [(300, 10, 'source'), (10, 300, 'target')]
)
def test_a_batch_that_is_too_large_names_its_flag(source, target, name):
    task = digit_pairs.task('fake_to_fake_shifted', '', '')
    pair = digit_pairs.load_pair(task, 0, None)
    message = f'--config.batch: a step takes 300 images of the {name}, which has 256'
    with pytest.raises(ValueError, match=message):
        digit_pairs.stream(pair, source_batch=source, target_batch=target)
