"""A guide: waveforms in, the gradient of their score out; any differentiable encoder of the family."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cocola_metric import checkpoints
from cocola_metric.audio import SAMPLE_RATE, WindowPlan, is_silent, resample_between
from cocola_metric.errors import CheckpointError

PLAN = WindowPlan()
Score = Callable[[Tensor, Tensor], Tensor]
"""Differentiable function of conditioning and accompaniment at 16 kHz, (B, L) and (B, L), that returns scores, (B,)."""


class Pull(NamedTuple):
    """What a guide says of pairs of waveforms.

    Attributes:
        scores: score of each pair, (B,).
        given: gradient of the scores in the samples of the conditioning, (B, L); zeros where it was not asked for.
        answer: gradient in the samples of the accompaniment, (B, L).
    """

    scores: Tensor
    given: Tensor
    answer: Tensor


class Guide:
    """A differentiable score of pairs of waveforms.

    Attributes:
        identity: SHA-256 of the encoder's weights.
    """

    def __init__(self, score: Score, identity: str = "") -> None:
        """Wrap a score, such as a `CocolaModel` in evaluation mode with frozen weights, in `WindowedScore`."""
        self._score, self.identity = score, identity

    def pull(self, given: Tensor, answer: Tensor, sample_rate: int, *, both: bool = False) -> Pull:
        """Return the scores of pairs, and their gradients.

        Gradients that are not finite count as zero: a waveform that an encoder cannot judge is not moved.

        Args:
            given: conditioning.
            answer: accompaniment of each.
            sample_rate: sample rate of both, in Hz.
            both: choice of the gradient in the conditioning too.

        Shape:
            (B, L), (B, L) -> (B,), (B, L), (B, L).
        """
        with torch.inference_mode(False), torch.enable_grad():
            sides = [given.detach().clone().requires_grad_(both), answer.detach().clone().requires_grad_()]
            scores = self._score(*(resample_between(side, sample_rate, SAMPLE_RATE) for side in sides))
            wanted = [side for side in sides if side.requires_grad]
            gradients = [torch.zeros_like(side) for side in wanted]
            if scores.requires_grad:  # not where all is silence
                found = torch.autograd.grad(scores.sum(), wanted, allow_unused=True)
                gradients = [
                    zero if one is None else torch.nan_to_num(one, nan=0.0, posinf=0.0, neginf=0.0)
                    for one, zero in zip(found, gradients, strict=True)
                ]
        return Pull(scores.detach(), gradients[0] if both else torch.zeros_like(given), gradients[-1])


class WindowedScore:
    """The score of pairs of any length: the mean over their windows of 5 s in which both sides sound, 0 without any.

    Args:
        model: differentiable score of windows.
    """

    def __init__(self, model: Score) -> None:
        self._model = model

    def __call__(self, given: Tensor, answer: Tensor) -> Tensor:
        """Return the scores: (B, L), (B, L) at 16 kHz -> (B,)."""
        one, other = (_windows(side) for side in (given, answer))  # (B, K, L)
        sounding = ~(is_silent(one.detach()) | is_silent(other.detach()))  # (B, K)
        scores = torch.zeros(sounding.shape, dtype=given.dtype, device=given.device)
        if sounding.any():
            scores = scores.masked_scatter(sounding, self._model(one[sounding], other[sounding]))
        means: Tensor = scores.sum(dim=1) / sounding.sum(dim=1).clamp(min=1)
        return means


def open_guide(encoder: str, device: str = "cpu") -> Guide:
    """Open an encoder as a guide.

    Args:
        encoder: name, folder or file, as for ``checkpoints.load``.
        device: device, in torch's words.

    Raises:
        CheckpointError: the encoder cannot be loaded, or has a graph and no weights, of which no gradient can be taken.
    """
    found = checkpoints.find_encoder(encoder)
    graph, weights = (found.path / name for name in (checkpoints.GRAPH_FILE, checkpoints.WEIGHTS_FILE))
    if found.path.suffix == graph.suffix or (graph.is_file() and not weights.is_file()):
        raise CheckpointError(
            f"{encoder}: a graph has no gradient; a guide must be a folder with {weights.name}, or a .ckpt file; fetch "
            "the weights of this encoder too"
        )
    loaded = checkpoints.load_found(found)
    model = loaded.model.eval().to(device).requires_grad_(False)
    return Guide(WindowedScore(model), loaded.sha256)


def _windows(side: Tensor) -> Tensor:
    """Cut a waveform as the scorer does, padded with zeros: (B, L) -> (B, K, L)."""
    span = (PLAN.count(side.shape[1]) - 1) * PLAN.step + PLAN.size
    return torch.nn.functional.pad(side, (0, max(0, span - side.shape[1])))[:, :span].unfold(1, PLAN.size, PLAN.step)
