"""The COCOLA score of audio (section 3.2): pairs, matrices, rankings and accuracies, each audio embedded once."""

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from . import checkpoints, functional
from .audio import HOP, SAMPLE_RATE, WINDOW, AudioInput, AudioWarning, WindowPlan, cancelling_channels
from .blame import warn_caller
from .encoder import MODES, CocolaModel, Mode, SymmetricSimilarity, fold_batch_norm
from .errors import AudioError, UsageError
from .scoring import Catalogue, Embedded, WindowEmbedder, mean_similarities, window_similarities
from .signature import signature
from .torch_state import each_with_own_torch_state, with_own_torch_state

UNUSUAL_SIMILARITIES = ("complex_bilinear", "semidefinite")
"""Those that fit the same weights as another, more usual one: signatures name them."""
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class WindowScores:
    """COCOLA scores over time.

    Attributes:
        starts: of each window, seconds.
        scores: of each window; NaN where either side is silent.
        mean: over the windows that are not silent; NaN if there is none.
        silent_windows: number of windows left out of the mean.
    """

    starts: tuple[float, ...]
    scores: tuple[float, ...]
    mean: float
    silent_windows: int


@dataclass(frozen=True)
class Ranked:
    """A candidate's place in the list that was ranked, and its score."""

    index: int
    score: float


