"""The names that the authors' EfficientNet-B0 (efficientnet_pytorch) gives its parameters, and ours (timm)."""

import re

STAGE_LENGTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks per stage
FIRST_BLOCK = {  # the one block without an expansion
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
OUTSIDE_BLOCKS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}


def backbone_name(key: str) -> str:
    """Return our name of a parameter of the backbone, or "" if it has no parameter of that name.

    >>> backbone_name("_blocks.2._bn0.weight")
    'encoder.backbone.blocks.1.1.bn1.weight'
    >>> backbone_name("_fc.weight")
    ''
    """
    block = re.fullmatch(r"_blocks\.(0|[1-9][0-9]?)\.(\w+)(\.\w+)", key)
    if block and int(block[1]) < sum(STAGE_LENGTHS):
        stage, index = _stage(int(block[1]))
        layer = (FIRST_BLOCK if stage == 0 else BLOCK).get(block[2])
        return f"encoder.backbone.blocks.{stage}.{index}.{layer}{block[3]}" if layer else ""
    outside = re.fullmatch(r"(\w+)(\.\w+)", key)
    layer = OUTSIDE_BLOCKS.get(outside[1]) if outside else None
    return f"encoder.backbone.{layer}{outside[2]}" if outside and layer else ""


def _stage(block: int) -> tuple[int, int]:
    """Return the stage of a block, and its number in it."""
    stage = 0
    while block >= STAGE_LENGTHS[stage]:
        block -= STAGE_LENGTHS[stage]
        stage += 1
    return stage, block
