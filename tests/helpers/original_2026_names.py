"""The names that the authors' code of 2026 gives the parameters of its two encoders, and seeded weights of them."""

import re
from typing import Any

import torch
from seeded_checkpoint import original_names, seeded

from cocola_metric.checkpoints import original_2026
from cocola_metric.encoder.constant_q import constant_q_kernels
from cocola_metric.encoder.model import CocolaModel

PHALAR_NAMES = [
    ("encoder.backbone.entry", "encoder.backbone.input_proj"),
    (".frequency.", ".freq_conv."),
    (".time.", ".time_conv."),
    (".across.", ".pointwise_op."),
    ("encoder.backbone.blocks.", "encoder.backbone.layers."),
    ("encoder.pooling.reading.", "encoder.pooling.0.project_in.1."),
    ("encoder.projection.0.", "encoder.mlp.0.W."),
    ("encoder.projection.1.", "encoder.mlp.1."),
    ("encoder.projection.2.threshold", "encoder.mlp.2.b"),
    ("encoder.projection.3.", "encoder.mlp.3.W."),
    ("similarity.weight", "similarity.W.W.weight"),
]
COCOLA_NAMES = [
    ("encoder.projection.", "encoder.mlp."),
    ("encoder.layer_norm.", "similarity.layer_norm."),
    ("similarity.weight", "similarity.w"),
]

SETTINGS_2026: dict[str, dict[str, Any]] = {  # hyper-parameters of the authors' files
    "phalar": {"backbone_type": "freqtimeseparable", "pool_type": "spec_pool", "spec_pool_norm": "global"},
    "cocola_2026": {"backbone_type": "efficientnet", "pool_type": "avg", "do_cqt": False},
}
_GAINS = r"encoder\.backbone\.layers\..*\.[04]\.weight|encoder\.mlp\.1\.weight|.*_bn\d*\.weight|.*layer_norm\.weight"
_LOUD = "similarity.W.W.weight"  # between unit vectors: scores are to differ by one


def original_state_2026(kind: str, model: CocolaModel) -> dict[str, torch.Tensor]:
    """A model's tensors as the authors' code of 2026 names them."""
    backbones = original_names()
    state = {}
    for name, tensor in model.state_dict().items():
        if kind == "cocola_2026" and name.startswith("encoder.backbone."):
            name = backbones[name].replace("encoder.encoder.model.0.", "encoder.backbone.model.")
        for ours, theirs in PHALAR_NAMES if kind == "phalar" else COCOLA_NAMES:
            name = name.replace(ours, theirs)
        state[name] = tensor
    if kind == "phalar":
        bank, lengths = (torch.from_numpy(values) for values in constant_q_kernels())
        parts = {"lenghts": lengths, "cqt_kernels_real": bank.real[:, None], "cqt_kernels_imag": bank.imag[:, None]}
        state |= {f"encoder.cqt_extractor.0.{name}": part.clone() for name, part in parts.items()}
    return state


def seeded_state_2026(kind: str) -> dict[str, torch.Tensor]:
    """Tensors of an encoder of 2026 by the authors' names, each drawn from a seed that is its name's checksum."""
    config = original_2026._phalar_config() if kind == "phalar" else original_2026._cocola_config()
    state = original_state_2026(kind, CocolaModel(config))
    drawn = {
        name: tensor if "cqt_extractor" in name else seeded(name, tensor, is_gain=bool(re.fullmatch(_GAINS, name)))
        for name, tensor in state.items()
    }
    if kind == "phalar":
        drawn[_LOUD] *= (drawn[_LOUD].shape[1] / 2) ** 0.5
    return drawn
