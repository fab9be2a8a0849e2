"""Readers of published sets, on miniatures in the published layouts."""

import shutil

import numpy as np
import pytest
import scipy.io

from tests.miniatures import classification
from transfer_jax import data
from transfer_jax.data import domains, files, lazy, listed, published, transforms

# {set: (miniature, classes, training images, test images)}
EXPECTED = {
    'caltech256': (classification.caltech256, 3, 180, 6),
    'flowers102': (classification.flowers102, 3, 15, 9),
    'cub200': (classification.cub200, 3, 15, 9),
    'mit67': (classification.mit67, 3, 15, 9),
    'scene15': (classification.scene15, 3, 300, 6),
    'imagenet': (classification.imagenet, 4, 32, 12),
    **{
        name: (getattr(classification, name.partition('_')[0]), 3, 19, 5)
        for name in published.SETS
        if name.startswith(('office', 'visda'))
    },
    **{
        name: (classification.domainnet, 3, 15, 9)
        for name in published.SETS
        if name.startswith('domainnet')
    },
}


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """`roots(write)`: a data folder with that miniature, written once."""
    written = {}

    def root(write):
        if write not in written:
            written[write] = tmp_path_factory.mktemp(write.__name__)
            write(written[write])
        return written[write]

    return root


@pytest.fixture
def make(tmp_path):
    """`make(write)`: a data folder of the test's own with a miniature."""

    def root(write):
        write(tmp_path)
        return tmp_path

    return root


def labels(part, classes):
    """{file name: class} of a part of a Listed."""
    return {file.name: classes[label] for file, label in part}


def read(name, root):
    return published.load(name, (root,))


def test_every_set_has_a_miniature():
    assert set(EXPECTED) == set(published.SETS)


@pytest.mark.parametrize('name', published.SETS)
def test_a_set_has_its_classes_and_two_parts_without_a_common_file(roots, name):
    write, classes, train, test = EXPECTED[name]
    found = read(name, roots(write))
    assert found.name == name and len(found.classes) == classes
    assert (len(found.train), len(found.test)) == (train, test)
    parts = [{file for file, _ in part} for part in (found.train, found.test)]
    assert not parts[0] & parts[1]
    assert all(file.is_file() for file in parts[0] | parts[1])
    for part in (found.train, found.test):
        assert {label for _, label in part} <= set(range(classes))
    assert {label for _, label in found.train} == set(range(classes))


@pytest.mark.parametrize('name', published.SETS)
def test_lazily_read_images_are_those_in_memory(roots, name):
    """The same parts, labels and pixels after the transform of evaluation."""
    root = roots(EXPECTED[name][0])
    whole = data.load(name, size=12, data_dir=root)
    files_of = lazy.load(name, data_dir=root)
    assert files_of.classes == whole.classes
    assert files_of.zoom == domains.zoom(name)
    change = transforms.evaluation(12, files_of.zoom)
    for lazy_part, part in ((files_of.train, whole.train), (files_of.test, whole.test)):
        items = [change(lazy_part[i]) for i in range(len(lazy_part))]
        read_now = sorted((item['image'].tobytes(), item['label']) for item in items)
        rows = zip(part.image, part.label, strict=True)
        assert read_now == sorted((image.tobytes(), label) for image, label in rows)


@pytest.mark.parametrize('name', ['caltech256', 'office31_dslr', 'imagenet', 'mit67'])
def test_the_order_of_the_file_system_changes_nothing(roots, tmp_path, name):
    """Files are copied in reverse, so that a folder lists them in another order."""
    root = roots(EXPECTED[name][0])
    for file in sorted(root.rglob('*'), reverse=True):
        if file.is_file():
            copy = tmp_path / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    one, two = read(name, root), read(name, tmp_path)
    for first, second in ((one.train, two.train), (one.test, two.test)):
        assert [(f.relative_to(root), i) for f, i in first] == [
            (f.relative_to(tmp_path), i) for f, i in second
        ]
    names = [
        [f.name for f in lazy.load(name, data_dir=r).train.paths]
        for r in (root, tmp_path)
    ]
    assert names[0] == names[1]


