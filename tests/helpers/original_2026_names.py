"""The names that the authors' code of 2026 gives the parameters of its two encoders."""

import torch
from seeded_checkpoint import original_names

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
