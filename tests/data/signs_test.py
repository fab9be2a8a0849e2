"""Traffic signs: splits keep tracks together and are independent of classes."""

import numpy as np
import pytest
from PIL import Image

from transfer_jax.data import domains, signs


def _publish(root, tracks, relabelled=0):
    """Writes GTSRB's folders: `tracks` tracks of 3 frames; the last few relabelled."""
    rng = np.random.default_rng(0)
    for track in range(tracks):
        number = (track + 1) % 5 if track >= tracks - relabelled else track % 5
        folder = root / 'Final_Training' / 'Images' / f'{number:05d}'
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'GT-{number:05d}.csv').write_text('Filename;Width\n')
        for frame in range(3):
            image = rng.integers(256, size=(9, 7, 3), dtype=np.uint8)
            image[:3, :3] = track  # what tells the track
            Image.fromarray(image).save(folder / f'{track:05d}_{frame:05d}.ppm')


def test_the_43_classes_have_their_official_numbers():
    assert len(signs.CLASSES) == len(set(signs.CLASSES)) == 43
    for number, name in {
        0: 'speed 20',
        6: 'end of 80',
        14: 'stop',
        18: 'caution',
        25: 'road work',
        33: 'turn right',
        40: 'roundabout',
        42: 'end no passing >3.5t',
    }.items():
        assert signs.CLASSES[number] == name


def test_no_track_is_in_both_parts(tmp_path):
    _publish(tmp_path / 'GTSRB', tracks=20)
    path = tmp_path / 'gtsrb' / 'gtsrb_40x40.npz'
    signs.convert_gtsrb(tmp_path / 'GTSRB', path, size=8)
    domain = domains.load('gtsrb', size=8, data_dir=tmp_path)
    assert (len(domain.train), len(domain.test)) == (45, 15)
    train, test = (
        set(part.image[:, 0, 0, 0].tolist()) for part in (domain.train, domain.test)
    )
    assert len(train) == 15 and len(test) == 5 and not train & test
    np.testing.assert_array_equal(
        domain.train.label, domain.train.image[:, 0, 0, 0] % 5
    )


def test_the_split_of_tracks_is_independent_of_classes(tmp_path):
    parts = []
    for relabelled in (0, 8):
        root = tmp_path / str(relabelled)
        _publish(root / 'GTSRB', tracks=20, relabelled=relabelled)
        path = root / 'gtsrb' / 'gtsrb_40x40.npz'
        signs.convert_gtsrb(root / 'GTSRB', path, size=8)
        parts.append(domains.load('gtsrb', size=8, data_dir=root))
    assert (parts[0].train.label != parts[1].train.label).any()
    np.testing.assert_array_equal(parts[0].train.image, parts[1].train.image)
    np.testing.assert_array_equal(parts[0].test.image, parts[1].test.image)


def test_a_fifth_of_the_synthetic_signs_is_held_out_by_id(tmp_path):
    (tmp_path / 'synsigns').mkdir()
    path = tmp_path / 'synsigns' / 'synsigns_40x40.npz'
    x = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 4, 4, 3), np.uint8
    )
    ids, y = np.arange(50) * 7, np.arange(50, dtype=np.uint8) % 43
    order = np.random.default_rng(1).permutation(50)
    parts = []
    for rows in (np.arange(50), order):
        np.savez(path, x=x[rows], y=y[rows], id=ids[rows])
        domains._load.cache_clear()
        parts.append(domains.load('syn_signs', size=4, data_dir=tmp_path))
    assert (len(parts[0].train), len(parts[0].test)) == (40, 10)
    shown = [p.image[:, 0, 0, 0].tolist() for p in (parts[0].train, parts[0].test)]
    assert sorted(shown[0] + shown[1]) == list(range(50))
    np.testing.assert_array_equal(parts[0].test.label, y[shown[1]])
    # The same signs are held out, however the file is ordered.
    np.testing.assert_array_equal(parts[0].test.image, parts[1].test.image)


def test_the_publishers_list_of_synthetic_signs_is_read(tmp_path):
    folder = tmp_path / 'train'
    folder.mkdir()
    for number in range(3):
        image = np.full((5, 5, 3), 40 * number, np.uint8)
        Image.fromarray(image).save(folder / f'{number}.png')
    (tmp_path / 'train_labelling.txt').write_text('1.png 14 0\n0.png 33 2\n')
    out = tmp_path / 'out.npz'
    signs.convert_syn_signs(tmp_path, out, size=4)
    with np.load(out) as file:
        assert file['y'].tolist() == [14, 33] and file['x'][0, 0, 0, 0] == 40
    (tmp_path / 'train_labelling.txt').write_text('9.png 14 0\n')
    with pytest.raises(ValueError, match='9.png'):
        signs.convert_syn_signs(tmp_path, out)


def test_folders_without_signs_are_refused(tmp_path):
    for convert in (signs.convert_gtsrb, signs.convert_syn_signs):
        with pytest.raises(ValueError, match='holds no'):
            convert(tmp_path, tmp_path / 'out.npz')


@pytest.mark.real_data
def test_the_sign_domains_share_their_classes(data_dir):
    path = data_dir('gtsrb', 'syn_signs')
    target = domains.load('gtsrb', size=40, data_dir=path)
    source = domains.load('syn_signs', size=40, data_dir=path)
    assert source.classes == target.classes == signs.CLASSES
    for domain in (source, target):
        assert domain.train.image.shape[1:] == (40, 40, 3)
        assert set(domain.train.label) == set(range(43))