def test_a_set_is_found_in_any_folder_of_the_path(roots, tmp_path):
    root = roots(classification.flowers102)
    path = f'{tmp_path}:{root}'
    assert len(data.load('flowers102', size=8, data_dir=path).train) == 15
    assert len(lazy.load('flowers102', data_dir=path).train) == 15
    lines = {line.name: line for line in domains.describe(path)}
    assert lines['flowers102'].present and not lines['cub200'].present
    assert lines['flowers102'].folders == 'flowers102/'


@pytest.mark.parametrize('name', published.SETS)
def test_a_missing_set_says_where_it_is_from_and_its_layout(tmp_path, name):
    for load in (
        lambda: data.load(name, size=8, data_dir=tmp_path),
        lambda: lazy.load(name, data_dir=tmp_path),
    ):
        with pytest.raises(data.MissingData) as error:
            load()
        message = str(error.value)
        assert files.KNOWN[name].origin in message and 'prepare' not in message
        assert files.KNOWN[name].layouts[0][0] in message


def test_a_published_list_that_is_not_there_is_named(make):
    root = make(classification.domainnet)
    (root / 'domainnet' / 'clipart_test.txt').unlink()
    with pytest.raises(data.MissingData, match='domainnet/clipart_test.txt'):
        lazy.load('domainnet_clipart', data_dir=root)


def test_progress_counts_the_files_of_a_draw(roots):
    """A set with a published split is not read for its list."""
    counts = []
    root = roots(classification.scene15)
    lazy.load('scene15', data_dir=root, progress=counts.append)
    assert counts[-1] == 306
    counts.clear()
    root = roots(classification.imagenet)
    lazy.load('imagenet', data_dir=root, progress=counts.append)
    assert counts == []


# Each set


def test_caltech256_leaves_out_clutter_and_draws_60_of_each_class(roots):
    found = read('caltech256', roots(classification.caltech256))
    assert found.classes == ('001.ak47', '002.american-flag', '056.dog')
    counts = np.bincount([label for _, label in found.train])
    assert counts.tolist() == [60, 60, 60]
    everything = labels(found.train + found.test, found.classes)
    assert everything['001_0001.jpg'] == '001.ak47'
    assert everything['056_0062.jpg'] == '056.dog'
    assert 'dog.jpg' not in everything and '257_0001.jpg' not in everything


def test_a_class_without_images_for_the_test_is_named(make):
    root = make(classification.scene15)
    for i in (1, 2):
        (root / 'scene_categories' / 'MITcoast' / f'image_{i:04d}.jpg').unlink()
    with pytest.raises(ValueError, match='class MITcoast has 100 images; 100 of each'):
        read('scene15', root)


def test_a_draw_is_that_of_the_digests(roots):
    """Worked out from the bytes of the files alone."""
    import hashlib

    root = roots(classification.scene15)
    found = read('scene15', root)
    folder = root / 'scene_categories' / 'bedroom'
    ordered = sorted(
        folder.iterdir(), key=lambda f: hashlib.sha256(f.read_bytes()).digest()
    )
    drawn = [file for file, label in found.train if label == 2]
    assert drawn == ordered[:100]


def test_flowers_follow_setid(roots):
    """Image 1 of each class of 8 is in tstid, 4 in trnid, 7 in valid."""
    found = read('flowers102', roots(classification.flowers102))
    train, test = (labels(p, found.classes) for p in (found.train, found.test))
    assert found.classes == ('1', '2', '3')
    assert test['image_00001.jpg'] == '1' and test['image_00019.jpg'] == '3'
    assert train['image_00004.jpg'] == '1' and train['image_00015.jpg'] == '2'


def test_birds_follow_their_lists(roots):
    found = read('cub200', roots(classification.cub200))
    train, test = (labels(p, found.classes) for p in (found.train, found.test))
    assert train['Laysan_Albatross_0004_83.jpg'] == '002.Laysan_Albatross'
    assert test['Sooty_Albatross_0005_84.jpg'] == '003.Sooty_Albatross'


def test_rooms_follow_their_lists(roots):
    found = read('mit67', roots(classification.mit67))
    train, test = (labels(p, found.classes) for p in (found.train, found.test))
    assert found.classes == ('airport_inside', 'bakery', 'winecellar')
    assert train['bakery_0005.jpg'] == 'bakery' and test['bakery_0006.jpg'] == 'bakery'
    assert 'bakery_0009.jpg' not in {**train, **test}


