"""Lecture 3: shallow and deep methods of unsupervised adaptation."""

from experiments.lectures.item import Cost, Here, Item

LECTURE = '3'
DIGITS = 'experiments.adaptation.digits'
PHOTOS = 'experiments.adaptation.photos'
OFFICE31 = ('office31_amazon', 'office31_dslr', 'office31_webcam')
GANIN = 'Ganin et al. 2016: DANN; source only, train on target'
TLLIB = 'github.com/thuml/Transfer-Learning-Library'


def _digits(file: str, title: str) -> Here:
    return Here(f'digits/{file}-adda.json', {}, 'target_test', f'{title}, last step')


def _photos(method: str, title: str) -> Here:
    data = f'amazon -> webcam of Office-Caltech10, SqueezeNet, {title}, last step'
    return Here(f'photos/amazon-webcam-{method}.json', {}, 'target_test', data)


GANIN_PAIRS = (
    (
        'MNIST -> MNIST-M',
        *('mnist', 'mnist_m_original', 'mnist'),
        ('mnist', 'mnist_m_original'),
        '76.66; 52.25, 95.96',
        Here(
            'mnist_to_mnist_m/dann.json',
            {},
            'target_test',
            'MNIST-M made of MNIST and BSDS500, last step; one of four seeds diverged',
        ),
    ),
    (
        'SYN NUMBERS -> SVHN',
        *('syn_numbers', 'svhn', 'svhn'),
        ('syn_numbers', 'svhn'),
        '91.09; 86.74, 92.20',
        None,
    ),
    (
        'SVHN -> MNIST',
        *('svhn', 'mnist', 'svhn'),
        ('svhn', 'mnist'),
        '73.85; 54.90, 99.42',
        None,
    ),
    (
        'SYN SIGNS -> GTSRB',
        *('syn_signs', 'gtsrb', 'signs'),
        ('syn_signs', 'gtsrb'),
        '88.65; 79.00, 99.80',
        None,
    ),
)
ITEMS = (
    Item(
        LECTURE,
        'Shallow methods on fixed features, Office-Caltech10',
        'experiments.shallow.office_caltech',
        here=Here(
            'shallow/office_caltech_full.json',
            {'method': 'coral'},
            'accuracy',
            'SURF features, all 12 pairs, CORAL and an SVM',
        ),
        published='48.8 by CORAL and an SVM (docs/shallow.md has the others)',
    ),
    Item(
        LECTURE,
        'Shallow methods on digits',
        'experiments.shallow.digits',
        here=Here(
            'shallow/digits_full.json',
            {'method': 'jda'},
            'accuracy',
            'USPS and MNIST, both directions, JDA',
        ),
    ),
    *(
        Item(
            LECTURE,
            f'DANN, {title}',
            'experiments.adaptation.dann',
            f'--config.source {source} --config.target {target} --config.network '
            f'{network}',
            data=needs,
            published=f'{published} ({GANIN})',
            here=here,
        )
        for title, source, target, network, needs, published, here in GANIN_PAIRS
    ),
    Item(
        LECTURE,
        'Subspace alignment on the same pairs',
        'experiments.adaptation.aligned_digits',
        '--config.source mnist --config.target mnist_m_original',
        data=('mnist', 'mnist_m_original'),
        published='56.90; the others 86.44, 59.32, 81.65 (Ganin et al. 2016)',
    ),
    Item(
        LECTURE,
        'ADDA, and every other deep method, on MNIST and USPS',
        DIGITS,
        here=_digits('adda-usps_to_mnist', 'USPS -> MNIST, ADDA'),
        published='90.1 (Tzeng et al. 2017)',
    ),
    *(
        Item(
            LECTURE,
            f'{title} on Office-31 with ResNet-50',
            'experiments.adaptation.office31',
            f'--config.method {method} --config.pair amazon_to_webcam',
            data=OFFICE31,
            weights=('resnet50',),
            published=f'amazon -> webcam {one}, mean of six pairs {mean}, at the best '
            f'step by target labels ({TLLIB})',
            cost=(Cost(3 * 10_000 * 64, 'resnet50', trained=True),),
            here=here,
        )
        for title, method, one, mean, here in (
            ('Source only', 'source_only', 75.8, 79.5, None),
            ('DANN', 'dann', 91.4, 86.1, _photos('dann', 'DANN')),
            ('DAN', 'dan', 84.2, 83.7, _photos('dan', 'DAN')),
            ('JAN', 'jan', 93.7, 87.0, None),
            ('CDAN', 'cdan', 93.8, 87.7, None),
        )
    ),
    Item(
        LECTURE,
        'Every deep method on the six pairs of Office-31',
        'experiments.sweep',
        'experiments.adaptation.office31',
        data=OFFICE31,
        weights=('resnet50',),
        published=f'mean of six pairs ADDA 87.3, MCD 85.4, MCC 89.6 ({TLLIB})',
        here=_photos('mcc', 'MCC'),
    ),
    Item(
        LECTURE,
        'Adaptation of deep features by shallow methods',
        'experiments.adaptation.deep_features',
    ),
    Item(
        LECTURE,
        'From photographs of your own',
        'experiments.adapt',
        '--source PHOTOS_WITH_CLASSES --target PHOTOS_WITHOUT',
    ),
)
