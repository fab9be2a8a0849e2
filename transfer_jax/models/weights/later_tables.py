"""Layer names of EfficientNet, ConvNeXt and vision transformers in published files."""

from transfer_jax.models import convnext, efficientnet
from transfer_jax.models.weights.mappings import PYTORCH, Mapping, pair

BLOCKS = 12  # of ViT-S and ViT-B
# Arrays beside the encoder in files of masked autoencoders.
OF_MAE = ('decoder_', 'mask_token')


def all_mappings() -> tuple[Mapping, ...]:
    """The mappings of this module."""
    return (
        _efficientnet(),
        _efficientnet_timm(),
        _convnext(),
        _convnext_timm(),
        _vit('vit', 'norm'),
        _vit('vit_mean', 'fc_norm'),
        _vit_clip(),
    )


def _efficientnet() -> Mapping:
    """torchvision's efficientnet_b0."""
    layers = {
        'classifier.1': 'logits',
        **pair('features.0.0', 'features.0.1', 'conv1'),
        **pair('features.8.0', 'features.8.1', 'conv2'),
    }
    for stage, i, ours, expansion in _blocks():
        theirs = f'features.{stage}.{i}.block'
        parts = ('expand', 'depthwise') if expansion > 1 else ('depthwise',)
        for j, part in enumerate(parts):
            layers |= pair(f'{theirs}.{j}.0', f'{theirs}.{j}.1', f'{ours}/{part}')
        j = len(parts)
        layers[f'{theirs}.{j}.fc1'] = f'{ours}/squeeze'
        layers[f'{theirs}.{j}.fc2'] = f'{ours}/excite'
        j += 1
        layers |= pair(f'{theirs}.{j}.0', f'{theirs}.{j}.1', f'{ours}/project')
    return Mapping('efficientnet_b0', PYTORCH, layers)


def _efficientnet_timm() -> Mapping:
    """timm's efficientnet_b0 and tf_efficientnet_b0."""
    layers = {
        'classifier': 'logits',
        **pair('conv_stem', 'bn1', 'conv1'),
        **pair('conv_head', 'bn2', 'conv2'),
    }
    for stage, i, ours, expansion in _blocks():
        theirs = f'blocks.{stage - 1}.{i}'
        parts = ('conv_dw', 'depthwise'), ('conv_pw', 'project')
        if expansion > 1:
            parts = ('conv_pw', 'expand'), ('conv_dw', 'depthwise')
            parts = (*parts, ('conv_pwl', 'project'))
        for j, (conv, part) in enumerate(parts, 1):
            layers |= pair(f'{theirs}.{conv}', f'{theirs}.bn{j}', f'{ours}/{part}')
        layers[f'{theirs}.se.conv_reduce'] = f'{ours}/squeeze'
        layers[f'{theirs}.se.conv_expand'] = f'{ours}/excite'
    return Mapping('efficientnet_b0_timm', PYTORCH, layers)


def _blocks():
    """(stage, number within it, our name, expansion) of EfficientNet's blocks."""
    number = 0
    for stage, (expansion, _, _, blocks, _) in enumerate(efficientnet.STAGES, 1):
        for i in range(blocks):
            number += 1
            yield stage, i, f'block{number}', expansion


def _convnext() -> Mapping:
    """torchvision's convnext_tiny."""
    layers = {
        **pair('features.0.0', 'features.0.1', 'stem'),
        'classifier.0': 'norm',
        'classifier.2': 'logits',
    }
    arrays = {}
    for stage, (blocks, _) in enumerate(convnext.STAGES, 1):
        if stage > 1:
            theirs = f'features.{2 * stage - 2}'
            layers |= pair(f'{theirs}.1', f'{theirs}.0', f'down{stage}')
        for i in range(blocks):
            theirs = f'features.{2 * stage - 1}.{i}'
            ours = f'block{stage}_{i + 1}'
            names = (f'{theirs}.block.{j}' for j in (0, 2, 3, 5))
            layers |= _convnext_block(ours, *names)
            arrays[f'{theirs}.layer_scale'] = f'{ours}/scale'
    return Mapping('convnext_tiny', PYTORCH, layers, arrays=arrays)