def test_office_domains_are_apart(roots):
    amazon, dslr = (
        data.load(f'office31_{name}', size=8, data_dir=roots(classification.office31))
        for name in ('amazon', 'dslr')
    )
    assert amazon.classes == dslr.classes == ('back_pack', 'bike', 'mug')
    assert (amazon.train.image != dslr.train.image).any()


@pytest.mark.parametrize('folder', ['RealWorld', 'Real_World'])
def test_the_folder_of_real_world_has_three_spellings(make, folder):
    root = make(classification.officehome)
    (root / 'office_home' / 'Real World').rename(root / 'office_home' / folder)
    found = read('officehome_real_world', root)
    assert found.root.name == folder and len(found.train) == 19


def test_a_class_of_visda_may_be_named_like_a_split(roots):
    found = read('visda2017_validation', roots(classification.visda2017))
    assert found.classes == ('aeroplane', 'bicycle', 'train')
    assert {file.parent.parent.name for file, _ in found.train} == {'validation'}


def test_domainnet_follows_its_lists(roots):
    found = read('domainnet_sketch', roots(classification.domainnet))
    train, test = (labels(p, found.classes) for p in (found.train, found.test))
    assert found.classes == ('aircraft_carrier', 'alarm_clock', 'zigzag')
    assert train['sketch_002_000005.jpg'] == 'alarm_clock'
    assert test['sketch_003_000006.jpg'] == 'zigzag'


def test_classes_of_imagenet_are_numbered_by_wordnet_id(roots):
    root = roots(classification.imagenet)
    found = read('imagenet', root)
    assert found.classes[0] == 'tench, Tinca tinca'
    assert found.classes[2:] == ('crane (n02012849)', 'crane (n03126707)')
    assert {f.parent.name: i for f, i in found.train}['n02012849'] == 2
    flat = roots(classification.imagenet_flat)
    test = labels(read('imagenet', flat).test, found.classes)
    assert test == labels(found.test, found.classes)
    assert test['ILSVRC2012_val_00000002.JPEG'] == 'goldfish, Carassius auratus'


def test_imagenet_of_kaggle(make):
    """ILSVRC/Data/CLS-LOC, a CSV of boxes, and names above; val.txt may have ids."""
    root = make(classification.imagenet_flat)
    (root / 'ILSVRC' / 'Data').mkdir(parents=True)
    folder = (root / 'imagenet').rename(root / 'ILSVRC' / 'Data' / 'CLS-LOC')
    (folder / 'LOC_synset_mapping.txt').rename(root / 'LOC_synset_mapping.txt')
    rows = [line.split() for line in (folder / 'val.txt').read_text().splitlines()]
    ids = [(file, classification.IMAGENET[int(label)]) for file, label in rows]
    (folder / 'val.txt').write_text('\n'.join(f'{f} {name}' for f, name in ids))
    first = read('imagenet', root)
    (folder / 'val.txt').unlink()
    lines = [f'{f[:-5]},{name} 1 2 30 40 {name} 3 4 5 6' for f, name in ids]
    text = '\n'.join(['ImageId,PredictionString', *lines])
    (root / 'LOC_val_solution.csv').write_text(text)
    second = read('imagenet', root)
    assert first == second and first.classes[0] == 'tench, Tinca tinca'
    assert first.test[1][1] == 1


def test_a_set_larger_than_memory_is_refused_in_one_line(roots, monkeypatch):
    root = roots(classification.imagenet)
    assert len(data.load('imagenet', size=16, data_dir=root).train) == 32
    monkeypatch.setattr(listed, 'LARGEST', 44 * 20 * 20 * 3 - 1)
    with pytest.raises(ValueError, match='44 images of 20 x 20.*lazy.load') as error:
        data.load('imagenet', size=20, data_dir=root)
    assert '\n' not in str(error.value)


def test_classes_are_counted_where_the_set_is(roots, tmp_path):
    root = roots(classification.office31)
    assert published.count_classes('office31_webcam', root) == 3
    assert published.count_classes('office31_webcam', tmp_path) == 31


# Errors


def line(path, number, text):
    """Replaces a line of a list."""
    rows = path.read_text().splitlines()
    rows[number] = text
    path.write_text('\n'.join(rows) + '\n')


def change(path, **variables):
    content = scipy.io.loadmat(path)
    rest = {k: v for k, v in content.items() if not k.startswith('__')}
    rest |= variables
    scipy.io.savemat(path, {k: v for k, v in rest.items() if v is not None})


