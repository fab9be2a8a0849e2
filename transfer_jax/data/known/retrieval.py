"""Photographs to be retrieved, on disk."""

from transfer_jax.data.known.data_set import DataSet

SETS = (
    DataSet(
        'oxford5k',
        'Oxford Buildings, 5,063 photographs and 55 queries with boxes (Philbin et '
        'al., CVPR 2007)',
        'robots.ox.ac.uk/~vgg/data/oxbuildings: oxbuild_images.tgz (images), '
        'gt_files_170407.tgz (groundtruth)',
        (('oxford5k/images/*.jpg', 'oxford5k/groundtruth/*_query.txt'),),
        as_published=True,
    ),
    DataSet(
        'paris6k',
        'Paris Buildings, 6,412 photographs, 20 of them damaged, and 55 queries with '
        'boxes (Philbin et al., CVPR 2008)',
        'robots.ox.ac.uk/~vgg/data/parisbuildings: paris_1.tgz, paris_2.tgz (images, '
        'at any depth), paris_120310.tgz (groundtruth)',
        (('paris6k/images/**/*.jpg', 'paris6k/groundtruth/*_query.txt'),),
        as_published=True,
    ),
    DataSet(
        'holidays',
        'INRIA Holidays, 1,491 photographs in 500 groups (Jegou, Douze and Schmid, '
        'ECCV 2008)',
        'lear.inrialpes.fr/~jegou/data.php: jpg1.tar.gz and jpg2.tar.gz',
        (('holidays/jpg/*.jpg',),),
        as_published=True,
    ),
    DataSet(
        'ukbench',
        'UKBench, 10,200 photographs, four of each object (Nister and Stewenius, CVPR '
        '2006)',
        'vis.uky.edu/~stewe/ukbench: ukbench.zip',
        (('ukbench/full/ukbench*.jpg',),),
        as_published=True,
    ),
)
