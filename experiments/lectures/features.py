"""Lecture 1: features of pretrained networks, probes, fine-tuning, retrieval."""

from experiments.lectures.item import Cost, Here, Item

LECTURE = '1'
PROBING = 'experiments.transfer.probing'
SVM = 'experiments.transfer.augmented_svm'
RETRIEVAL = 'experiments.transfer.retrieval'
ZEILER = 'Zeiler and Fergus 2014, table 7'
RAZAVIAN = 'Razavian et al. 2014, with OverFeat and augmentation'
RADENOVIC = 'Radenovic et al. 2019, trained for retrieval'
VIEWS = 16  # of an image, for CNNaug-SVM
WHOLE = ' --config.counts 0'  # the published training part
SUBSET = '20 classes of Caltech-101'
AUGMENTED = Here(
    'transfer/augmented_svm_caltech101.json',
    {'method': 'cnnaug_svm', 'n': 30},
    'class_accuracy',
    f'{SUBSET}, CNNaug-SVM with SqueezeNet',
)
RETRIEVED = Here(
    'transfer/retrieval_office.json',
    {'network': 'squeezenet', 'pool': 'average', 'method': 'cosine'},
    'mAP',
    'images of a class in another domain of Office-Caltech10, SqueezeNet, mAP',
)

ITEMS = (
    Item(
        LECTURE,
        'Hand-made descriptors and a linear SVM, Caltech-101',
        'experiments.transfer.descriptors',
        '--config.domain caltech101',
        data=('caltech101',),
        published='64.6 by a spatial pyramid with 30 images a class (Lazebnik et al. '
        '2006); 77.8 by Fisher vectors (Chatfield et al. 2011)',
        here=Here(
            'transfer/descriptors.json',
            {'descriptor': 'fisher', 'n': 30},
            'accuracy',
            f'{SUBSET}, Fisher vectors',
        ),
    ),
    Item(
        LECTURE,
        'SVM and softmax on each layer, Caltech-101 with 30 images a class',
        PROBING,
        '--config.network alexnet --config.domain caltech101 --config.counts 30 '
        '--config.weights pretrained',
        data=('caltech101',),
        weights=('alexnet',),
        published=f'SVM 44.8, 66.2, 72.3, 76.6, 86.2 on layers 1 to 5 and 85.5 on 7; '
        f'softmax 82.9 on 5, 85.4 on 7 ({ZEILER})',
        cost=(Cost(8_677, 'alexnet'),),
        here=Here(
            'transfer/probing_caltech101.json',
            {'weights': 'pretrained', 'layer': 'fire9', 'probe': 'svm', 'n': 30},
            'class_accuracy',
            f'{SUBSET}, SVM on the last layer of SqueezeNet',
        ),
    ),
    Item(
        LECTURE,
        'SVM and softmax on each layer, Caltech-256 with 60 images a class',
        PROBING,
        '--config.network alexnet --config.domain caltech256 --config.counts 60 '
        '--config.weights pretrained',
        data=('caltech256',),
        weights=('alexnet',),
        published=f'SVM 24.6, 39.6, 46.0, 51.3, 65.6 on layers 1 to 5 and 71.7 on 7; '
        f'softmax 65.7 on 5, 72.6 on 7 ({ZEILER})',
        cost=(Cost(29_780, 'alexnet'),),
    ),
    *(
        Item(
            LECTURE,
            f'CNN-SVM and CNNaug-SVM, {title}',
            SVM,
            f'--config.data {name} --config.backbone alexnet{counts}',
            data=(name,),
            weights=('alexnet',),
            published=f'{number} ({RAZAVIAN})',
            cost=(Cost(images, 'alexnet', VIEWS),),
            here=AUGMENTED,
        )
        for title, name, images, number, counts in (
            ('VOC 2007', 'voc2007', 9_963, 'mAP 77.2', ''),
            ('Oxford flowers 102', 'flowers102', 8_189, '86.8', WHOLE),
            ('MIT67 indoor scenes', 'mit67', 6_700, '69.0', WHOLE),
            ('CUB-200 birds', 'cub200', 11_788, '61.8', WHOLE),
        )
    ),
    *(
        Item(
            LECTURE,
            f'Retrieval, {title}',
            RETRIEVAL,
            f'--config.task {name} --config.networks resnet101 --config.size '
            f'{size}{whitening}',
            data=(name, *others),
            weights=('resnet101',),
            published=number,
            cost=(Cost(images, 'resnet101', size=size),),
            here=RETRIEVED,
        )
        for title, name, images, size, others, whitening, number in (
            (
                'Oxford5k',
                'oxford5k',
                5_063,
                1024,
                ('paris6k',),
                ' --config.whitening-data paris6k',
                f'mAP 68.0 ({RAZAVIAN}); 88.2 by GeM ({RADENOVIC})',
            ),
            (
                'Paris6k',
                'paris6k',
                6_412,
                1024,
                ('oxford5k',),
                ' --config.whitening-data oxford5k',
                f'mAP 79.5 ({RAZAVIAN}); 92.5 by GeM ({RADENOVIC})',
            ),
            ('Holidays', 'holidays', 1_491, 1024, (), '', f'mAP 84.3 ({RAZAVIAN})'),
            (
                'UKBench',
                'ukbench',
                10_200,
                640,
                (),
                '',
                f'91.1 % of the four answers ({RAZAVIAN})',
            ),
        )
    ),
    Item(
        LECTURE,
        'How transferable are features: halves of ImageNet',
        'experiments.transfer.layer_transfer',
        '--config.domain imagenet --config.network alexnet --config.steps 450000 '
        '--config.batch 256 --config.rate 0.01 --config.schedule thirds '
        '--config.seeds 1',
        data=('imagenet',),
        published='base B 62.5 top-1; AnB+ above it by 1.6 points on average over n = '
        '1 to 7 (Yosinski et al. 2014)',
        cost=(Cost(450_000 * 256, 'alexnet', 30, trained=True),),
        here=Here(
            'transfer/layer_transfer_mnist_m.json',
            {'method': 'AnB+', 'n': 3},
            'accuracy',
            'halves of the digits of MNIST-M, AnB+ with three layers copied',
        ),
    ),
    Item(
        LECTURE,
        'The last layers copied, as for another language in speech recognition',
        'experiments.transfer.layer_transfer',
        '--config.copy last:2',
        data=('mnist', 'bsds500'),
    ),
    Item(
        LECTURE,
        'Fine-tuning of a pretrained network against training from scratch',
        'experiments.transfer.fine_tuning',
        '--config.data caltech101 --config.backbone resnet50 --config.size 224',
        data=('caltech101',),
        weights=('resnet50',),
        published='86.5 pretrained, 46.5 from scratch with 30 images a class (Zeiler '
        'and Fergus 2014)',
        cost=(Cost(200 * 32, 'resnet50', 4 * 3 * 4, trained=True),),
        here=Here(
            'transfer/fine_tuning_caltech101.json',
            {'method': 'full', 'n': 30},
            'accuracy',
            f'{SUBSET} at 96 pixels, SqueezeNet fine-tuned',
        ),
    ),
    Item(
        LECTURE,
        'Several tasks at once with one network',
        'experiments.transfer.multi_task',
        here=Here(
            'transfer/multi_task_pacs.json',
            {'method': 'object_alone'},
            'object_accuracy',
            'PACS, the object alone',
        ),
    ),
    Item(
        LECTURE,
        'Few examples of a class',
        'experiments.transfer.few_shot',
        here=Here(
            'transfer/few_shot_amazon.json',
            {'method': 'nearest mean', 'n': 1},
            'class_accuracy',
            'Amazon of Office-Caltech10, one image a class, nearest mean',
        ),
    ),
    Item(
        LECTURE,
        'What single units respond to',
        'experiments.transfer.units',
    ),
    Item(
        LECTURE,
        'Accuracy of a file of weights on ImageNet',
        'experiments.transfer.imagenet',
        '--config.backbone resnet50',
        data=('imagenet',),
        weights=('resnet50',),
        published='76.1 top-1, 92.9 top-5 (torchvision, its first weights)',
        cost=(Cost(50_000, 'resnet50'),),
    ),
)
