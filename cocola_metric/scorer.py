"""The scorer of audio (section 3.2): its parts, its loading, and the signature of its scores."""

import copy
import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import checkpoints
from .audio import HOP, SAMPLE_RATE, WINDOW, AudioInput, WindowPlan, read_audio
from .embedding_store import open_store
from .encoder import MODES, ArrayEncoder, Mode, real_width
from .errors import UsageError
from .reading import Lengths, ScoreReference, find_reference, read_reference
from .scoring import (
    Embeddings,
    MatrixScorer,
    PairScorer,
    Publisher,
    Ranked,
    StoredEmbedder,
    WindowEmbedder,
    WindowEncoder,
    WindowScores,
    chosen_device,
)
from .signature import signature
from .torch_state import with_own_torch_state

if TYPE_CHECKING:
    import torch

    from .encoder import CocolaModel

__all__ = ["CocolaScorer", "Embeddings", "Ranked", "WindowScores"]
UNUSUAL_SIMILARITIES = ("complex_bilinear", "semidefinite")
"""Similarities that fit the same weights as a more usual one; signatures name them."""


class CocolaScorer(PairScorer, MatrixScorer, Publisher):
    """A scorer of how well accompaniments fit the music that they accompany.

    The order of arguments matters, unless ``symmetric`` is set: h_y^T W h_x is not symmetric. Every audio argument is
    a path, a list of stem paths (summed, Eq. 1), or a floating-point tensor or array (channels, time) with
    ``sample_rate=``.

    Audio is cut into windows of 5 s every 2.5 s (`audio.WindowPlan` describes the end). If two audios differ in length,
    their common part is scored; a warning says so above 0.1 s. A window in which either side is silent has no score
    (NaN), and is left out of the mean.

    On a CPU an encoder with a graph (encoder.onnx) runs without torch. Results are NumPy arrays for every kind of
    input.

    Attributes:
        real_width: number of an embedding's first numbers, those that are neither phasors nor a verdict on noise.
    """

    _threads: int | None = None

    @with_own_torch_state
    def __init__(
        self,
        model: "CocolaModel | ArrayEncoder",
        *,
        name: str = "unnamed",
        weights_sha256: str = "",
        mode: Mode = "both",
        device: "str | torch.device | None" = None,
        window: float = WINDOW,
        hop: float = HOP,
        batch_size: int | None = None,
        symmetric: bool = False,
        cache: str | os.PathLike[str] | None = None,
        reference: ScoreReference | None = None,
    ) -> None:
        """Wrap a model, which the scorer then owns. `from_pretrained` is the usual way to make a scorer."""
        kind = model.kind if isinstance(model, ArrayEncoder) else model.encoder.front_end.kind
        self._channels = kind.channels
        self.name, self.weights_sha256, self.mode = name, weights_sha256, self._known(mode)
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size must be 1 or more; got {batch_size}")
        self.plan, self.symmetric = WindowPlan(window, hop), symmetric
        least = kind.least_samples
        if self.plan.size < least:
            raise UsageError(f"window must be {least / SAMPLE_RATE:.3g} s or more for this encoder; got {window}")
        if isinstance(model, ArrayEncoder):
            self.device = "cpu"
            self._encoder: WindowEncoder = model
            self._front_end, self._backbone, self._kind = model.name, model.backbone, model.similarity
            self.real_width = model.real_width
        else:
            from .encoder import TensorEncoder

            self.device = chosen_device(device)
            config, state = model.config, model.state_dict()  # folding makes new tensors and leaves these alone
            self._stored = functools.partial(_pair, config, state)
            self._front_end, self._backbone, self._kind = config.front_end, config.backbone, config.similarity
            self.real_width = real_width(config.similarity, config.embedding_dim)
            self._encoder = TensorEncoder(model, self.device)
        self._reference, self._batch_size, self._store = reference, batch_size, open_store(cache)
        self._open_embedder()

    @classmethod
    @with_own_torch_state
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = "embedded",
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        mode: Mode = "both",
        device: "str | torch.device | None" = None,
        window: float = WINDOW,
        hop: float = HOP,
        batch_size: int | None = None,
        symmetric: bool = False,
        cache: str | os.PathLike[str] | None = None,
        reference: str | os.PathLike[str] | None = "own",
    ) -> "CocolaScorer":
        """Load an encoder, and return its scorer.

        Args:
            name: known name, folder with ``config.json`` and ``model.safetensors``, ``.ckpt`` file of the
                original authors, or Hub repository "organisation/name" with either of these. "embedded" comes with
                this package and needs no network.
            revision: branch, tag or commit of a Hub repository; folders, files and embedded weights have none.
            token: access token for private repositories; by default that of the user's login.
            mode: part of the sound that is scored: "both", "harmonic" or "percussive" (two-channel models only).
            device: device of the encoder; by default a GPU if there is one.
            window: length of a window, in seconds; encoders are trained on 5 s.
            hop: time from the start of one window to the next, in seconds.
            batch_size: number of windows encoded at a time; it changes speed and memory, not scores.
            symmetric: True scores the mean of both directions, so that the order of the two sides does not matter.
            cache: folder in which embeddings are kept by content and signature, so that an audio is embedded once for
                all calls and processes, and for the FAD of this encoder; "default" is the user's own, None keeps none.
            reference: reference by which scores are read as percentile, likelihood and anchored score: "own" is the one
                in the encoder's folder, if it has one; a path is that of another file; None reads none.

        Raises:
            CheckpointError: the weights cannot be found, downloaded or matched to their configuration.
        """
        options: dict[str, Any] = {
            "mode": mode,
            "window": window,
            "hop": hop,
            "batch_size": batch_size,
            "symmetric": symmetric,
            "cache": cache,
        }
        on = chosen_device(device)
        found = checkpoints.find_encoder(name, revision=revision, token=token)

        def read(sha256: str) -> ScoreReference | None:
            if reference in ("own", None):
                return find_reference(found.path, sha256) if reference else None
            return read_reference(Path(str(reference)), sha256)

        graph = checkpoints.open_graph(found) if on == "cpu" else None
        if graph is not None:
            sha256 = graph.sha256
            scorer = cls(graph.encoder, name=graph.name, weights_sha256=sha256, reference=read(sha256), **options)
            scorer._stored = functools.partial(_loaded, found)
            return scorer
        checkpoint = checkpoints.load_found(found)
        model, sha256 = checkpoint.model, checkpoint.sha256
        scorer = cls(model, name=checkpoint.name, weights_sha256=sha256, device=on, reference=read(sha256), **options)
        scorer._stored = functools.partial(_pair, model.config, checkpoint.state)
        return scorer

    def in_mode(self, mode: Mode) -> "CocolaScorer":
        """Return a scorer of the same encoder, with the same settings, in another mode.

        Raises:
            UsageError: the encoder does not have the mode.
        """
        other = copy.copy(self)
        other.mode = self._known(mode)
        other._open_embedder()
        return other

    def in_threads(self, count: int) -> "CocolaScorer":
        """Return a scorer of the same encoder that works in so many threads on a CPU, instead of one for each core."""
        other = copy.copy(self)
        other._threads = count
        other._open_embedder()
        return other

    def plot(
        self,
        file: str | os.PathLike[str],
        conditioning: AudioInput,
        accompaniment: AudioInput,
        *,
        sample_rate: float | None = None,
        modes: Sequence[Mode] = (),
        scores: WindowScores | None = None,
    ) -> None:
        """Draw the score of every window, with the bands of known pairs behind it, above both waveforms.

        Args:
            file: PNG, PDF or SVG file to write.
            conditioning: path, list of stem paths, or array (channels, time).
            accompaniment: the same for the accompaniment.
            sample_rate: sample rate of arrays, in Hz.
            modes: modes that are drawn as lines, on the scale of the reference; none stands for the scorer's own.
            scores: scores of the pair in the scorer's own mode, if they are known already.

        Raises:
            MissingExtraError: matplotlib is not installed.
            UsageError: the format is unknown, the encoder lacks a mode, or several modes have no reference.
            AudioError: an audio cannot be scored.
            OutputError: the file cannot be written.
        """
        from .plot import Curve, check_picture, plot_scores

        check_picture(Path(file))
        curves = []
        for scorer in [self.in_mode(mode) for mode in modes] or [self]:
            known = scores if scorer.mode == self.mode else None
            found = known or scorer.score_windows(conditioning, accompaniment, sample_rate=sample_rate)
            curves.append(Curve(found, scorer.reference, scorer.signature, scorer.mode))
        given, answer = (read_audio(side, sample_rate=sample_rate) for side in (conditioning, accompaniment))
        plot_scores(Path(file), given, answer, curves, window=self.plan.window)

    def _known(self, mode: Mode) -> Mode:
        if mode not in MODES:
            raise UsageError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
        if mode != "both" and self._channels == 1:
            raise UsageError(
                f"mode {mode!r} needs a two-channel model (front end 'hps'); pass mode='both' for this one"
            )
        return mode

    def _open_embedder(self) -> None:
        self._embedder = WindowEmbedder(
            self._encoder,
            mode=self.mode,
            plan=self.plan,
            batch_size=self._batch_size,
            symmetric=self.symmetric,
            threads=self._threads,
        )
        self._stored_embedder = None if self._store is None else StoredEmbedder(self._embedder, self._store)

    def __repr__(self) -> str:
        """Return the signature, which names everything that changes a score."""
        return self.signature

    @property
    def reference(self) -> Lengths | None:
        """The reference of this scorer's mode and direction; None if there is none for windows of this plan."""
        if self._reference is None or not self._reference.fits(self.plan.window, self.plan.hop):
            return None
        return self._reference.of(self.mode, symmetric=self.symmetric)

    @property
    def signature(self) -> str:
        """The recipe of this scorer's scores in one line, to be cited with them."""
        return signature(
            model=self.name,
            weights_sha256=self.weights_sha256,
            mode=self.mode,
            window=self.plan.window,
            hop=self.plan.hop,
            sample_rate=SAMPLE_RATE,
            front_end="" if self._backbone.endswith("_efficientnet_b0") else self._front_end,
            similarity=self._kind if self._kind in UNUSUAL_SIMILARITIES else "",
            symmetric=self.symmetric,
            reference_sha256=self._reference.sha256
            if self._reference is not None and self.reference is not None
            else "",
        )


def _pair(config: Any, state: Any) -> Any:
    return config, state


def _loaded(found: Any) -> Any:
    checkpoint = checkpoints.load_found(found)
    return checkpoint.model.config, checkpoint.state