def remove(*names):
    return lambda root: [(root / name).unlink() for name in names]


def _no_val(root):
    (root / 'imagenet' / 'val.txt').unlink()


def _new_class(root):
    classification.save(root / 'imagenet' / 'train' / 'n09999999' / 'a.JPEG', 0)


def _unknown_folder(root):
    classification.save(root / 'imagenet' / 'val' / 'n09999999' / 'a.JPEG', 0)


_CUB, _MIT = 'CUB_200_2011', 'mit67'
_NET, _VAL = 'domainnet', 'visda2017/validation/image_list.txt'
ERRORS = {
    'two files that a list names': (
        classification.mit67,
        'mit67',
        remove(
            'mit67/Images/bakery/bakery_0006.jpg', 'mit67/Images/bakery/bakery_0007.jpg'
        ),
        r'TestImages.txt: names .* not there: .*bakery_0006.jpg and 1 more \(of 9\)',
    ),
    'a file of the .mat list': (
        classification.flowers102,
        'flowers102',
        remove('flowers102/jpg/image_00002.jpg'),
        r'setid.mat: names files that are not there: .*image_00002.jpg \(of 9\)',
    ),
    'a split': (
        classification.flowers102,
        'flowers102',
        lambda root: change(root / 'flowers102/setid.mat', tstid=None),
        'setid.mat: has no variable tstid, only trnid, valid',
    ),
    'the labels': (
        classification.flowers102,
        'flowers102',
        lambda root: change(root / 'flowers102/imagelabels.mat', labels=None, x=[1]),
        'imagelabels.mat: has no variable labels, only x',
    ),
    'fewer labels than images': (
        classification.flowers102,
        'flowers102',
        lambda root: change(root / 'flowers102/imagelabels.mat', labels=[[1, 2, 3]]),
        r'setid.mat: trnid has the image \d+, but imagelabels.mat has 3 labels',
    ),
    'labels from 0': (
        classification.flowers102,
        'flowers102',
        lambda root: change(root / 'flowers102/imagelabels.mat', labels=[[0] * 24]),
        'imagelabels.mat: labels begin with 1',
    ),
    'no .mat file': (
        classification.flowers102,
        'flowers102',
        lambda root: (root / 'flowers102/setid.mat').write_bytes(b'a' * 200),
        'setid.mat: not a readable .mat file',
    ),
    'an image in both parts': (
        classification.flowers102,
        'flowers102',
        lambda root: change(root / 'flowers102/setid.mat', tstid=[[1, 4]]),
        '1 images are in both parts, such as jpg/image_00004.jpg',
    ),
    'a class list that is too short': (
        classification.cub200,
        'cub200',
        lambda root: (root / _CUB / 'classes.txt').write_text('1 a\n2 b\n'),
        r'classes.txt: names 2 classes, but image_class_labels.txt has 1\.\.3',
    ),
    'a class list with gaps': (
        classification.cub200,
        'cub200',
        lambda root: (root / _CUB / 'classes.txt').write_text('1 a\n3 b\n4 c\n'),
        'classes.txt: its 3 classes are not numbered from 1',
    ),
    'counts that differ': (
        classification.cub200,
        'cub200',
        lambda root: (root / _CUB / 'image_class_labels.txt').write_text('1 1\n2 1\n'),
        'image_class_labels.txt: has 2 images, but images.txt has 24',
    ),
    'other ids': (
        classification.cub200,
        'cub200',
        lambda root: line(root / _CUB / 'train_test_split.txt', 0, '99 1'),
        'train_test_split.txt: has other ids than images.txt',
    ),
    'an id that comes twice': (
        classification.cub200,
        'cub200',
        lambda root: line(root / _CUB / 'images.txt', 0, '2 a.jpg'),
        'images.txt: the id 2 comes twice',
    ),
    'a split that is neither': (
        classification.cub200,
        'cub200',
        lambda root: line(root / _CUB / 'train_test_split.txt', 0, '1 2'),
        'train_test_split.txt: has the value 2, not 0 or 1',
    ),
    'an empty part': (
        classification.cub200,
        'cub200',
        lambda root: (root / _CUB / 'train_test_split.txt').write_text(
            '\n'.join(f'{i} 1' for i in range(1, 25))
        ),
        'CUB_200_2011: its test part is empty',
    ),
    'a room without a class': (
        classification.mit67,
        'mit67',
        lambda root: line(root / _MIT / 'TrainImages.txt', 0, 'airport.jpg'),
        "TrainImages.txt: 'airport.jpg' is not <class>/<file>",
    ),
    'a room of another class': (
        classification.mit67,
        'mit67',
        lambda root: line(root / _MIT / 'TestImages.txt', 0, 'attic/a.jpg'),
        'TestImages.txt: no training image has the class attic',
    ),
    'an empty list': (
        classification.mit67,
        'mit67',
        lambda root: (root / _MIT / 'TestImages.txt').write_text('\n'),
        'TestImages.txt: is empty',
    ),
    'a line without a label': (
        classification.visda2017,
        'visda2017_validation',
        lambda root: line(root / _VAL, 3, 'train/a.jpg'),
        "image_list.txt: 'train/a.jpg' is not a file and the number of a class",
    ),
    'a label with two folders': (
        classification.visda2017,
        'visda2017_validation',
        lambda root: line(root / _VAL, 8, 'bicycle/0_100089_115513.jpg 0'),
        'image_list.txt: the class 0 has files in aeroplane and in bicycle',
    ),
    'a folder with two labels': (
        classification.visda2017,
        'visda2017_validation',
        lambda root: line(root / _VAL, 8, 'bicycle/0_100089_115513.jpg 3'),
        'image_list.txt: files in bicycle have two classes',
    ),
    'a class without files': (
        classification.visda2017,
        'visda2017_validation',
        lambda root: line(root / _VAL, 0, 'aeroplane/0_100089_115513.jpg 4'),
        'image_list.txt: its classes go up to 4, but it lists no file of 3',
    ),
    'a label outside the classes': (
        classification.domainnet,
        'domainnet_real',
        lambda root: line(
            root / _NET / 'real_test.txt', 0, 'real/zigzag/real_003_000006.jpg 3'
        ),
        r'real_test.txt: real_003_000006.jpg has the class 3; the 3 classes are 0\.\.2',
    ),
    'a list of another numbering': (
        classification.domainnet,
        'domainnet_real',
        lambda root: line(
            root / _NET / 'real_test.txt', 0, 'real/zigzag/real_003_000006.jpg 0'
        ),
        'real_test.txt: the class 0 has files in aircraft_carrier and in zigzag',
    ),
    'validation images without labels': (
        classification.imagenet_flat,
        'imagenet',
        _no_val,
        'val: has no folders of classes, and there is no val.txt',
    ),
    'a validation label outside the classes': (
        classification.imagenet_flat,
        'imagenet',
        lambda root: line(
            root / 'imagenet' / 'val.txt', 1, 'ILSVRC2012_val_00000002.JPEG 970'
        ),
        r'val.txt: ILSVRC2012_val_00000002.JPEG has the class 970; the 4 classes are',
    ),
    'a class without a name': (
        classification.imagenet_flat,
        'imagenet',
        _new_class,
        'names 4 classes, but 1 of the 5 in train .* such as n09999999',
    ),
    'a validation folder of no class': (
        classification.imagenet,
        'imagenet',
        _unknown_folder,
        'val: the folders n09999999 are none of the 4 classes',
    ),
}


@pytest.mark.parametrize('wrong', ERRORS)
def test_what_is_wrong_is_said_in_one_line(make, wrong):
    write, name, spoil, message = ERRORS[wrong]
    root = make(write)
    spoil(root)
    for load in (
        lambda: data.load(name, size=8, data_dir=root),
        lambda: lazy.load(name, data_dir=root),
    ):
        with pytest.raises(ValueError, match=message) as error:
            load()
        assert '\n' not in str(error.value)


def test_a_folder_that_cannot_be_listed_is_named(make):
    """Here it is a file."""
    root = make(classification.imagenet)
    shutil.rmtree(root / 'imagenet' / 'train')
    (root / 'imagenet' / 'train').touch()
    with pytest.raises(ValueError, match='train: cannot be read') as error:
        lazy.load('imagenet', data_dir=root)
    assert '\n' not in str(error.value)


def test_folders_without_images_are_named(tmp_path):
    (tmp_path / 'office31' / 'amazon' / 'images' / 'bike').mkdir(parents=True)
    with pytest.raises(ValueError, match='images: holds no images'):
        read('office31_amazon', tmp_path)
