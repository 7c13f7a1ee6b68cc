"""The authors' files of 2026, PHALAR and their later COCOLA: they are recognised, checked and renamed."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..encoder import EncoderConfig, constant_q_kernels
from .efficientnet_names import backbone_name

PHALAR_KEY = "similarity.W.W.weight"
COCOLA_KEY = "similarity.layer_norm.weight"
_KERNELS_PREFIX = "encoder.cqt_extractor.0."
_KERNELS_TOLERANCE = 1e-6  # between versions of NumPy; the kernels reach 0.03
_PARTS = {"freq_conv": "frequency", "time_conv": "time", "pointwise_op": "across"}
_PHALAR = {
    r"encoder\.backbone\.input_proj\.weight": "encoder.backbone.entry.weight",
    **{
        rf"encoder\.backbone\.layers\.(\d)\.{theirs}\.([0134])\.(weight|bias)": (
            rf"encoder.backbone.blocks.\1.{ours}.\2.\3"
        )
        for theirs, ours in _PARTS.items()
    },
    r"encoder\.backbone\.layers\.(\d)\.compression\.weight": r"encoder.backbone.blocks.\1.compression.weight",
    r"encoder\.pooling\.0\.project_in\.1\.weight": "encoder.pooling.reading.weight",
    r"encoder\.mlp\.([03])\.W\.weight": r"encoder.projection.\1.weight",
    r"encoder\.mlp\.1\.weight": "encoder.projection.1.weight",
    r"encoder\.mlp\.2\.b": "encoder.projection.2.threshold",
    r"similarity\.W\.W\.weight": "similarity.weight",
}
_COCOLA = {
    r"encoder\.mlp\.([013])\.(\w+)": r"encoder.projection.\1.\2",
    r"similarity\.layer_norm\.(weight|bias)": r"encoder.layer_norm.\1",
    r"similarity\.w": "similarity.weight",
}
_COCOLA_BACKBONE = "encoder.backbone.model."
_SETTINGS: dict[str, dict[str, object]] = {  # the authors' hyper-parameters that the tensors do not show
    "cqt": {
        "backbone_type": "freqtimeseparable",
        "pool_type": "spec_pool",
        "spec_pool_complex_output": True,
        "spec_pool_norm": "global",
        "spec_pool_center_padding": True,
        "spec_pool_components": 8,
        "do_cqt": True,
        "complex_use_silu": False,
    },
    "hps_reflect": {"backbone_type": "efficientnet", "pool_type": "avg", "do_cqt": False, "final_mlp_norm": "bn"},
}


def is_of_2026(state: Mapping[str, Tensor]) -> bool:
    """Tell by its keys whether a state is one of these two models."""
    return PHALAR_KEY in state or COCOLA_KEY in state


def read_2026(
    state: Mapping[str, Tensor], hyper_parameters: Mapping[str, Any]
) -> tuple[EncoderConfig, dict[str, Tensor], list[str]]:
    """Return the configuration, the renamed weights, and a list of problems, which is usually empty.

    PHALAR is read as its authors use it, with a Hermitian similarity; "complex_bilinear" in the configuration is also
    possible.

    Args:
        state: tensors of the file by name.
        hyper_parameters: hyper-parameters of the file; empty for a bare ``state_dict``.
    """
    config = _phalar_config() if PHALAR_KEY in state else _cocola_config()
    kernels = {key: value for key, value in state.items() if key.startswith(_KERNELS_PREFIX)}
    weights = {key: value for key, value in state.items() if key not in kernels}
    names = {key: _rename(key, config.front_end) for key in weights}
    problems = [f"unexpected {key}" for key, name in names.items() if not name]
    problems += _other_kernels(kernels)
    problems += _other_settings(hyper_parameters, _SETTINGS[config.front_end])
    return config, {names[key]: value for key, value in weights.items() if names[key]}, problems


def _phalar_config() -> EncoderConfig:
    return EncoderConfig(
        front_end="cqt",
        backbone="axial",
        pooling="spectral",
        head="complex_mlp",
        similarity="hermitian",
        dropout=0.0,
        drop_connect=0.1,
    )


def _cocola_config() -> EncoderConfig:
    return EncoderConfig(front_end="hps_reflect", head="mlp")


def _rename(key: str, front_end: str) -> str:
    """Return our name of a parameter, or "" if these models have no parameter of that name."""
    if front_end == "hps_reflect" and key.startswith(_COCOLA_BACKBONE):
        return backbone_name(key.removeprefix(_COCOLA_BACKBONE))
    for pattern, ours in (_PHALAR if front_end == "cqt" else _COCOLA).items():
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(ours)
    return ""


def _other_kernels(theirs: Mapping[str, Tensor]) -> list[str]:
    """List the constant-Q kernels of a file that differ from those of our front end."""
    if not theirs:
        return []
    bank, lengths = (torch.from_numpy(values) for values in constant_q_kernels())
    ours = {"lenghts": lengths, "cqt_kernels_real": bank.real[:, None], "cqt_kernels_imag": bank.imag[:, None]}
    problems = []
    for key, kernel in theirs.items():
        expected = ours.get(key.removeprefix(_KERNELS_PREFIX))
        if expected is None:
            problems.append(f"unexpected {key}")
        elif kernel.shape != expected.shape or not torch.allclose(
            kernel.float(), expected, rtol=0, atol=_KERNELS_TOLERANCE
        ):
            problems.append(f"{key} belongs to another front end")
    return problems


def _other_settings(theirs: Mapping[str, Any], expected: Mapping[str, object]) -> list[str]:
    """List the hyper-parameters of a file that belong to another network than the released one."""
    return [
        f"hyper-parameter {name} is {theirs[name]!r}, not {value!r}"
        for name, value in expected.items()
        if name in theirs and theirs[name] != value
    ]
