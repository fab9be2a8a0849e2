"""Photographs with boxes from a folder and from TFDS, and errors for invalid files."""

import warnings

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import voc

OBJECT = (
    '<object><name>{}</name><difficult>{}</difficult><part><bndbox><xmin>9</xmin>'
    '</bndbox></part><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
    '<ymax>{}</ymax></bndbox></object>'
)


def write(root, name, objects, size=(20, 10), split='train', stated_size=None):
    """An image (width, height) with objects (class, difficult, four corners)."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    picture = Image.new('RGB', size, (100, 0, 0))
    picture.paste((0, 200, 0), (0, 0, size[0] // 2, size[1]))
    picture.save(root / 'JPEGImages' / f'{name}.png')
    width, height = stated_size or size
    lines = ''.join(OBJECT.format(*entry) for entry in objects)
    (root / 'Annotations' / f'{name}.xml').write_text(
        f'<annotation><size><width>{width}</width><height>{height}</height></size>'
        f'{lines}</annotation>'
    )
    with open(root / 'ImageSets' / 'Main' / f'{split}.txt', 'a') as file:
        file.write(f'{name}\n')


@pytest.fixture
def folder(tmp_path):
    """Image b: a dog, a difficult dog, a difficult cat; a: a cat; c: nothing."""
    three = [('dog', 0, 1, 1, 20, 10), ('dog', 1, 3, 2, 4, 3), ('cat', 1, 5, 5, 5, 5)]
    write(tmp_path, 'b', three)
    write(tmp_path, 'a', [('cat', 0, 2, 3, 8, 9)], split='test', size=(8, 16))
    write(tmp_path, 'c', [])
    return tmp_path


def test_corners_counted_from_one_become_edges_counted_from_zero(folder):
    annotated = voc.read(folder)
    assert annotated.classes == ('cat', 'dog')
    assert [path.stem for path in annotated.files] == ['a', 'b', 'c']
    np.testing.assert_array_equal(annotated.sizes, [[16, 8], [10, 20], [10, 20]])
    np.testing.assert_array_equal(annotated.boxes[0], [[1, 2, 8, 9]])
    np.testing.assert_array_equal(
        annotated.boxes[1], [[0, 0, 20, 10], [2, 1, 4, 3], [4, 4, 5, 5]]
    )
    assert annotated.boxes[1].dtype == np.float32
    assert annotated.boxes[2].shape == (0, 4)
    np.testing.assert_array_equal(annotated.label[1], [1, 1, 0])
    np.testing.assert_array_equal(annotated.difficult[1], [False, True, True])


def test_a_split_holds_its_images(folder):
    assert [path.stem for path in voc.read(folder, 'train').files] == ['b', 'c']
    with pytest.raises(ValueError, match="split 'val': choose from test, train"):
        voc.read(folder, 'val')


def test_lists_of_a_class_are_lists_of_images(folder):
    (folder / 'ImageSets' / 'Main' / 'cat_train.txt').write_text('b -1\nc  1\n\n')
    assert [path.stem for path in voc.read(folder).files] == ['a', 'b', 'c']


def test_a_class_whose_instances_are_all_difficult_is_left_out(folder):
    np.testing.assert_array_equal(
        voc.multi_hot(voc.read(folder)), [[1, 0], [-1, 1], [0, 0]]
    )


def test_classes_that_are_given_number_the_labels(folder):
    annotated = voc.read(folder, classes=('dog', 'bird', 'cat'))
    np.testing.assert_array_equal(annotated.label[1], [0, 0, 2])
    assert voc.multi_hot(annotated).shape == (3, 3)


def test_rows_are_taken_in_order(folder):
    whole = voc.read(folder)
    part = whole.take([2, 0])
    assert [path.stem for path in part.files] == ['c', 'a']
    np.testing.assert_array_equal(part.sizes, whole.sizes[[2, 0]])
    np.testing.assert_array_equal(part.boxes[1], whole.boxes[0])
    fake = voc.fake(3).take(np.array([1]))
    np.testing.assert_array_equal(fake.load_image(0), voc.fake(3).load_image(1))


def test_images_and_boxes_are_stretched_alike(folder):
    annotated = voc.read(folder)
    assert annotated.load_image(1).shape == (10, 20, 3)
    squares = voc.square_images(annotated, 40)
    assert squares.shape == (3, 40, 40, 3) and squares.dtype == np.uint8
    # the left half is green: columns 0 .. 20 of 40 but for the blend at the seam
    np.testing.assert_array_equal(squares[1, :, :18], [[[0, 200, 0]] * 18] * 40)
    np.testing.assert_array_equal(squares[1, :, 22:], [[[100, 0, 0]] * 18] * 40)
    boxes = voc.scaled_boxes(annotated, 40)
    np.testing.assert_array_equal(boxes[0], [[5, 5, 40, 22.5]])
    np.testing.assert_array_equal(boxes[1][1], [4, 4, 8, 12])
    assert boxes[2].shape == (0, 4)


def test_masks_keep_their_numbers(folder):
    (folder / 'SegmentationClass').mkdir()
    mask = np.zeros((10, 20), np.uint8)
    mask[2, 3], mask[9, 19] = 15, 255
    picture = Image.fromarray(mask)
    picture.putpalette([255 - value // 3 for value in range(768)])
    picture.save(folder / 'SegmentationClass' / 'b.png')
    annotated = voc.read(folder)
    assert [path is not None for path in annotated.masks] == [False, True, False]
    np.testing.assert_array_equal(annotated.load_mask(1), mask)
    with pytest.raises(ValueError, match=r'a\.png: has no mask'):
        annotated.load_mask(0)
    picture.resize((20, 11)).save(folder / 'SegmentationClass' / 'b.png')
    with pytest.raises(ValueError, match=r'b\.png: a mask \(11, 20\) .* \(10, 20\)'):
        voc.read(folder)
    picture.convert('RGB').save(folder / 'SegmentationClass' / 'b.png')
    with pytest.raises(ValueError, match=r'b\.png: a mask of mode RGB'):
        voc.read(folder).load_mask(1)


@pytest.mark.parametrize(
    'box',
    [(0, 1, 5, 5), (1, 0, 5, 5), (1, 1, 21, 5), (1, 1, 5, 11), (6, 1, 5, 5)],
)
def test_a_box_that_is_not_in_its_image_is_named(folder, box):
    write(folder, 'd', [('cat', 0, *box)])
    with pytest.raises(ValueError, match=r'd\.xml: the box of cat at .* \(10, 20\)'):
        voc.read(folder)


def test_a_class_that_is_none_is_named_with_the_choices(folder):
    with pytest.raises(ValueError, match=r"b\.xml: class 'dog'; choose from cat, cow"):
        voc.read(folder, classes=('cat', 'cow'))


@pytest.mark.parametrize('lost', ['JPEGImages/b.png', 'Annotations/b.xml'])
def test_a_file_that_is_missing_is_named(folder, lost):
    (folder / lost).unlink()
    with pytest.raises(ValueError, match=r'b\.(jpg|xml): is missing'):
        voc.read(folder)


def test_sizes_that_do_not_fit_are_named(folder):
    with pytest.raises(ValueError, match=r'a\.png: \(16, 8\).*shorter than 9'):
        voc.read(folder, min_side=9)
    assert len(voc.read(folder, min_side=8).files) == 3
    write(folder, 'd', [], stated_size=(0, 0))  # some files do not say it
    assert len(voc.read(folder).files) == 4
    write(folder, 'e', [], stated_size=(20, 11))
    with pytest.raises(
        ValueError, match=r'e\.xml: gives the size \(11, 20\), not \(10, 20\)'
    ):
        voc.read(folder)


def test_a_lenient_reader_mends_small_faults_and_counts_them(folder):
    boxes = [(0, 0, 5, 5), (1, 2, 20.4, 10.3), (2, 3, 8, 9)]
    write(
        folder,
        'd',
        [('cat', flag, *b) for flag, b in zip(('', 1, 0), boxes, strict=True)],
    )
    write(folder, 'e', [('dog', 'Unspecified', 1, 1, 20.5, 5)])
    (folder / 'ImageSets' / 'Main' / 'cat_train.txt').write_text('a 1\nx -1\ny -1\n')
    Image.new('RGB', (4, 4)).save(folder / 'JPEGImages' / 'x.png')
    counts = r'3 boxes .*first: d\.xml.*; 2 unspec.*d\.xml.*; 2 images .*first: x\)$'
    with pytest.warns(UserWarning, match=counts) as seen:
        annotated = voc.read(folder, lenient=True)
    assert len(seen) == 1 and seen[0].filename == __file__
    assert [path.stem for path in annotated.files] == ['a', 'b', 'c', 'd', 'e']
    np.testing.assert_array_equal(
        annotated.boxes[3], [[0, 0, 5, 5], [0, 1, 20, 10], [1, 2, 8, 9]]
    )
    np.testing.assert_array_equal(annotated.boxes[4], [[0, 0, 20, 5]])
    np.testing.assert_array_equal(annotated.difficult[3], [False, True, False])
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # nothing to mend, nothing to say
        lenient = voc.read(folder, 'test', lenient=True)
    np.testing.assert_array_equal(lenient.boxes[0], [[1, 2, 8, 9]])


@pytest.mark.parametrize(
    'entry, message',
    [
        (('cat', 0, 0, 1, 5, 5), r'cat at 0, 1, 5, 5 is .* from 1; lenient=True cuts'),
        (('cat', 0, 1, 1, 20.4, 5), r'20.4, 5 is .*; lenient=True cuts boxes'),
        (('cat', '', 1, 1, 5, 5), r"difficult is '', not 0 or 1; lenient=True reads"),
    ],
)
def test_a_strict_reader_names_the_file_and_the_lenient_one(folder, entry, message):
    write(folder, 'd', [entry])
    with pytest.raises(ValueError, match=rf'd\.xml: .*{message}'):
        voc.read(folder)


@pytest.mark.parametrize('split', [None, 'cat_train'])
def test_a_list_that_names_an_image_without_annotation_is_an_error(folder, split):
    (folder / 'ImageSets' / 'Main' / 'cat_train.txt').write_text('a 1\nx -1\n')
    with pytest.raises(ValueError, match=r'x\.\w+: is missing, .*lenient=True leaves'):
        voc.read(folder, split)


@pytest.mark.parametrize(
    'entry', [(0, 1, 1, 23, 5), (0, 6, 1, 5, 5), (2, 1, 1, 5, 5), ('yes', 1, 1, 5, 5)]
)
def test_what_a_lenient_reader_cannot_mend_is_an_error(folder, entry):
    write(folder, 'd', [('cat', *entry)])
    for lenient in (False, True):
        with pytest.raises(ValueError, match=r'd\.xml') as error:
            voc.read(folder, lenient=lenient)
        assert 'lenient=True' not in str(error.value)


@pytest.mark.parametrize('text', ['<annotation>', '<a><object></object></a>', ''])
def test_a_damaged_annotation_is_named(folder, text):
    (folder / 'Annotations' / 'b.xml').write_text(text)
    with pytest.raises(ValueError, match=r'b\.xml: not an annotation'):
        voc.read(folder)


def test_a_folder_without_lists_is_named(tmp_path):
    with pytest.raises(ValueError, match='has no ImageSets'):
        voc.read(tmp_path)


def test_a_photograph_that_lies_on_its_side(folder):
    """Sizes are those of the loaded image, which EXIF may rotate."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (20, 10)).save(folder / 'JPEGImages' / 'c.png', exif=exif)
    write_said = (folder / 'Annotations' / 'c.xml').read_text()
    turned = write_said.replace('>20<', '>x<').replace('>10<', '>20<')
    (folder / 'Annotations' / 'c.xml').write_text(turned.replace('>x<', '>10<'))
    annotated = voc.read(folder)
    assert tuple(annotated.sizes[2]) == annotated.load_image(2).shape[:2] == (20, 10)