class CocolaScorer:
    """Scores how well accompaniments fit the music they are to accompany.

    The order of arguments matters, unless ``symmetric`` is set: h_y^T W h_x is not symmetric. Every audio argument is
    a path, a list of stem paths (summed, Eq. 1), or a floating-point tensor or array (channels, time) with
    ``sample_rate=``.

    Policies: audio is cut into windows of 5 s every 2.5 s (`windows.split_windows` says what happens at the end). Of
    two audios of unequal length the common part is scored, with a warning above 0.1 s. A window in which either side
    is silent has no score (NaN), and is left out of the mean.
    """

    @with_own_torch_state
    def __init__(
        self,
        model: CocolaModel,
        *,
        name: str = "unnamed",
        weights_sha256: str = "",
        mode: Mode = "both",
        device: str | torch.device | None = None,
        window: float = WINDOW,
        hop: float = HOP,
        batch_size: int | None = None,
        symmetric: bool = False,
    ) -> None:
        """Wrap a model, which from now on belongs to the scorer; `from_pretrained` is the usual way in."""
        if mode not in MODES:
            raise UsageError(f"mode {mode!r} is none of {', '.join(MODES)}")
        if mode != "both" and model.encoder.front_end.channels == 1:
            raise UsageError(f"mode {mode!r} needs a two-channel model (front end 'hps'); this one hears everything")
        self.name, self.weights_sha256, self.mode = name, weights_sha256, mode
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size={batch_size}: pass at least 1")
        self.device = _device(device)
        self.plan = WindowPlan(window, hop)
        least = model.encoder.front_end.kind.least_samples
        if self.plan.size < least:
            raise UsageError(f"window={window} is too short for the encoder: pass at least {least / SAMPLE_RATE:.3g}")
        self._config = model.config
        self._stored: Mapping[str, Tensor] = model.state_dict()  # folding makes new tensors and leaves these alone
        fold_batch_norm(model).to(self.device)
        self.symmetric = symmetric
        one_way = model.similarity.cpu()
        self._similarity = SymmetricSimilarity(one_way) if symmetric else one_way
        self._embedder = WindowEmbedder(
            model.encoder, mode=mode, device=self.device, plan=self.plan, batch_size=batch_size
        )

    @classmethod
    @with_own_torch_state
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = "embedded",
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        mode: Mode = "both",
        device: str | torch.device | None = None,
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
        checkpoint = checkpoints.load(name, revision=revision, token=token)
        scorer = cls(
            checkpoint.model,
            name=checkpoint.name,
            weights_sha256=checkpoint.sha256,
            mode=mode,
            device=device,
            window=window,
            hop=hop,
            batch_size=batch_size,
            symmetric=symmetric,
        )
        scorer._stored = checkpoint.state
        return scorer

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dtype: torch.dtype | None = None,
        license: str | None = None,
        training_data: str | None = None,
        results: Mapping[str, float | str] | None = None,
    ) -> Path:
        """Write ``config.json``, ``model.safetensors`` and a model card; `from_pretrained` loads the folder.

        The weights are those this scorer was made from, bit for bit, before they were prepared for inference.

        Args:
            folder: made if it is not there.
            dtype: of the weights in the file; None keeps them as they were stored.
            license: for the card, an identifier of the Hub's list, such as "mit".
            training_data: for the card, in a sentence.
            results: for the card: measure -> value.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        from .checkpoints import CardFacts, save_with_card

        facts = CardFacts(license, training_data, results or {})
        save_with_card(self._config, self._stored, Path(folder), facts, dtype=dtype)
        return Path(folder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        dtype: torch.dtype | None = None,
        license: str | None = None,
        training_data: str | None = None,
        results: Mapping[str, float | str] | None = None,
    ) -> str:
        """Publish what `save_pretrained` writes as one commit of a Hub repository, and return the commit.

        Args:
            repo_id: "organisation/name"; made if it is not there.
            private: whether a new repository is; None leaves it to the account's setting.
            token: with permission to write; by default the one that the user is logged in with.
            revision: branch, made if it is not there; by default the main one.
            commit_message: in the repository's history.
            dtype: as for `save_pretrained`, like those that follow.
            license: for the card.
            training_data: for the card.
            results: for the card.

        Raises:
            CheckpointError: the Hub refuses or does not answer.
        """
        from .checkpoints import CardFacts, push

        return push(
            self._config,
            self._stored,
            repo_id,
            CardFacts(license, training_data, results or {}),
            private=private,
            token=token,
            revision=revision,
            commit_message=commit_message,
            dtype=dtype,
        )

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
            front_end="" if self._config.backbone.endswith("_efficientnet_b0") else self._config.front_end,
            similarity=self._config.similarity if self._config.similarity in UNUSUAL_SIMILARITIES else "",
            symmetric=self.symmetric,
        )

    @with_own_torch_state
    def embed(self, audio: AudioInput, *, sample_rate: float | None = None) -> Tensor:
        """Return the embedding of every window.

        Shape:
            -> (K, D).

        Raises:
            AudioError: the input cannot be read.
        """
        catalogue = Catalogue(sample_rate)
        catalogue.add(audio)
        return _raised(next(self._embedder.embed_all(catalogue.requests([])))).embeddings

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
    ) -> Tensor:
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
        return _warned_of_silence(torch.tensor(scores, dtype=torch.float32, device="cpu"))

    @with_own_torch_state
    def similarity_matrix(
        self,
        conditionings: Sequence[AudioInput],
        accompaniments: Sequence[AudioInput],
        *,
        sample_rate: float | None = None,
    ) -> Tensor:
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
        embedded = [_raised(result) for result in self._embedder.embed_all(requests)]
        scores = mean_similarities(
            self._similarity, [embedded[row] for row in rows], [embedded[column] for column in columns]
        )
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
        batches = torch.stack([scores[first : first + size, first : first + size] for first in range(0, used, size)])
        return functional.accuracy(batches).mean().item()

    @with_own_torch_state
    def rank(
        self, conditioning: AudioInput, candidates: Sequence[AudioInput], *, sample_rate: float | None = None
    ) -> list[Ranked]:
        """Return the candidates by falling score; those too silent to be scored come last, with NaN.

        Raises:
            AudioError: an input cannot be read.
        """
        scores = self.similarity_matrix([conditioning], candidates, sample_rate=sample_rate)[0].tolist()
        ranked = [Ranked(index, score) for index, score in enumerate(scores)]
        return sorted(ranked, key=lambda entry: (math.isnan(entry.score), -entry.score))

    @each_with_own_torch_state
    def iter_scores(
        self, pairs: Iterable[tuple[AudioInput, AudioInput]], *, sample_rate: float | None = None
    ) -> Iterator[WindowScores | AudioError]:
        """Yield the window scores of each pair, in order, as they become ready; for a pair that cannot be read, why."""
        catalogue = Catalogue(sample_rate)
        numbers = [(catalogue.add(conditioning), catalogue.add(accompaniment)) for conditioning, accompaniment in pairs]
        results = self._embedder.embed_all(catalogue.requests(numbers))
        ready: list[Embedded | AudioError] = []
        for left, right in numbers:
            ready += itertools.islice(results, max(0, max(left, right) + 1 - len(ready)))
            conditioning, accompaniment = ready[left], ready[right]
            if isinstance(conditioning, AudioError):
                yield conditioning
            elif isinstance(accompaniment, AudioError):
                yield accompaniment
            else:
                yield self._window_scores(window_similarities(self._similarity, conditioning, accompaniment))

    def _window_scores(self, similarities: Tensor) -> WindowScores:
        silent = int(similarities.isnan().sum())
        mean = similarities.nanmean().item()
        return WindowScores(self.plan.starts(len(similarities)), tuple(similarities.tolist()), mean, silent)


def _device(name: str | torch.device | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).cpu()  # a name that torch knows need not stand for something in this machine
    except (RuntimeError, AssertionError, NotImplementedError, ImportError, TypeError, ValueError) as error:
        known = "cpu" if not torch.cuda.is_available() else f"cpu, or cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(f"device {str(name)!r} cannot be used here ({reason[:200]}): pass {known}") from error
    return device


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


def _warned_of_silence(scores: Tensor) -> Tensor:
    unscored = int(scores.isnan().sum())
    if unscored:
        message = f"{unscored} of {scores.numel()} pairs have no window with sound on both sides: their score is NaN"
        warn_caller(message, AudioWarning)
    return scores
