"""The COCOLA encoder f_theta and its similarity: from waveforms to embeddings and scores (sections 3.1, 3.2, 4.2)."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..audio import SAMPLE_RATE
from ..errors import CheckpointError, UsageError
from .backbones import BACKBONES, IMAGES
from .complex_similarity import ComplexBilinearSimilarity, HermitianSimilarity, SemidefiniteSimilarity
from .front_end_modules import FrontEndModule
from .front_ends import FRONT_ENDS, select_mode
from .heads import MagnitudeMlp, complex_mlp, mlp
from .modes import MODES, Mode
from .phasor_sizes import PHASOR_GROUPS, real_width
from .phasors import PhasorSimilarity
from .poolings import AveragePooling, SpectralPooling
from .similarity import BilinearSimilarity, CosineSimilarity, PlainCosineSimilarity, Similarity


@dataclass(frozen=True)
class EncoderConfig:
    """The settings that define an encoder. Defaults are those of the paper, with the later two-channel front end.

    Attributes:
        front_end: key of ``FRONT_ENDS``.
        backbone: key of ``backbones.BACKBONES``.
        embedding_dim: number of dimensions of an embedding, D (section 4.2).
        similarity: key of ``SIMILARITIES``.
        dropout: share of dropout before the projection in training (section 4.2).
        drop_connect: rate of stochastic depth in training, by default that of EfficientNet-B0; rate of dropout in an
            axial backbone.
        pooling: key of ``POOLINGS``, for backbones that return maps; the others pool by themselves.
        head: key of ``HEADS``.
    """

    front_end: str = "hps"
    backbone: str = "efficientnet_b0"
    embedding_dim: int = 512
    similarity: str = "bilinear"
    dropout: float = 0.1
    drop_connect: float = 0.2
    pooling: str = "average"
    head: str = "linear"

    def __post_init__(self) -> None:
        for field, known in PARTS.items():
            value = getattr(self, field)
            if value not in known:
                raise CheckpointError(f"{field} must be one of {', '.join(sorted(known))}; got {value!r}")
        needed = IMAGES.get(self.backbone)
        fit = [name for name, kind in FRONT_ENDS.items() if (kind.rows, kind.hop / SAMPLE_RATE) == needed]
        if needed and self.front_end not in fit:
            raise CheckpointError(
                f"backbone {self.backbone!r} takes images of {needed[0]} rows and {needed[1]:g} s a frame, which front "
                f"end {self.front_end!r} does not make; choose {', '.join(fit)}, or backbone 'efficientnet_b0'"
            )
        if any((kind in self.backbone) != (kind in self.similarity) for kind in PHASOR_KINDS):
            raise CheckpointError(
                f"backbone {self.backbone!r} and similarity {self.similarity!r} cannot be combined: phasors need a "
                "backbone and a similarity of phasors of one kind; choose both or neither"
            )
        width = self.embedding_dim - real_width(self.similarity, self.embedding_dim)
        if self.similarity in PHASOR_GROUPS and self.embedding_dim <= width:
            raise CheckpointError(
                f"embedding_dim must be more than {width}, the numbers of the phasors of similarity "
                f"{self.similarity!r}; got {self.embedding_dim}; pass {width + 64}"
            )
        spectral, is_complex = self.pooling == "spectral", self.head == "complex_mlp"
        if spectral and self.backbone != "axial":
            raise CheckpointError(
                f"pooling 'spectral' needs the maps of backbone 'axial'; got backbone {self.backbone!r}"
            )
        if spectral != (self.head in PHASOR_HEADS):
            raise CheckpointError(
                f"head {self.head!r} and pooling {self.pooling!r} cannot be combined: phasors come from pooling "
                f"'spectral', and {', '.join(PHASOR_HEADS)} take them"
            )
        if is_complex != (self.similarity in COMPLEX_SIMILARITIES) and self.similarity != "cosine":
            raise CheckpointError(
                f"similarity {self.similarity!r} and head {self.head!r} cannot be combined: "
                f"{', '.join(COMPLEX_SIMILARITIES)} take the embeddings of head 'complex_mlp'"
            )


POOLINGS: dict[str, type[AveragePooling] | type[SpectralPooling]] = {
    "average": AveragePooling,
    "spectral": SpectralPooling,
}
HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": nn.Linear,
    "mlp": mlp,
    "magnitude_mlp": MagnitudeMlp,
    "complex_mlp": complex_mlp,
}


class CocolaEncoder(nn.Module):
    """f_theta, from a waveform to an embedding, with all transforms around the network (footnote 2 of the paper).

    An embedding is D real numbers; with head "complex_mlp" it is D real parts, then D imaginary ones.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.front_end = FrontEndModule(config.front_end)
        self.backbone, width = BACKBONES[config.backbone](self.front_end.channels, config.drop_connect)
        self.pooling: nn.Module = nn.Identity()
        if config.backbone == "axial":
            self.pooling = POOLINGS[config.pooling](width, self.front_end.kind.rows)
            width = self.pooling.width
        self.phasor_width: int = getattr(self.backbone, "phasor_width", 0)
        projected = config.embedding_dim - self.phasor_width
        self.dropout = nn.Dropout(config.dropout)
        self.projection = HEADS[config.head](width, projected)
        self.bounded = config.head != "complex_mlp" and config.similarity not in UNBOUNDED_SIMILARITIES
        self.layer_norm = nn.LayerNorm(projected) if self.bounded else nn.Identity()

    def forward(self, waveform: Tensor, mode: Mode = "both") -> Tensor:
        """Return the embeddings of 16 kHz waveforms.

        Shape:
            (B, L) -> (B, D).
        """
        return self.embed_features(self.front_end(waveform), mode)

    def embed_features(self, features: Tensor, mode: Mode = "both") -> Tensor:
        """Return the embeddings of front-end features, from the channels of ``mode`` only.

        Shape:
            (B, C, M, F) -> (B, D).
        """
        return self.project(self.pool(select_mode(features, mode)))

    def pool(self, features: Tensor) -> Tensor:
        """Return the pooled output of the backbone for features.

        Shape:
            (B, C, M, F) -> (B, W), W the width before the projection.
        """
        pooled: Tensor = self.pooling(self.backbone(features))
        return pooled

    def project(self, pooled: Tensor) -> Tensor:
        """Return the embeddings of pooled features: dropout, projection and, for real embeddings, LayerNorm and tanh.

        A plain cosine takes the projection as it is, as in the authors' code. The phasors at the end of a backbone's
        output are left as they are.

        Shape:
            (B, W) -> (B, D).
        """
        phasors = pooled.shape[-1] - self.phasor_width
        projected: Tensor = self.projection(self.dropout(pooled[..., :phasors]))
        if self.bounded:
            projected = torch.tanh(self.layer_norm(projected))
        return torch.cat([projected, pooled[..., phasors:]], dim=-1) if self.phasor_width else projected


