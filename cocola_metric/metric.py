"""The COCOLA score as a torchmetrics metric, for validation inside a training loop (extra [torchmetrics])."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from . import checkpoints
from .audio import (
    HOP,
    LENGTH_TOLERANCE,
    MIN_SAMPLE_RATE,
    SAMPLE_RATE,
    WINDOW,
    AudioWarning,
    is_silent,
    read_audio,
    split_windows,
)
from .blame import warn_caller
from .encoder import IMAGES, CocolaModel, Mode, fold_batch_norm, one_thread_per_operation
from .errors import AudioError, MissingExtraError, UsageError
from .reading import find_reference
from .scorer import CocolaScorer
from .scoring import BATCH_SIZE_ACCELERATOR

try:
    from torchmetrics import Metric
except ImportError as error:
    raise MissingExtraError("CocolaMetric needs torchmetrics; run pip install 'cocola-metric[torchmetrics]'") from error


class CocolaMetric(Metric):
    """The mean COCOLA score of all pairs since the last reset, over all processes; higher fits better.

    Each pair is scored as by `CocolaScorer.score`: the mean over windows of 5 s every 2.5 s, without silent windows. A
    pair of silent windows only is left out of the mean. Everything is computed in float32, also under autocast.

    The encoder is not in the module tree: it is neither in ``state_dict()`` nor in ``parameters()``, and follows
    ``.to(device)`` at the next update. To train on the score, use `CocolaModel.forward`, which has gradients.

    Attributes:
        silent_windows: number of windows left out, in this process.
        silent_pairs: number of pairs left out, in this process.
        unfit_pairs: number of pairs left out because their score is NaN or infinite, in this process.
        signature: recipe of the score, to be cited with it.
        reference: reference by which scores are read, as ``reference.anchored(metric.compute())``; None without one.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    score_sum: Tensor
    scored_pairs: Tensor
    silent_windows: Tensor
    silent_pairs: Tensor
    unfit_pairs: Tensor

    def __init__(
        self,
        name: str | os.PathLike[str] = "embedded",
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        sample_rate: float = SAMPLE_RATE,
        mode: Mode = "both",
        window: float = WINDOW,
        hop: float = HOP,
        batch_size: int | None = None,
        symmetric: bool = False,
        **settings: Any,
    ) -> None:
        """Load an encoder; nothing is downloaded later.

        Args:
            name: known name, folder, ``.ckpt`` file or repository, as for `CocolaScorer.from_pretrained`.
            revision: branch, tag or commit of a Hub repository.
            token: access token for private repositories.
            sample_rate: rate of the waveforms, in Hz.
            mode: part of the sound that is scored.
            window: length of a window, in seconds.
            hop: time from the start of one window to the next, in seconds.
            batch_size: number of windows encoded at a time; it changes speed and memory, not scores.
            symmetric: True scores the mean of both directions, so that the order of the two sides does not matter.
            settings: settings of `torchmetrics.Metric`, such as ``sync_on_compute``.

        Raises:
            CheckpointError: the weights cannot be found or do not match their configuration.
            UsageError: a setting is out of range.
        """
        super().__init__(**settings)
        if sample_rate < MIN_SAMPLE_RATE or not float(sample_rate).is_integer():
            raise UsageError(f"sample_rate must be a whole number of Hz, {MIN_SAMPLE_RATE} or more; got {sample_rate}")
        found = checkpoints.find_encoder(name, revision=revision, token=token)
        checkpoint = checkpoints.load_found(found)
        model = fold_batch_norm(checkpoint.model)
        scorer = CocolaScorer(
            model,
            name=checkpoint.name,
            weights_sha256=checkpoint.sha256,
            mode=mode,
            device="cpu",
            window=window,
            hop=hop,
            batch_size=batch_size,
            symmetric=symmetric,
            reference=find_reference(found.path, checkpoint.sha256),
        )
        self.signature, self.reference = scorer.signature, scorer.reference
        self.sample_rate, self.mode, self.plan, self.batch_size = sample_rate, scorer.mode, scorer.plan, batch_size
        self.symmetric = symmetric
        self._models = (model,)  # inside a tuple, where torch does not register it as a submodule
        for state in ("scored_pairs", "silent_windows", "silent_pairs", "unfit_pairs"):
            self.add_state(state, torch.tensor(0, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("score_sum", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        # MetricCollection merges metrics whose states are equal after the first update. This keeps two recipes apart
        # even if all their windows were silent.
        recipe = hashlib.sha256(self.signature.encode()).digest()[:8]
        self.add_state("recipe", torch.tensor(list(recipe), dtype=torch.int32), dist_reduce_fx="max")

    def update(self, conditioning: Tensor, accompaniment: Tensor) -> None:
        """Score a batch of pairs. If lengths differ, the common part is scored, with a warning above 0.1 s.

        Args:
            conditioning: music to be accompanied, in floating point, at the sample rate of this metric.
            accompaniment: accompaniment of each conditioning.

        Shape:
            (B, L) or (B, C, L), (B, L') or (B, C', L') -> ().

        Raises:
            AudioError: the tensors are not batches of finite waveforms, or differ in batch size.
        """
        if self.device.type == "cpu":
            # A thread of its own runs each operation in one thread: on a busy machine, torch's threads wait for each
            # other many times longer than they work. The caller's own number of threads stays as it is.
            with ThreadPoolExecutor(1, "cocola", initializer=one_thread_per_operation) as alone:
                scores, silent = alone.submit(self._window_scores, conditioning, accompaniment).result()
        else:
            scores, silent = self._window_scores(conditioning, accompaniment)
        fit = (scores.isfinite() | silent).all(1)  # unfit: weights or samples at which the encoder overflows
        heard = (~silent).sum(1)
        means = scores.masked_fill(silent, 0).sum(1) / heard.clamp(min=1)
        scored = fit & (heard > 0)
        # Not in place: a state made under inference_mode could not be changed outside it.
        self.score_sum = self.score_sum + means.masked_fill(~scored, 0).sum()
        self.scored_pairs = self.scored_pairs + scored.sum()
        self.silent_windows = self.silent_windows + silent.sum()
        self.silent_pairs = self.silent_pairs + (heard == 0).sum()
        self.unfit_pairs = self.unfit_pairs + (~fit).sum()

    def compute(self) -> Tensor:
        """Return the mean score of the pairs (), NaN with an `AudioWarning` if no pair had sound on both sides.

        Pairs whose score is NaN or infinite are left out of the mean, with an `AudioWarning` that counts them.
        """
        if self.unfit_pairs > 0:
            message = f"{int(self.unfit_pairs)} pairs have a NaN or infinite score and are left out of the mean"
            warn_caller(f"{message}; check the weights, and that samples are in -1..1", AudioWarning)
        if self.scored_pairs == 0:
            message = "no pair to score: in every window one side is silent, or there was none; the mean is NaN"
            warn_caller(message, AudioWarning)
        return self.score_sum / self.scored_pairs

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the mean score, or those of several steps, between the means of known pairs if there is a reference.

        Args:
            val: value of `compute`, or a list of them; None stands for the value now.
            ax: axes of matplotlib to draw on; None makes new ones.

        Returns:
            Figure and axes, as torchmetrics has it.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from .plot import draw_reference, new_figure

        if ax is None:
            _, (ax,) = new_figure(rows=1, height=3.5, heights=(1,))
        values = [
            float(value)
            for value in (val if isinstance(val, (list, tuple)) else [self.compute() if val is None else val])
        ]
        draw_reference(ax, values, self.reference, self.signature)
        return ax.figure, ax

    def _waveforms(self, batch: Tensor) -> Tensor:
        """Check a batch, and return it mono at 16 kHz, (B, L), on the device of this metric."""
        if batch.ndim not in (2, 3) or len(batch) == 0:
            raise AudioError(
                f"tensor {tuple(batch.shape)} is not a batch; pass (batch, time) or (batch, channels, time)"
            )
        return torch.stack([read_audio(clip, sample_rate=self.sample_rate) for clip in batch.to(self.device)])

    def _window_scores(self, conditioning: Tensor, accompaniment: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score of every window and the silence of either side, twice (B, K)."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            sides = [self._waveforms(side) for side in (conditioning, accompaniment)]
            if len(sides[0]) != len(sides[1]):
                raise AudioError(
                    f"{len(sides[0])} conditionings and {len(sides[1])} accompaniments are no pairs; pass equal numbers"
                )
            waveforms = _common_part(sides)
            windows = torch.stack([split_windows(waveform, self.plan) for waveform in waveforms.flatten(0, 1)])
            silent = is_silent(windows).reshape(*waveforms.shape[:2], -1).any(0)
            return self._pair_scores(windows.flatten(0, 1), silent.shape), silent

    def _pair_scores(self, windows: Tensor, shape: torch.Size) -> Tensor:
        """Return the score of every window: (2 B K, L) -> (B, K)."""
        model = self._model()
        batch_size = self.batch_size or (IMAGES if self.device.type == "cpu" else BATCH_SIZE_ACCELERATOR)
        embeddings = torch.cat([model.encoder(batch, self.mode) for batch in torch.split(windows, batch_size)])
        conditioning, accompaniment = embeddings.reshape(2, *shape, -1)
        scores = model.similarity.pairs(conditioning, accompaniment)
        if self.symmetric:
            scores = (scores + model.similarity.pairs(accompaniment, conditioning)) / 2
        return scores

    def _model(self) -> CocolaModel:
        (model,) = self._models
        if next(model.encoder.parameters()).device != self.device:
            model.to(self.device)
        return model


def _common_part(sides: list[Tensor]) -> Tensor:
    """Cut both sides to the length of the shorter: twice (B, L) -> (2, B, L)."""
    lengths = [side.shape[1] for side in sides]
    difference = (max(lengths) - min(lengths)) / SAMPLE_RATE
    if difference > LENGTH_TOLERANCE:
        message = f"the two sides differ in length by {difference:.2f} s; only the common part is scored"
        warn_caller(message, AudioWarning)
    return torch.stack([side[:, : min(lengths)] for side in sides])
