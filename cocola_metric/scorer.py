"""The COCOLA score of audio (section 3.2): pairs, matrices, rankings and accuracies, each audio embedded once."""

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from . import checkpoints, functional
from .arrays import FloatArray
from .audio import HOP, SAMPLE_RATE, WINDOW, AudioInput, AudioWarning, WindowPlan, cancelling_channels
from .blame import warn_caller
from .encoder import MODES, ArrayEncoder, Mode
from .errors import AudioError, UsageError
from .scoring import (
    Catalogue,
    Embedded,
    Embeddings,
    Publisher,
    Ranked,
    Request,
    WindowEmbedder,
    WindowScores,
    block_means,
    chosen_device,
    mean_similarities,
    window_similarities,
)
from .signature import signature
from .torch_state import each_with_own_torch_state, with_own_torch_state

if TYPE_CHECKING:
    import torch

    from .encoder import CocolaModel

__all__ = ["CocolaScorer", "Embeddings", "Ranked", "WindowScores"]
UNUSUAL_SIMILARITIES = ("complex_bilinear", "semidefinite")
"""Those that fit the same weights as another, more usual one: signatures name them."""
_Result = TypeVar("_Result")


class CocolaScorer(Publisher):
    """Scores how well accompaniments fit the music they are to accompany.

    The order of arguments matters, unless ``symmetric`` is set: h_y^T W h_x is not symmetric. Every audio argument is
    a path, a list of stem paths (summed, Eq. 1), or a floating-point tensor or array (channels, time) with
    ``sample_rate=``.

    Policies: audio is cut into windows of 5 s every 2.5 s (`windows.split_windows` says what happens at the end). Of
    two audios of unequal length the common part is scored, with a warning above 0.1 s. A window in which either side
    is silent has no score (NaN), and is left out of the mean.

    On a CPU an encoder with a graph (encoder.onnx) runs without torch. What comes back is NumPy, whatever came in.
    """

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
    ) -> None:
        """Wrap a model, which from now on belongs to the scorer; `from_pretrained` is the usual way in."""
        if mode not in MODES:
            raise UsageError(f"mode {mode!r} is none of {', '.join(MODES)}")
        kind = model.kind if isinstance(model, ArrayEncoder) else model.encoder.front_end.kind
        if mode != "both" and kind.channels == 1:
            raise UsageError(f"mode {mode!r} needs a two-channel model (front end 'hps'); this one hears everything")
        self.name, self.weights_sha256, self.mode = name, weights_sha256, mode
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size={batch_size}: pass at least 1")
        self.plan, self.symmetric = WindowPlan(window, hop), symmetric
        least = kind.least_samples
        if self.plan.size < least:
            raise UsageError(f"window={window} is too short for the encoder: pass at least {least / SAMPLE_RATE:.3g}")
        if isinstance(model, ArrayEncoder):
            self.device, encoder = "cpu", model
            self._front_end, self._backbone, self._kind = model.name, model.backbone, model.similarity
        else:
            from .encoder import TensorEncoder

            self.device = chosen_device(device)
            config, state = model.config, model.state_dict()  # folding makes new tensors and leaves these alone
            self._stored = lambda: (config, state)
            self._front_end, self._backbone, self._kind = config.front_end, config.backbone, config.similarity
            encoder = TensorEncoder(model, self.device)
        self._embedder = WindowEmbedder(encoder, mode=mode, plan=self.plan, batch_size=batch_size, symmetric=symmetric)

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
    ) -> "CocolaScorer":
        """Load an encoder and get ready to score.

        Args:
            name: a known name, a folder with ``config.json`` and ``model.safetensors``, a ``.ckpt`` file of the
                original authors, or a Hub repository "organisation/name" that holds either. "embedded" comes with
                this package and needs no network.
            revision: branch, tag or commit of a Hub repository; folders, files and embedded weights have none.
            token: for private repositories; by default the one that the user is logged in with.
            mode: hear "both" parts of the sound, or only the "harmonic" or "percussive" one (two-channel models).
            device: of the encoder; by default a GPU if there is one.
            window: length of a window, seconds; encoders are trained on 5 s.
            hop: from the start of one window to the next, seconds.
            batch_size: windows per forward pass; changes speed and memory, not scores.
            symmetric: take the mean of both directions, so that the order of the two sides does not matter.

        Raises:
            CheckpointError: the weights cannot be found, downloaded or matched to their configuration.
        """
        options: dict[str, Any] = {
            "mode": mode,
            "window": window,
            "hop": hop,
            "batch_size": batch_size,
            "symmetric": symmetric,
        }
        on = chosen_device(device)
        if on == "cpu":
            found = checkpoints.find_encoder(name, revision=revision, token=token)
            graph = checkpoints.open_graph(found)
            if graph is not None:
                scorer = cls(graph.encoder, name=graph.name, weights_sha256=graph.sha256, **options)
                scorer._stored = lambda: _loaded(checkpoints.load_found(found))
                return scorer
            checkpoint = checkpoints.load_found(found)
        else:
            checkpoint = checkpoints.load(name, revision=revision, token=token)
        model, sha256 = checkpoint.model, checkpoint.sha256
        scorer = cls(model, name=checkpoint.name, weights_sha256=sha256, device=on, **options)
        scorer._stored = lambda: _loaded(checkpoint)
        return scorer

    def __repr__(self) -> str:
        """Return the signature: whatever changes a score."""
        return self.signature

    @property
    def signature(self) -> str:
        """The recipe of this scorer's numbers in one line, to be cited with them."""
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
        )

    def embed(self, audio: AudioInput, *, sample_rate: float | None = None) -> FloatArray:
        """Return the embedding of every window.

        Shape:
            -> (K, D).

        Raises:
            AudioError: the input cannot be read.
        """
        return self.embeddings([audio], sample_rate=sample_rate)[0].embeddings

    def embeddings(self, audios: Sequence[AudioInput], *, sample_rate: float | None = None) -> list[Embeddings]:
        """Return what is to be kept of audios, to be compared later by `similarity` and `rank`.

        Raises:
            AudioError: an input cannot be read.
        """
        catalogue = Catalogue(sample_rate)
        numbers = [catalogue.add(audio) for audio in audios]
        embedded = [_raised(result) for result in self._embed_all(catalogue.requests([]))]
        kept = [Embeddings(*audio.sides, audio.silent, self.signature) for audio in embedded]
        return [kept[number] for number in numbers]

    def similarity(self, conditionings: Sequence[Embeddings], accompaniments: Sequence[Embeddings]) -> FloatArray:
        """Return the score of every conditioning with every accompaniment that is embedded already.

        Window k of one is compared with window k of the other, as far as both have windows. So scores are those of
        `similarity_matrix` for audios of one length; where one ends inside a window of the other, that window is heard
        whole here.

        Shape:
            -> (n, m), NaN where no window of a pair has sound on both sides.

        Raises:
            UsageError: embeddings were made by another recipe.
        """
        scores = np.empty((len(conditionings), len(accompaniments)), np.float32)
        for row, conditioning in enumerate(conditionings):
            for column, accompaniment in enumerate(accompaniments):
                count = min(len(conditioning), len(accompaniment))
                left, right = (side.first(count, self.signature) for side in (conditioning, accompaniment))
                scores[row, column] = block_means([left], [right])[0, 0]
        return scores

    def score(self, conditioning: AudioInput, accompaniment: AudioInput, *, sample_rate: float | None = None) -> float:
        """Return the COCOLA score (Eq. 4) of an accompaniment, averaged over windows; higher fits better.

        Raises:
            AudioError: an input cannot be read, or no window has sound on both sides.
        """
        return self.score_windows(conditioning, accompaniment, sample_rate=sample_rate).mean

    def score_windows(
        self, conditioning: AudioInput, accompaniment: AudioInput, *, sample_rate: float | None = None
    ) -> WindowScores:
        """Return the score of every window.

        Raises:
            AudioError: an input cannot be read, or no window has sound on both sides.
        """
        result = _raised(next(self.iter_scores([(conditioning, accompaniment)], sample_rate=sample_rate)))
        if math.isnan(result.mean):
            hint = cancelling_channels(conditioning, accompaniment)
            raise AudioError(
                "nothing to score: in every window one side is silent; "
                + (hint or "check that both inputs hold music and that they play at the same time")
            )
        return result

    @with_own_torch_state
    def score_pairs(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
    ) -> FloatArray:
        """Return the score of each pair; NaN, with a warning, where no window has sound on both sides.

        Shape:
            -> (n,).

        Raises:
            AudioError: an input cannot be read.
            UsageError: there are not as many conditionings as accompaniments.
        """
        _check_counts(conditionings, accompaniments)
        pairs = zip(conditionings, accompaniments, strict=True)
        scores = [_raised(result).mean for result in self.iter_scores(pairs, sample_rate=sample_rate)]
        return _warned_of_silence(np.asarray(scores, np.float32))

    @with_own_torch_state
    def similarity_matrix(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
    ) -> FloatArray:
        """Return the score of every conditioning with every accompaniment, from n + m embeddings.

        Shape:
            -> (n, m), NaN, with a warning, where no window of a pair has sound on both sides.

        Raises:
            AudioError: an input cannot be read.
        """
        catalogue = Catalogue(sample_rate)
        rows = [catalogue.add(audio) for audio in conditionings]
        columns = [catalogue.add(audio) for audio in accompaniments]
        requests = catalogue.requests(itertools.product(rows, columns))
        embedded = [_raised(result) for result in self._embed_all(requests)]
        scores = mean_similarities([embedded[row] for row in rows], [embedded[column] for column in columns])
        return _warned_of_silence(scores)

    @with_own_torch_state
    def accuracy(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
        batch_size: int | None = None,
    ) -> float:
        """Return how often a conditioning scores highest with its own accompaniment among those of its batch (Eq. 8).

        A tie is not a win. Accuracies compare only at the same K: the more there is to choose from, the harder.

        Args:
            conditionings: the music to be accompanied.
            accompaniments: of each conditioning.
            sample_rate: of arrays and tensors, Hz.
            batch_size: K, pairs of a batch, in order; the accuracy is the mean over batches, and pairs that fill no
                batch are left out. By default all pairs are one batch.

        Raises:
            AudioError: an input cannot be read.
            UsageError: there are fewer pairs than a batch has, or not as many conditionings as accompaniments.
        """
        _check_counts(conditionings, accompaniments)
        if not len(conditionings):
            raise UsageError("no pairs to compute an accuracy of: pass at least one")
        size = len(conditionings) if batch_size is None else batch_size
        if not 1 <= size <= len(conditionings):
            raise UsageError(f"batch_size={batch_size}: pass 1 to {len(conditionings)}, the number of pairs")
        used = len(conditionings) // size * size
        scores = self.similarity_matrix(conditionings[:used], accompaniments[:used], sample_rate=sample_rate)
        batches = np.stack([scores[first : first + size, first : first + size] for first in range(0, used, size)])
        return float(functional.accuracy(batches).mean())

    @with_own_torch_state
    def rank(
        self,
        conditioning: AudioInput | Embeddings,
        candidates: Sequence[AudioInput] | Sequence[Embeddings],
        *,
        sample_rate: float | None = None,
    ) -> list[Ranked]:
        """Return the candidates by falling score; those too silent to be scored come last, with NaN.

        Args:
            conditioning: audio, or its `embeddings`.
            candidates: audios; `embeddings` if the conditioning is.
            sample_rate: of tensors and arrays, Hz.

        Raises:
            AudioError: an input cannot be read.
            UsageError: embeddings were made by another recipe, or come together with audio.
        """
        kept = [isinstance(side, Embeddings) for side in (conditioning, *candidates)]
        if all(kept):
            scores = self.similarity([conditioning], candidates)[0]  # type: ignore[list-item, arg-type]
        elif any(kept):
            raise UsageError("audio and embeddings do not go together: embed all with CocolaScorer.embeddings, or none")
        else:
            scores = self.similarity_matrix([conditioning], candidates, sample_rate=sample_rate)[0]  # type: ignore[list-item, arg-type]
        ranked = [Ranked(index, score) for index, score in enumerate(scores.tolist())]
        return sorted(ranked, key=lambda entry: (math.isnan(entry.score), -entry.score))

    @each_with_own_torch_state
    def iter_scores(
        self, pairs: Iterable[tuple[AudioInput, AudioInput]], *, sample_rate: float | None = None
    ) -> Iterator[WindowScores | AudioError]:
        """Yield the window scores of each pair, in order, as they become ready; for a pair that cannot be read, why.

        An audio is kept until the last pair that it is in.
        """
        catalogue = Catalogue(sample_rate)
        numbers = [(catalogue.add(conditioning), catalogue.add(accompaniment)) for conditioning, accompaniment in pairs]
        uses = Counter(itertools.chain.from_iterable(numbers))
        results = enumerate(self._embed_all(catalogue.requests(numbers)))
        ready: dict[int, Embedded | AudioError] = {}
        for pair in numbers:
            while not ready.keys() >= set(pair):
                ready.update([next(results)])
            sides = [ready[number] for number in pair]
            uses.subtract(pair)
            for number in {number for number in pair if not uses[number]}:
                del ready[number]
            yield self._window_scores(*sides)

    def _embed_all(self, requests: Sequence[Request]) -> Iterator[Embedded | AudioError]:
        return self._embedder.embed_all(requests)

    def _window_scores(
        self, conditioning: Embedded | AudioError, accompaniment: Embedded | AudioError
    ) -> WindowScores | AudioError:
        if isinstance(conditioning, AudioError):
            return conditioning
        if isinstance(accompaniment, AudioError):
            return accompaniment
        scores = window_similarities(conditioning, accompaniment)
        heard = scores[~np.isnan(scores)]
        mean = float(heard.mean()) if len(heard) else math.nan
        return WindowScores(self.plan.starts(len(scores)), tuple(scores.tolist()), mean, len(scores) - len(heard))


def _loaded(checkpoint: Any) -> Any:
    return checkpoint.model.config, checkpoint.state


def _raised(result: _Result | AudioError) -> _Result:
    if isinstance(result, AudioError):
        raise result
    return result


def _check_counts(conditionings: Sequence[AudioInput], accompaniments: Sequence[AudioInput]) -> None:
    if len(conditionings) != len(accompaniments):
        raise UsageError(
            f"{len(conditionings)} conditionings and {len(accompaniments)} accompaniments make no pairs: "
            "pass as many of one as of the other"
        )


def _warned_of_silence(scores: FloatArray) -> FloatArray:
    unscored = int(np.isnan(scores).sum())
    if unscored:
        message = f"{unscored} of {scores.size} pairs have no window with sound on both sides: their score is NaN"
        warn_caller(message, AudioWarning)
    return scores
