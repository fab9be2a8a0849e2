"""The run of benchmarks/whole_run.py as a plain PyTorch loop.

It has the same network, data, batch size, schedules and number of evaluations. An
evaluation is the accuracy on the same source validation and target test images; there
are no validators and no files. As one would write it for speed, images lie on the
device as uint8, a batch is gathered and normalised there, channels come last, products
may be TF32, and a loss is fetched every 20 steps. Permutations and first parameters are
PyTorch's, so accuracies agree up to the spread over seeds.
"""

import time

import numpy as np

from benchmarks import dann_step, timing
from experiments.tasks import digit_pairs, evaluation_data

LOG_EVERY = 20  # steps between losses that the host fetches


def run(
    pair: digit_pairs.Pair, *, steps: int, evaluations: int, batch: int
) -> dict[str, float] | None:
    """{'seconds', 'source_validation', 'target_test'} of PyTorch's loop.

    The device has run a few steps before. None without PyTorch.

    Args:
      batch: images of a step, half of each domain.
    """
    pytorch = timing.pytorch()
    if pytorch is None:
        return None
    torch, device = pytorch
    torch.set_float32_matmul_precision('high')  # TF32, as ours
    half = batch // 2
    _train(torch, device, pair, min(20, steps), 1, half)
    start = time.perf_counter()
    accuracies = _train(torch, device, pair, steps, evaluations, half)
    return {'seconds': time.perf_counter() - start, **accuracies}


def _train(torch, device, pair, steps, evaluations, half) -> dict[str, float]:
    """Trains, and returns the accuracies of the last evaluation."""
    from torch.nn import functional

    net = dann_step.torch_net(torch, half)
    net = net.to(device, memory_format=torch.channels_last)
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        sgd, lambda step: (1 + 10 * step / steps) ** -0.75
    )
    mean = torch.tensor(pair.mean, device=device)
    domain = torch.cat([torch.zeros(half), torch.ones(half)]).to(device)

    def part(arrays):
        label = getattr(arrays, 'label', None)
        image = torch.tensor(arrays.image, device=device)
        return image, None if label is None else torch.tensor(label).long().to(device)

    def scaled(image):
        return (image.float() / 255 - mean).permute(0, 3, 1, 2)  # channels last

    def rows(count):
        """Endless rows of batches; each epoch is a permutation."""
        while True:
            yield from torch.randperm(count, device=device).split(half)[: count // half]

    def accuracy(image, label):
        with torch.no_grad():
            right = [
                (net.classifier(net.encoder(scaled(x))).argmax(1) == y).sum()
                for x, y in zip(image.split(1000), label.split(1000), strict=True)
            ]
        return sum(right).item() / len(label)

    # As many source validation images as ours, see digit_pairs.held_out.
    held_out = evaluation_data.capped(len(pair.source_validation))
    tests = {
        'source_validation': part(pair.source_validation.take(held_out)),
        'target_test': part(pair.target_test),
    }
    source, label = part(pair.source)
    target, _ = part(pair.target)
    source_rows, target_rows = rows(len(source)), rows(len(target))
    every = max(1, steps // evaluations)
    for step in range(steps):
        i, j = next(source_rows), next(target_rows)
        strength = 2 / (1 + np.exp(-10 * step / steps)) - 1
        sgd.zero_grad(set_to_none=True)
        logits, domain_logits = net(scaled(torch.cat([source[i], target[j]])), strength)
        loss = functional.cross_entropy(logits, label[i])
        # The sum of the means of both halves is twice the mean over all.
        domain_loss = functional.binary_cross_entropy_with_logits(domain_logits, domain)
        (loss + 2 * domain_loss).backward()
        sgd.step()
        rate.step()
        if (step + 1) % LOG_EVERY == 0:
            loss.item()
        if (step + 1) % every == 0 or step + 1 == steps:
            scores = {name: accuracy(*arrays) for name, arrays in tests.items()}
    return scores
