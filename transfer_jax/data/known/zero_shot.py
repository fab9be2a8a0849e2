"""Features, class vectors and splits for zero-shot learning, on disk."""

from transfer_jax.data.known.data_set import DataSet

_GBU = (
    'Xian, Lampert, Schiele and Akata, "Zero-Shot Learning - A Comprehensive '
    'Evaluation", TPAMI 2019: xlsa17.zip with {}/{}'
)


def _proposed(name: str, title: str, publisher: str) -> DataSet:
    upper, lower = name.upper(), name.lower()
    return DataSet(
        f'zsl_{lower}',
        f'{title}: the proposed split and attributes',
        _GBU.format(upper, 'att_splits.mat'),
        (
            (f'xlsa17/data/{publisher}/att_splits.mat',),
            (f'zsl/{lower}/att_splits.mat',),
        ),
        as_published=True,
    )


def _features(name: str, publisher: str) -> DataSet:
    upper, lower = name.upper(), name.lower()
    return DataSet(
        f'zsl_{lower}_features',
        f'{upper}: ResNet-101 features of the images',
        _GBU.format(upper, 'res101.mat'),
        ((f'xlsa17/data/{publisher}/res101.mat',), (f'zsl/{lower}/res101.mat',)),
        as_published=True,
    )


# {our name: (what it is, folder of xlsa17.zip)}
PROPOSED = {
    'awa1': ('Animals with Attributes, 50 animals (Lampert et al., 2009)', 'AWA1'),
    'awa2': ('Animals with Attributes 2 (Xian et al., 2019)', 'AWA2'),
    'sun': ('SUN attributes, 717 scenes (Patterson and Hays, 2012)', 'SUN'),
    'apy': ('aPascal and aYahoo, 32 objects (Farhadi et al., 2009)', 'APY'),
    'cub': ('CUB-200-2011, 200 birds (Wah et al., 2011)', 'CUB'),
}
SETS = (
    DataSet(
        'zsl_cub_subset',
        'features of 40 images of each bird of CUB-200-2011, attributes and sentences',
        'the authors of CUB-200-2011 (attributes), Xian et al. (classes of the split), '
        'Reed et al., CVPR 2016 (sentences); features as an .npz of x (8000, 1000), y '
        'and split (0 train, 1 test of seen, 2 test of unseen classes)',
        (
            tuple(
                f'zsl/cub/{name}'
                for name in (
                    *('cub_resnet_fc1000_f16_subset.npz', 'classes.txt'),
                    *('attributes.txt', 'class_attributes.txt', 'sent_splits.mat'),
                    *('trainvalclasses.txt', 'testclasses.txt'),
                )
            ),
        ),
        as_published=True,
    ),
    DataSet(
        'word_vectors',
        'GloVe vectors of words, 50 numbers each (Pennington, Socher and Manning, '
        'EMNLP 2014)',
        'nlp.stanford.edu/projects/glove, glove.6B.zip, or an .npz of names (n,) and '
        'vectors (n, d)',
        (('zsl/glove_6b_50d_words.npz',), ('glove/glove.6B.50d.txt',)),
        as_published=True,
    ),
    *(_proposed(name, *about) for name, about in PROPOSED.items()),
    *(_features(name, publisher) for name, (_, publisher) in PROPOSED.items()),
)
