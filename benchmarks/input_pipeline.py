"""From a folder of JPEG files to batches on the device: data.labelled and DataLoader.

    python -m benchmarks.input_pipeline [--workers N] [--batches N] [--json]
        [--out FILE]

Generated photographs of 500 x 375 pixels; a random part of each is resized to 224 x
224, flipped with probability 1/2, and normalised. Ours decodes in threads
(data.labelled with `threads`) or in processes, sends uint8 and normalises on the
device. PyTorch has a Dataset that does all of it with Pillow in worker processes, as
torchvision's transforms do, and sends float32. All have the same number of workers;
ours in threads has one more, which prepares batches ahead. The result is images a
second after the first batches. Goal: not slower.
"""

import pathlib
import tempfile
import time

import jax
import numpy as np
from PIL import Image

from benchmarks import timing
from transfer_jax import data
from transfer_jax.data import lazy, transforms

SIZE, BATCH, FILES = 224, 64, 512
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
WARM = 2  # untimed batches


def photographs(folder: pathlib.Path) -> None:
    """Write images of smooth noise, which compress like photographs."""
    rng = np.random.default_rng(0)
    for i in range(FILES):
        small = rng.integers(0, 256, (40, 54, 3), np.uint8)
        image = Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (375, 500, 3))
        image = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
        class_folder = folder / f'class_{i % 8}'
        class_folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(class_folder / f'{i}.jpg', quality=90)


def stream(
    folder: pathlib.Path, size: int, batch: int, workers: int, processes: bool = False
) -> data.Stream:
    """Labelled uint8 training batches from JPEG files, by threads or processes."""
    change = transforms.chain(transforms.zoom(0.08, size=size), transforms.flip())
    return data.labelled(
        lazy.from_folder(folder),
        batch_size=batch,
        seed=0,
        transform=change,
        threads=1 if processes else workers,
        processes=workers if processes else 0,
    )


def ours(
    folder: pathlib.Path, workers: int, batches: int, processes: bool = False
) -> float:
    """Images a second."""
    images = stream(folder, SIZE, BATCH, workers, processes)

    @jax.jit
    def normalised(image):
        return (image.astype(np.float32) / 255 - MEAN) / STD

    with images.read(0, WARM + batches) as reader:
        return _rate(
            (normalised(jax.device_put(batch['image'])) for batch in reader),
            lambda image: image.block_until_ready(),
            batches,
        )


def theirs(folder: pathlib.Path, workers: int, batches: int) -> float | None:
    """Images a second of a DataLoader; None without PyTorch."""
    pytorch = timing.pytorch()
    if pytorch is None:
        return None
    torch, device = pytorch
    from torch.utils import data as torch_data

    class Folder(torch_data.Dataset):
        def __init__(self):
            self.files = sorted(folder.rglob('*.jpg'))

        def __len__(self):
            return len(self.files)

        def __getitem__(self, index):
            rng = np.random.default_rng()
            image = Image.open(self.files[index]).convert('RGB')
            w, h = image.size
            area = rng.uniform(0.08, 1) * w * h
            ratio = np.exp(rng.uniform(-1, 1) * np.log(4 / 3))
            width, height = (area * ratio) ** 0.5, (area / ratio) ** 0.5
            width, height = min(width, w), min(height, h)
            left, top = rng.uniform(0, w - width), rng.uniform(0, h - height)
            box = left, top, left + width, top + height
            image = image.crop([round(v) for v in box])
            image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            if rng.random() < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
            pixels = pixels.to(torch.float32).div(255)
            mean, std = torch.tensor(MEAN), torch.tensor(STD)
            pixels = pixels.sub_(mean[:, None, None]).div_(std[:, None, None])
            return pixels, int(self.files[index].parent.name[-1])

    torch.set_num_threads(1)  # of the reading process; each worker has one thread too
    sampler = torch_data.RandomSampler(
        Folder(), replacement=True, num_samples=(WARM + batches) * BATCH
    )
    loader = torch_data.DataLoader(
        Folder(),
        batch_size=BATCH,
        sampler=sampler,
        num_workers=workers,
        pin_memory=device == 'cuda',
    )

    def wait(image):
        image = image.to(device, non_blocking=True)
        if device == 'cuda':
            torch.cuda.synchronize()

    return _rate((image for image, _ in loader), wait, batches)


def _rate(images, wait, batches: int) -> float:
    begin = 0.0
    for i, image in enumerate(images):
        wait(image)
        if i + 1 == WARM:
            begin = time.perf_counter()
    return BATCH * batches / (time.perf_counter() - begin)


def add_flags(parser) -> None:
    parser.add_argument('--workers', type=int, default=timing.usable_cpus())
    parser.add_argument('--batches', type=int, default=20, help='of a round')
    parser.add_argument('--rounds', type=int, default=3)


def measure(flags, result) -> list[str]:
    """Read the same files in both ways, in turns."""
    rates = {'ours': [], 'ours, processes': [], 'torch DataLoader': []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        photographs(folder)
        for _ in range(flags.rounds):
            rates['torch DataLoader'].append(
                theirs(folder, flags.workers, flags.batches)
            )
            rates['ours'].append(ours(folder, flags.workers, flags.batches))
            rates['ours, processes'].append(
                ours(folder, flags.workers, flags.batches, processes=True)
            )
    best = {name: max(values) for name, values in rates.items() if all(values)}
    result |= {'workers': flags.workers, 'images_a_second': best}
    lines = [f'{name:20}{rate:10.1f} images a second' for name, rate in best.items()]
    if 'torch DataLoader' in best:
        result['machine'] |= timing.torch_version()
        result['ratio'] = best['torch DataLoader'] / best['ours']
        lines.append(f'time, ours / theirs: {result["ratio"]:.2f}')
    else:
        lines.append(timing.INSTALL)
    return lines


if __name__ == '__main__':
    timing.run('Time the input of images.', measure, add_flags)