class DataSource:
    """In the form of tfds.data_source('voc/2007')."""

    def __init__(self, labels=(1, 0)):
        self.labels = labels

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index:
            objects = {'bbox': np.zeros((0, 4)), 'label': [], 'is_difficult': []}
        else:  # corners 3, 2, 30, 20 and 1, 1, 50, 40 over (40, 50)
            objects = {
                'bbox': np.array(
                    [[2 / 40, 3 / 50, 20 / 40, 30 / 50], [1 / 40, 1 / 50, 1, 1]],
                    np.float32,
                ),
                'label': np.array(self.labels),
                'is_difficult': np.array([False, True]),
            }
        image = np.full((40, 50, 3), index, np.uint8)
        name = f'{index}.jpg'.encode()
        return {'image': image, 'objects': objects, 'image/filename': name}


def test_boxes_of_tfds_are_those_of_the_folder():
    annotated = voc.from_tfds(DataSource(), ('cat', 'dog'))
    assert annotated.classes == ('cat', 'dog')
    np.testing.assert_array_equal(annotated.boxes[0], [[2, 1, 30, 20], [0, 0, 50, 40]])
    assert annotated.boxes[1].shape == (0, 4)
    np.testing.assert_array_equal(voc.multi_hot(annotated), [[-1, 1], [0, 0]])
    assert [str(path) for path in annotated.files] == ['0.jpg', '1.jpg']
    np.testing.assert_array_equal(annotated.sizes, [[40, 50]] * 2)
    assert (annotated.load_image(1) == 1).all()
    assert voc.square_images(annotated, 8).shape == (2, 8, 8, 3)
    with pytest.raises(ValueError, match=r'0\.jpg: a label is not in 0\.\.1'):
        voc.from_tfds(DataSource((2, 0)), ('cat', 'dog'))


