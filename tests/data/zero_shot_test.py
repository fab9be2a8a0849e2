"""Zero-shot data: joined by name, split by class, with a line for every mistake."""

import numpy as np
import pytest
from scipy import io

from tests.miniatures import zero_shot as miniatures
from transfer_jax import data
from transfer_jax.data import class_vectors, word_vectors, zero_shot, zero_shot_files
from transfer_jax.data.class_vectors import ClassVectors


@pytest.fixture
def folder(tmp_path):
    miniatures.zsl_cub_subset(tmp_path)
    miniatures.xlsa17(tmp_path)
    miniatures.word_vectors(tmp_path)
    return tmp_path


def _vectors(*names):
    return ClassVectors(names, np.arange(1.0, 1 + 3 * len(names)).reshape(-1, 3))


def test_names_are_compared_without_case_signs_and_number():
    assert class_vectors.fold('001.Black_footed+Cat') == 'black footed cat'
    assert class_vectors.fold(' grand-piano ') == class_vectors.fold('Grand_Piano')
    assert class_vectors.fold('p5.js') == 'p5.js'
    vectors = _vectors('polar+bear', '002.Blue_Whale')
    np.testing.assert_array_equal(
        vectors.of(['blue whale', 'Polar-Bear']), [[4, 5, 6], [1, 2, 3]]
    )


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: _vectors('cat').of(['Dog', 'cat']), 'no vector for Dog; it has cat'),
        (lambda: _vectors('cat', '001.Cat'), "'cat' and '001.Cat' are one name"),
        (lambda: _vectors('cat').of(['a_b', 'a-b']), "'a_b' and 'a-b' are one name"),
        (lambda: _vectors('cat', ' '), 'a class has no name'),
        (
            lambda: ClassVectors(('a', 'b'), np.array([[1, 2], [1, np.nan]])),
            "'b' has no number in column 2",
        ),
        (lambda: ClassVectors(('a',), np.zeros((1, 2))), "'a' is all zeros"),
        (
            lambda: ClassVectors(('a', 'b'), np.ones((2, 2))),
            "'a' and 'b' have the same vector",
        ),
        (lambda: ClassVectors(('a', 'b'), np.ones((3, 2))), '2 names for an array'),
        (
            lambda: class_vectors.numbers(['ox'], ['cat'], 'L'),
            'L: no class is named ox; the classes are cat',
        ),
    ],
)
def test_a_wrong_join_is_an_error_that_names_the_class(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_class_vectors_of_a_csv(tmp_path):
    path = tmp_path / 'v.csv'
    path.write_text('class,fur,tail\ndog,1,0.5\nfish,0,1\n')
    vectors = class_vectors.from_csv(path)
    assert vectors.names == ('dog', 'fish')
    np.testing.assert_array_equal(vectors.vectors, [[1, 0.5], [0, 1]])
    path.write_text('dog,1,2\nfish,0,1\n')
    assert class_vectors.from_csv(path).names == ('dog', 'fish')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('dog,1,2\nfish,1\n', 'line 2 has 1 numbers, not 2'),
        ('dog,1,2\nfish,1,x\n', 'line 2: could not convert'),
        ('dog,1,2\nfish,1,nan\n', "'fish' has no number in column 2"),
        ('', 'needs lines of a class name'),
        ('dog\n', 'needs lines of a class name'),
    ],
)
def test_a_damaged_csv_is_one_line_with_its_number(tmp_path, text, message):
    path = tmp_path / 'v.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=f'v.csv.*{message}'):
        class_vectors.from_csv(path)
    with pytest.raises(ValueError, match='none.csv: cannot be read'):
        class_vectors.from_csv(tmp_path / 'none.csv')


def test_the_sentences_of_cub_are_joined_by_name_not_by_position(folder):
    """Vectors and features were made from one matrix, so the right join shows."""
    read, vectors = zero_shot_files.cub(folder)
    assert (len(read.train), len(read.test_seen), len(read.test_unseen)) == (90, 30, 40)
    means = np.stack([read.x[read.label == i].mean(0) for i in range(20)])
    sentences = vectors['sentences'].of(read.classes)
    in_file_order = vectors['sentences'].vectors
    assert vectors['sentences'].names != read.classes

    def fit(s):  # how much of the means a linear map of the vectors explains
        s = np.c_[s, np.ones(20)]
        return np.linalg.lstsq(s, means, rcond=None)[1].sum()

    assert fit(sentences) < 0.2 * fit(in_file_order)
    assert zero_shot_files.attribute_names(folder)[1] == 'has_part::kind_1'
    training = read.training()
    assert len(training.classes) == 15 and training.label.max() == 14
    np.testing.assert_array_equal(
        np.array(read.classes)[read.label[read.train]],
        np.array(training.classes)[training.label],
    )