def _convnext_timm() -> Mapping:
    """timm's convnext_tiny."""
    layers = {
        **pair('stem.0', 'stem.1', 'stem'),
        'head.norm': 'norm',
        'head.fc': 'logits',
    }
    arrays = {}
    for stage, (blocks, _) in enumerate(convnext.STAGES, 1):
        theirs = f'stages.{stage - 1}'
        if stage > 1:
            layers |= pair(
                f'{theirs}.downsample.1', f'{theirs}.downsample.0', f'down{stage}'
            )
        for i in range(blocks):
            ours, block = f'block{stage}_{i + 1}', f'{theirs}.blocks.{i}'
            parts = ('conv_dw', 'norm', 'mlp.fc1', 'mlp.fc2')
            layers |= _convnext_block(ours, *(f'{block}.{part}' for part in parts))
            arrays[f'{block}.gamma'] = f'{ours}/scale'
    return Mapping('convnext_tiny_timm', PYTORCH, layers, arrays=arrays)


def _convnext_block(ours, depthwise, norm, first, second) -> dict[str, str]:
    return {
        depthwise: f'{ours}/depthwise',
        norm: f'{ours}/norm',
        first: f'{ours}/expand',
        second: f'{ours}/project',
    }


def _vit(name: str, last_norm: str) -> Mapping:
    """timm's vit_small_patch16_224 and vit_base_patch16_224.

    The same names are in the files of DeiT, DINO (without a head), MoCo v3 (below
    module.base_encoder) and MAE, whose decoder is left out. 'norm_pre' and the scales
    'ls1' and 'ls2' are read where the network has their attributes.

    Args:
      last_norm: 'fc_norm' where the patch tokens are averaged before it.
    """
    layers = {
        'patch_embed.proj': 'patches/conv',
        last_norm: 'norm',
        'head': 'logits',
    }
    arrays = {
        'cls_token': 'patches/class_token',
        'pos_embed': 'patches/positions',
        'norm_pre.weight': 'patches/norm/scale',
        'norm_pre.bias': 'patches/norm/shift',
    }
    for i in range(BLOCKS):
        theirs, ours = f'blocks.{i}', f'block{i + 1}'
        parts = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
        layers |= _vit_block(ours, *(f'{theirs}.{part}' for part in parts))
        arrays[f'{theirs}.ls1.gamma'] = f'{ours}/attention_scale'
        arrays[f'{theirs}.ls2.gamma'] = f'{ours}/mlp_scale'
    return Mapping(name, PYTORCH, layers, ignored=OF_MAE, arrays=arrays)


def _vit_clip() -> Mapping:
    """The image tower of CLIP's ViT-B/16, below 'visual.'; also OpenCLIP's."""
    layers = {
        'conv1': 'patches/conv',
        'ln_pre': 'patches/norm',
        'ln_post': 'norm',
    }
    arrays = {
        'class_embedding': 'patches/class_token',
        'positional_embedding': 'patches/positions',
        'proj': 'projection/kernel',
    }
    for i in range(BLOCKS):
        theirs, ours = f'transformer.resblocks.{i}', f'block{i + 1}'
        parts = ('ln_1', 'attn', 'attn.out_proj', 'ln_2', 'mlp.c_fc', 'mlp.c_proj')
        layers |= _vit_block(ours, *(f'{theirs}.{part}' for part in parts))
    head = ('projection',)
    return Mapping('vit_clip', PYTORCH, layers, head=head, arrays=arrays)


def _vit_block(ours: str, *theirs: str) -> dict[str, str]:
    parts = ('attention_norm', 'qkv', 'attention', 'mlp_norm', 'mlp_1', 'mlp_2')
    return {a: f'{ours}/{b}' for a, b in zip(theirs, parts, strict=True)}