def test_a_generated_image_depends_on_seed_and_index_alone():
    few, many = voc.fake(2, seed=3), voc.fake(5, seed=3)
    np.testing.assert_array_equal(few.load_image(1), many.load_image(1))
    assert many.load_image(0).shape != voc.fake(1, seed=4).load_image(0).shape
    for i, (boxes, label) in enumerate(zip(many.boxes, many.label, strict=True)):
        x0, y0, x1, y1 = boxes[-1].astype(int)  # the last one covers others
        patch = many.load_image(i)[y0:y1, x0:x1]
        assert (patch.argmax(-1) == label[-1]).all() and (patch.max(-1) >= 180).all()
        assert 0 <= x0 < x1 <= many.sizes[i, 1] and 0 <= y0 < y1 <= many.sizes[i, 0]


def test_fruit_that_is_missing_says_where_to_get_it(tmp_path):
    with pytest.raises(data.MissingData, match='fruit_voc/JPEGImages.*Annotations'):
        voc.fruit(data_dir=str(tmp_path))


@pytest.mark.real_data
def test_the_fruit(data_dir):
    path = data_dir('fruit_voc')
    annotated = voc.fruit(data_dir=path)
    assert annotated.classes == ('apple', 'banana', 'orange')
    assert np.bincount(np.concatenate(annotated.label)).tolist() == [191, 209, 182]
    assert len(voc.fruit('train', path).files) == 240
    assert len(voc.fruit('test', path).files) == 60