def test_proposed_splits_count_from_one(folder):
    split = zero_shot_files.proposed(folder / 'xlsa17/data/AWA2/att_splits.mat')
    assert split.train.min() == 0 and split.test_unseen.max() == 59
    assert split.vectors.vectors.shape == (6, 7)
    assert (split.vectors.vectors[0, :2] == 0).all()  # -1: not rated
    read, vectors = zero_shot_files.with_features('awa2', folder)
    assert [read.classes[i] for i in read.unseen] == ['polar+bear', 'rat']
    assert vectors['attributes'].of(['Polar_Bear']).shape == (1, 7)
    with pytest.raises(data.MissingData, match='SUN/res101.mat|zsl_sun is missing'):
        zero_shot_files.with_features('sun', folder)
    (folder / 'xlsa17/data/AWA2/res101.mat').unlink()
    with pytest.raises(data.MissingData, match='AWA2/res101.mat'):
        zero_shot_files.with_features('awa2', folder)
    with pytest.raises(ValueError, match="no proposed split 'x'; choose from awa1"):
        zero_shot_files.with_features('x', folder)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c['trainval_loc'].__setitem__((0, 0), 0), 'trainval_loc has a 0'),
        (lambda c: c.pop('att'), 'has no att'),
        (
            lambda c: c.update(test_seen_loc=c['trainval_loc'][:1]),
            'row 1 is in training and in test',
        ),
        (
            lambda c: c.update(test_unseen_loc=c['test_unseen_loc'] - 1),
            "'Collie': seen and unseen at once",
        ),
        (
            lambda c: c.update(test_unseen_loc=c['test_unseen_loc'] + 1),
            'has 60 rows, and the split names row 61',
        ),
    ],
)
def test_a_damaged_split_is_one_line(folder, change, message):
    path = folder / 'xlsa17/data/AWA2/att_splits.mat'
    content = io.loadmat(path)
    change(content)
    io.savemat(path, {k: v for k, v in content.items() if not k.startswith('__')})
    with pytest.raises(ValueError, match=message) as raised:
        zero_shot_files.with_features('awa2', folder)
    assert '\n' not in str(raised.value)


def test_a_name_is_the_mean_of_its_words(folder):
    table = word_vectors.load(folder)
    rows = [table.vectors[table.row[w]] for w in ('grand', 'piano')]
    vectors = word_vectors.of_names(table, ['grand_piano', '003.Horse'])
    np.testing.assert_allclose(vectors.of(['Grand piano'])[0], np.mean(rows, 0))
    centred = word_vectors.of_names(table, ['grand_piano', 'horse'], centre=True)
    np.testing.assert_allclose(centred.vectors, vectors.vectors - 0.5, atol=1e-6)
    with pytest.warns(UserWarning, match='has no vector of winged'):
        word_vectors.of_names(table, ['winged horse', 'dog'])
    with pytest.raises(ValueError, match="knows no word of 'qqq'"):
        word_vectors.of_names(table, ['horse', 'qqq'])
    found, known = word_vectors.means(table, ['horse', 'qqq'])
    assert known.tolist() == [True, False] and not found[1].any()


