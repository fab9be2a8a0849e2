"""Digits and traffic signs on disk."""

from transfer_jax.data.known.data_set import DataSet

SETS = (
    DataSet(
        'mnist',
        'the MNIST handwritten digits (LeCun et al., Proc. IEEE 1998)',
        'TFDS mnist, or the four idx files of yann.lecun.com/exdb/mnist',
        (
            tuple(
                f'mnist/{name}-ubyte.gz'
                for name in (
                    'train-images-idx3',
                    'train-labels-idx1',
                    't10k-images-idx3',
                    't10k-labels-idx1',
                )
            ),
            ('mnist/3.*/dataset_info.json',),
        ),
    ),
    DataSet(
        'svhn',
        'the Street View House Numbers, cropped digits (Netzer et al., 2011)',
        'TFDS svhn_cropped, from ufldl.stanford.edu/housenumbers',
        (('svhn_cropped/*/dataset_info.json',),),
    ),
    DataSet(
        'usps',
        'the USPS zip code digits (LeCun et al., 1990)',
        'zip.train.gz and zip.test.gz of "The Elements of Statistical Learning" '
        '(Hastie, Tibshirani, Friedman)',
        (('usps/usps_16x16.npz',),),
        'zip.train.gz and zip.test.gz',
    ),
    DataSet(
        'bsds500',
        'the BSDS500 photographs, backgrounds of MNIST-M (Arbelaez et al., 2011)',
        'BSR_bsds500.tgz of the Berkeley segmentation data set (training images)',
        (('bsds500/train/*.jpg',), ('bsds500/*.jpg',)),
        'train/*.jpg',
    ),
    DataSet(
        'mnist_m_original',
        'MNIST-M, the files of its authors (Ganin and Lempitsky, ICML 2015)',
        'yaroslav.ganin.net, mnist_m.tar.gz, unpacked',
        (
            tuple(
                f'mnist_m/mnist_m_{name}'
                for name in ('train_labels.txt', 'test_labels.txt', 'train', 'test')
            ),
        ),
        as_published=True,
    ),
    DataSet(
        'syn_numbers',
        'SYN NUMBERS, the files of its authors (Ganin and Lempitsky, ICML 2015)',
        'yaroslav.ganin.net, SynthDigits.zip, unpacked',
        tuple(
            tuple(f'{root}/synth_{part}_32x32.mat' for part in ('train', 'test'))
            for root in ('syn_numbers', 'SynthDigits')
        ),
        as_published=True,
    ),
    DataSet(
        'gtsrb',
        'the German Traffic Sign Recognition Benchmark (Stallkamp et al., 2012)',
        'GTSRB_Final_Training_Images.zip of benchmark.ini.rub.de',
        (('gtsrb/gtsrb_40x40.npz',), ('gtsrb/gtsrb_32x32_subset.npz',)),
        '000NN/TTTTT_FFFFF.ppm',
    ),
    DataSet(
        'syn_signs',
        'Synthetic Signs (Moiseev et al., ACIVS 2013), images of GTSRB classes',
        'graphics.cs.msu.ru, "Synthetic traffic signs data set"',
        (('synsigns/synsigns_40x40.npz',), ('synsigns/synsigns_40x40_subset.npz',)),
        'train_labelling.txt and the images it lists',
    ),
    DataSet(
        'syn_digits',
        'synthetic digits after the description of Ganin and Lempitsky (2015)',
        'generated here',
        (('syn_digits/syn_digits_32x32_v*.npz',),),
    ),
)
