"""From a folder of JPEG files to batches on the device: ours against a DataLoader.

    python -m benchmarks.input_pipeline [--workers N] [--batches N] [--json]
        [--out FILE]

Generated photographs of 500 x 375 pixels; a random part of each is resized to 224 x
224, turned around with probability 1/2, and normalised. Ours decodes in threads
(data.labelled with `threads`), sends uint8 and normalises on the device; a user of
PyTorch has a Dataset that does all of it with Pillow in worker processes, as
torchvision's transforms do, and sends float32. As many workers on both sides; one of
ours more prepares the batches ahead. Images a second after the first batches.
Goal: not slower.
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
WARM = 2  # batches before the clock starts


def photographs(folder: pathlib.Path) -> None:
    """Smooth noise, which compresses as photographs do."""
    rng = np.random.default_rng(0)
    for i in range(FILES):
        small = rng.integers(0, 256, (40, 54, 3), np.uint8)
        image = Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (375, 500, 3))
        image = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
        place = folder / f'class_{i % 8}'
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f'{i}.jpg', quality=90)


def stream(folder: pathlib.Path, size: int, batch: int, workers: int) -> data.Stream:
    """Labelled uint8 batches of a training from JPEG files."""
    change = transforms.chain(transforms.zoom(0.08, size=size), transforms.flip())
    return data.labelled(
        lazy.from_folder(folder),
        batch_size=batch,
        seed=0,
        transform=change,
        threads=workers,
    )


def ours(folder: pathlib.Path, workers: int, batches: int) -> float:
    """Images a second."""
    images = stream(folder, SIZE, BATCH, workers)

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
    found = timing.pytorch()
    if found is None:
        return None
    torch, device = found
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
            wide, tall = (area * ratio) ** 0.5, (area / ratio) ** 0.5
            wide, tall = min(wide, w), min(tall, h)
            left, top = rng.uniform(0, w - wide), rng.uniform(0, h - tall)
            image = image.crop([round(v) for v in (left, top, left + wide, top + tall)])
            image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            if rng.random() < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
            pixels = pixels.to(torch.float32).div(255)
            mean, std = torch.tensor(MEAN), torch.tensor(STD)
            pixels = pixels.sub_(mean[:, None, None]).div_(std[:, None, None])
            return pixels, int(self.files[index].parent.name[-1])

    torch.set_num_threads(1)  # of the process that reads; workers have one each
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


def main() -> None:
    workers = timing.machine()['usable_cpus']
    parser = timing.parser('Time the input of images.')
    parser.add_argument('--workers', type=int, default=workers)
    parser.add_argument('--batches', type=int, default=20, help='of a round')
    parser.add_argument('--rounds', type=int, default=3)
    flags = parser.parse_args()

    rates = {'ours': [], 'torch DataLoader': []}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        photographs(folder)
        for _ in range(flags.rounds):
            rates['torch DataLoader'].append(
                theirs(folder, flags.workers, flags.batches)
            )
            rates['ours'].append(ours(folder, flags.workers, flags.batches))
    best = {name: max(r for r in found) for name, found in rates.items() if all(found)}
    result = {'machine': timing.machine(), 'workers': flags.workers}
    result['images_a_second'] = best
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    lines += [f'{name:20}{rate:10.1f} images a second' for name, rate in best.items()]
    if len(best) > 1:
        result['machine'] |= timing.torch_version()
        result['ratio'] = best['torch DataLoader'] / best['ours']
        lines.append(f'time, ours by theirs: {result["ratio"]:.2f}')
    else:
        lines.append(timing.INSTALL)
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