def test_word_vectors_of_a_text_file(tmp_path):
    path = tmp_path / 'glove.txt'
    path.write_text('the 1 2\nhorse 3 4\n')
    table = word_vectors.read(path)
    np.testing.assert_array_equal(table.vectors, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(table.mean, [2, 3])
    for text, message in (
        ('the 1 2\nhorse 3\n', 'line 2 has 1 numbers, not 2'),
        ('the 1 2\nhorse 3 x\n', 'line 2: could not convert'),
        ('', 'needs lines of a word'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=f'glove.txt: {message}'):
            word_vectors.read(path)
    np.savez(tmp_path / 'a.npz', names=np.array(['a']))
    with pytest.raises(ValueError, match='a.npz: it holds names; it needs names'):
        word_vectors.read(tmp_path / 'a.npz')
    with pytest.raises(data.MissingData, match='word_vectors is missing'):
        word_vectors.load(tmp_path)


def test_own_features_by_names_or_by_numbers(tmp_path):
    names = np.repeat(['Dog', 'cat', 'cow', 'ox_1', 'rat'], 4)
    path = tmp_path / 'f.npz'
    np.savez(path, x=np.random.default_rng(0).normal(size=(20, 3)), y=names)
    vectors = _vectors('dog', 'cow', 'cat', 'OX-1', 'rat', 'not used')
    listed = tmp_path / 'unseen.txt'
    listed.write_text('rat\n1 ox 1\n')
    read, found = zero_shot_files.own(path, vectors, str(listed))
    assert [read.classes[i] for i in read.unseen] == ['ox_1', 'rat']
    assert len(read.test_seen) == 3 and found['own'] is vectors
    classes, number = np.unique(names, return_inverse=True)
    np.savez(path, x=read.x, y=number, names=classes)
    again, _ = zero_shot_files.own(path, vectors, 'RAT, ox_1')
    np.testing.assert_array_equal(again.label, read.label)

    def fails(message, unseen='rat,ox_1', vectors=vectors, **arrays):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=message):
            zero_shot_files.own(path, vectors, unseen)

    fails('no class is named whale', unseen='rat,whale', x=read.x, y=names)
    fails('1 unseen classes', unseen='rat', x=read.x, y=names)
    fails('no vector for', vectors=_vectors('dog', 'cow'), x=read.x, y=names)
    fails('it needs x, y', x=read.x)
    fails('must be names of classes', x=read.x, y=number)
    fails('y has 1..5, and names', x=read.x, y=number + 1, names=classes)
    fails('must be .n, d. and .n,', x=read.x, y=names[1:])
    with pytest.raises(ValueError, match='there is no such file'):
        zero_shot.class_list('nowhere/list.txt')
    with pytest.raises(ValueError, match='has no class name'):
        zero_shot.class_list(' , ')


def test_a_split_that_leaks_is_refused():
    read, _ = zero_shot.fake()

    def fails(message, **changed):
        with pytest.raises(ValueError, match=message):
            zero_shot.ZeroShotData(**{**vars(read), **changed})

    fails("'class_8', 'class_9'.*: seen and unseen", seen=np.arange(12))
    fails("train has images of 'class_8'", train=np.arange(len(read.label)))
    fails('test_unseen has images of', test_unseen=read.test_seen)
    fails('is in training and in test', test_seen=read.train[:1])
    fails('0 unseen classes', unseen=np.zeros(0, int))
    fails('without training image', train=read.train[read.label[read.train] > 0])
    fails('row 0 of the features is not finite', x=np.full_like(read.x, np.nan))


def test_validation_classes_are_drawn_inside_the_seen_ones():
    read, _ = zero_shot.fake()
    training = read.training()
    draw = zero_shot.draw_validation(training, 3, 0)
    assert len(draw.unseen) == 3 and len(draw.seen) == 5
    assert set(training.label[draw.test_unseen]) == set(draw.unseen)
    for rows in (draw.train, draw.test_seen):
        assert set(training.label[rows]) == set(draw.seen)
    assert not set(draw.train) & set(draw.test_seen)
    assert len(draw.test_seen) == 5 * 2  # a quarter of 9
    other = zero_shot.draw_validation(training, 3, 1)
    assert other.unseen.tolist() != draw.unseen.tolist()
    with pytest.raises(ValueError, match='7 validation classes of 8'):
        zero_shot.draw_validation(training, 7, 0)


def test_labels_of_unseen_rows_do_not_reach_training():
    read, _ = zero_shot.fake()
    label = read.label.copy()
    label[read.test_unseen] = np.roll(label[read.test_unseen], 5)
    other = zero_shot.ZeroShotData(**{**vars(read), 'label': label})
    for one, two in zip(read.training()[:2], other.training()[:2], strict=True):
        np.testing.assert_array_equal(one, two)
