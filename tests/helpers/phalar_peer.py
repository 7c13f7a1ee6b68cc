"""PHALAR's configuration, its front end as the original computes it, and its network without torch."""

from pathlib import Path

import torch

from cocola_metric.checkpoints.graph_export import write_graph
from cocola_metric.checkpoints.loading import save
from cocola_metric.checkpoints.opening import find_encoder, open_graph
from cocola_metric.encoder import ArrayEncoder, CocolaModel, EncoderConfig
from cocola_metric.encoder.constant_q import HOP_LENGTH, MARGIN, constant_q_kernels

PHALAR = EncoderConfig(
    front_end="cqt",
    backbone="axial",
    pooling="spectral",
    head="complex_mlp",
    similarity="hermitian",
    dropout=0.0,
    drop_connect=0.1,
)


def dense_kernels() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the real and the imaginary kernels, and what rows are multiplied by."""
    bank, lengths = (torch.from_numpy(values) for values in constant_q_kernels())
    return bank.real[:, None].contiguous(), bank.imag[:, None].contiguous(), lengths.sqrt()[:, None]


def convolved_constant_q(clips: torch.Tensor, dense: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the magnitudes as the original computes them, by a dense convolution: (B, L) -> (B, R, F)."""
    real, imaginary, scale = dense
    padded = torch.nn.functional.pad(clips[:, None], (MARGIN, MARGIN), mode="reflect")
    parts = [torch.nn.functional.conv1d(padded, kernels, stride=HOP_LENGTH) for kernels in (real, imaginary)]
    return torch.stack(parts).square().sum(0).sqrt() * scale


def write_and_read_graph(model: CocolaModel, folder: Path) -> ArrayEncoder:
    """Save a model with its graph, and open it without torch."""
    save(model, folder)
    assert write_graph(model.config, folder)
    opened = open_graph(find_encoder(folder))
    assert opened is not None
    return opened.encoder
