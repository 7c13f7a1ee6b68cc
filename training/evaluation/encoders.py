"""Several encoders on the same sub-mixes; the features of a front end are computed once for all of them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cocola_metric import checkpoints
from cocola_metric.encoder import MODES, CocolaModel, Mode, fold_batch_norm
from cocola_metric.errors import UsageError

BATCH_SIZE = {"cpu": 8}
BATCH_SIZE_ON_GPU = 64


class Encoders:
    """Encoders by name, on one device.

    Attributes:
        models: models by name, in evaluation mode.
        identities: SHA-256 of each model's weights, by name.
        symmetric: True if every score is the mean of both directions.
    """

    def __init__(
        self,
        models: Mapping[str, CocolaModel],
        *,
        device: str = "cpu",
        identities: Mapping[str, str] | None = None,
        symmetric: bool = False,
    ) -> None:
        self.device = torch.device(device)
        self.symmetric = symmetric
        self.models = {name: model.eval().to(self.device) for name, model in models.items()}
        self.identities = dict(identities or {})

    @classmethod
    def load(cls, names: Sequence[str], *, device: str = "cpu", symmetric: bool = False) -> "Encoders":
        """Load encoders for inference.

        Args:
            names: known names, folders or .ckpt files, as for ``checkpoints.load``; "label=name" labels one.
            device: device, in torch's words.
            symmetric: choice of the mean of both directions for every score.

        Raises:
            UsageError: two encoders have the same label.
        """
        models, identities = {}, {}
        for text in names:
            label, name = labelled(text)
            if label in models:
                raise UsageError(f"two encoders are called {label!r}; label them, as in first={name}")
            checkpoint = checkpoints.load(name)
            models[label] = fold_batch_norm(checkpoint.model)
            identities[label] = checkpoint.sha256
        return cls(models, device=device, identities=identities, symmetric=symmetric)

    def modes(self, name: str) -> tuple[Mode, ...]:
        """Return the modes in which an encoder can hear."""
        return modes_of(self.models[name])

    @torch.inference_mode()
    def embed(self, waveforms: Tensor, modes: Sequence[Mode] = ("both",)) -> dict[tuple[str, Mode], Tensor]:
        """Return the embeddings of 16 kHz waveforms, in each of the modes that an encoder knows.

        Shape:
            (B, L) -> (B, D), in the memory of the CPU.
        """
        parts: dict[tuple[str, Mode], list[Tensor]] = {}
        for batch in torch.split(waveforms, BATCH_SIZE.get(self.device.type, BATCH_SIZE_ON_GPU)):
            features: dict[str, Tensor] = {}
            for name, model in self.models.items():
                kind = model.config.front_end
                if kind not in features:
                    heard = model.encoder.front_end(batch.to(self.device))
                    features[kind] = heard.contiguous(memory_format=torch.channels_last)
                for mode in self.modes(name):
                    if mode in modes:
                        embedded = model.encoder.embed_features(features[kind], mode)
                        parts.setdefault((name, mode), []).append(embedded.cpu())
        return {key: torch.cat(batches) for key, batches in parts.items()}

    @torch.inference_mode()
    def sides(self, name: str, conditioning: Tensor, accompaniment: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two sides whose inner product is the score: (..., D), (..., D) -> (..., S), (..., S)."""
        heard = conditioning.to(self.device), accompaniment.to(self.device)
        left, right = sides_of(self.models[name], *heard, symmetric=self.symmetric)
        return left.cpu(), right.cpu()


def modes_of(model: CocolaModel) -> tuple[Mode, ...]:
    """Return the modes in which an encoder can hear."""
    return MODES if model.encoder.front_end.channels > 1 else MODES[:1]


@torch.inference_mode()
def embed_with(model: CocolaModel, waveforms: Tensor, mode: Mode, device: str) -> Tensor:
    """Return the embeddings of 16 kHz waveforms by one encoder, which is brought to the device.

    Shape:
        (B, L) -> (B, D), in the memory of the CPU.
    """
    encoder = model.eval().to(device).encoder
    batches = torch.split(waveforms, BATCH_SIZE.get(torch.device(device).type, BATCH_SIZE_ON_GPU))
    features = (encoder.front_end(batch.to(device)).contiguous(memory_format=torch.channels_last) for batch in batches)
    return torch.cat([encoder.embed_features(batch, mode).cpu() for batch in features])


@torch.inference_mode()
def sides_of(
    model: CocolaModel, conditioning: Tensor, accompaniment: Tensor, *, symmetric: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the two sides whose inner product is the score, on their device.

    Args:
        model: encoder with its similarity.
        conditioning: embeddings of conditionings.
        accompaniment: embeddings of accompaniments.
        symmetric: choice of the mean of both directions; the sides are then those of both, one after the other.

    Shape:
        (..., D), (..., D) -> (..., S), (..., S).
    """
    similarity = model.similarity.to(conditioning.device)
    left, right = similarity.left(conditioning), similarity.right(accompaniment)
    if not symmetric:
        return left, right
    back = similarity.right(conditioning), similarity.left(accompaniment)
    return torch.cat([left, back[0]], -1) / 2, torch.cat([right, back[1]], -1)


def labelled(text: str) -> tuple[str, str]:
    """Split "label=value"; without a label, the value is its own.

    >>> labelled("all=runs/all"), labelled("embedded")
    (('all', 'runs/all'), ('embedded', 'embedded'))
    """
    label, equals, value = text.partition("=")
    return (label, value) if equals else (text, text)