PHASOR_KINDS = ("phasor", "time_phasor", "wide_phasor", "noise")
"""What names of backbones and similarities have in common if their phasors are of one kind."""
SIMILARITIES: dict[str, Callable[[int], Similarity]] = {
    "bilinear": BilinearSimilarity,
    "cosine": CosineSimilarity,
    "plain_cosine": PlainCosineSimilarity,
    "complex_bilinear": ComplexBilinearSimilarity,
    "hermitian": HermitianSimilarity,
    "semidefinite": SemidefiniteSimilarity,
    **{
        name: partial(PhasorSimilarity, groups=groups, mixed=name == "mixed_phasors", noise=name.endswith("_noise"))
        for name, groups in PHASOR_GROUPS.items()
    },
}
PHASOR_HEADS = ("complex_mlp", "magnitude_mlp")
COMPLEX_SIMILARITIES = ("complex_bilinear", "hermitian", "semidefinite")
UNBOUNDED_SIMILARITIES = ("plain_cosine",)
PARTS: dict[str, Mapping[str, object]] = {
    "front_end": FRONT_ENDS,
    "backbone": BACKBONES,
    "similarity": SIMILARITIES,
    "pooling": POOLINGS,
    "head": HEADS,
}


class CocolaModel(nn.Module):
    """Encoder and similarity together; ``model(conditioning, accompaniment)`` is Eq. 4 on waveforms."""

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or EncoderConfig()
        self.encoder = CocolaEncoder(self.config)
        self.similarity = SIMILARITIES[self.config.similarity](self.config.embedding_dim)

    def forward(self, conditioning: Tensor, accompaniment: Tensor, mode: Mode = "both") -> Tensor:
        """Return the COCOLA score of each pair of 16 kHz waveforms (Eq. 4), differentiable end to end.

        Gradients reach both waveforms and are finite, also at digital silence, where they are zero. To guide a
        generator, use a model in evaluation mode whose parameters are frozen (``requires_grad_(False)``), and waveforms
        of 5 s, the length in training. Here a waveform is one window, and silence is scored like any other window.

        Args:
            conditioning: music to be accompanied.
            accompaniment: accompaniment of each conditioning.
            mode: part of the sound that is scored; one-channel models score "both" only.

        Shape:
            (B, L), (B, L') -> (B,), L and L' at least the front end's ``least_samples``.

        Raises:
            UsageError: the shapes do not fit, or the model does not have the mode.
        """
        _check_pairs(conditioning, accompaniment, self.encoder.front_end.kind.least_samples)
        if mode not in MODES or (mode != "both" and self.encoder.front_end.channels == 1):
            known = MODES if self.encoder.front_end.channels > 1 else MODES[:1]
            raise UsageError(f"mode must be one of {', '.join(known)} for this model; got {mode!r}")
        return self.similarity.pairs(self.encoder(conditioning, mode), self.encoder(accompaniment, mode))


def _check_pairs(conditioning: Tensor, accompaniment: Tensor, least: int) -> None:
    shapes = conditioning.shape, accompaniment.shape
    if any(len(shape) != 2 or shape[1] < least for shape in shapes) or shapes[0][0] != shapes[1][0]:
        raise UsageError(
            f"{tuple(shapes[0])} and {tuple(shapes[1])} are not pairs of waveforms; pass (batch, samples) twice, of "
            f"one batch size and at least {least} samples ({least / SAMPLE_RATE:.2f} s)"
        )


def fold_batch_norm(model: CocolaModel) -> CocolaModel:
    """Prepare a model for inference on a CPU, in place: merge BatchNorms into convolutions, and reorder weights.

    The model then computes the same scores about a third faster, and can no longer be trained.
    """
    model.eval().requires_grad_(False)
    for parent in list(model.encoder.backbone.modules()):
        children = list(parent.named_children())
        for (_, convolution), (name, norm) in itertools.pairwise(children):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None and norm.running_var is not None  # never without in this network
                convolution.weight, convolution.bias = fuse_conv_bn_weights(
                    convolution.weight,
                    convolution.bias,
                    norm.running_mean,
                    norm.running_var,
                    norm.eps,
                    norm.weight,
                    norm.bias,
                )
                setattr(parent, name, getattr(norm, "act", nn.Identity()))  # timm's norms hold their activation
    model.encoder.backbone.to(memory_format=torch.channels_last)
    return model
