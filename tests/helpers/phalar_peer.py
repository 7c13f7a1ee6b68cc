"""PHALAR's configuration, its front end as the original computes it, and its network without torch."""

from pathlib import Path

import torch
from torch import Tensor, nn

from cocola_metric.checkpoints.graph_export import write_graph
from cocola_metric.checkpoints.loading import save
from cocola_metric.checkpoints.opening import find_encoder, open_graph
from cocola_metric.encoder import ArrayEncoder, CocolaModel, EncoderConfig
from cocola_metric.encoder.axial import ResidualPart
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


class PlainPart(nn.Module):
    """A residual part as it is written down: each layer by itself, then the sum."""

    def __init__(self, part: ResidualPart) -> None:
        super().__init__()
        self.layers = nn.Sequential(*part)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what the layers make of them."""
        return maps + self.layers(maps)

    def add_to(self, maps: Tensor) -> None:
        """Add the same to maps."""
        maps += self.layers(maps)


def layer_by_layer(model: CocolaModel) -> CocolaModel:
    """Return a model whose backbone runs layer by layer, as the original's does, with the same weights; in place."""
    for module in list(model.encoder.backbone.modules()):
        for name, part in list(module.named_children()):
            if isinstance(part, ResidualPart):
                setattr(module, name, PlainPart(part))
    return model


def write_and_read_graph(model: CocolaModel, folder: Path) -> ArrayEncoder:
    """Save a model with its graph, and open it without torch."""
    save(model, folder)
    assert write_graph(model.config, folder)
    opened = open_graph(find_encoder(folder))
    assert opened is not None
    return opened.encoder
