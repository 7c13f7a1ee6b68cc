"""CLAP, EnCodec and VGGish through frechet-audio-distance (extra [fad]), of which only the embeddings are used.

The package's `score()` is not used. It catches every exception and returns -1, silently leaves out clips that fail,
embeds a random 10 s of longer clips with CLAP, and takes a matrix root that is wrong for n < D. Here every clip is
embedded alone, at the right rate and in stated windows, and must give the right number of rows.
"""

import contextlib
import io
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ..arrays import AnyArray, to_numpy
from ..errors import AudioError, CheckpointError, MissingExtraError, UsageError
from ..identity import file_sha256
from ..signature import HASH_DIGITS
from .clap_files import CLAP_FILES
from .foreign_code import pinned_code_sha256
from .frechet import Array

PACKAGE = "frechet-audio-distance"
VGGISH_CODE = "harritaylor_torchvggish_master"
"""Folder of the Python code that torch.hub runs, within the folder of weights."""
Axis = Literal["time", "legacy"]
CLAP_WINDOW = 480_000
"""Most samples that CLAP embeds at once, 10 s; its own code takes a random 10 s of longer audio."""


@dataclass(frozen=True)
class Backbone:
    """A network of the package.

    Attributes:
        name: `model_name` of the package.
        sample_rate: rate of its waveforms, in Hz.
        dimension: dimension of its embeddings, D.
        files: paths within the weights folder, first the file that identifies the weights.
        also: other files that it needs offline, for messages.
        rows: number of samples of a clip -> number of its embeddings.
        options: options of the package's constructor.
    """

    name: str
    sample_rate: int
    dimension: int
    files: tuple[str, ...]
    also: str
    rows: Callable[[int], int]
    options: dict[str, Any] = field(default_factory=dict)


def clap_windows(length: int) -> list[tuple[int, int]]:
    """Cut `length` samples into adjacent windows of 10 s; a rest of half a window, or a lone one, is a window too."""
    starts = range(0, length, CLAP_WINDOW)
    windows = [(start, min(start + CLAP_WINDOW, length)) for start in starts]
    return [(start, end) for start, end in windows if start == 0 or 2 * (end - start) >= CLAP_WINDOW]


def vggish_examples(length: int) -> int:
    """Return the number of VGGish's examples, of 96 frames of 25 ms every 10 ms."""
    return max(0, (1 + (length - 400) // 160) // 96)


CLAP = Backbone(
    "clap",
    48_000,
    512,
    (),  # given by the submodel
    "roberta-base in the Hugging Face cache ($HF_HOME): the package builds CLAP's text tower too",
    lambda length: len(clap_windows(length)),
)
ENCODEC = Backbone(
    "encodec", 24_000, 128, ("checkpoints/encodec_24khz-d7cc33bc.th",), "", lambda length: math.ceil(length / 320)
)
VGGISH = Backbone(
    "vggish",
    16_000,
    128,
    ("checkpoints/vggish-10086976.pth", "checkpoints/vggish_pca_params-970ea276.pth", VGGISH_CODE),
    "",
    vggish_examples,
    {"use_pca": False, "use_activation": False},
)
PACKAGE_MODELS = {backbone.name: backbone for backbone in (CLAP, ENCODEC, VGGISH)}


class PackageEmbedder:
    """A backbone of frechet-audio-distance as an embedder.

    Args:
        backbone: backbone, one of CLAP, ENCODEC and VGGISH.
        weights: folder of its files; by default torch's hub folder (``$TORCH_HOME/hub``, ``~/.cache/torch/hub``).
        download: True downloads missing weights; False names them in an error, and uses no network.
        submodel: submodel of CLAP, a key of `CLAP_FILES`.
        axis: axis of EnCodec's samples. "legacy" takes the 128 channels as samples and the frames as dimensions, as the
            package did until February 2026, for comparisons with numbers of that time; all clips must have one length.

    Raises:
        MissingExtraError: the package is not installed.
        CheckpointError: weights are missing, or cannot be loaded.
    """

    parallel = False  # the package prints, and silencing it affects the whole process

    def __init__(
        self,
        backbone: Backbone,
        *,
        weights: Path | None = None,
        download: bool = False,
        submodel: str = "630k-audioset",
        axis: Axis = "time",
    ) -> None:
        if submodel not in CLAP_FILES:
            raise UsageError(f"submodel must be one of {', '.join(CLAP_FILES)}; got {submodel!r}")
        self.name, self.sample_rate, self.backbone = backbone.name, backbone.sample_rate, backbone
        self.axis: Axis = axis if backbone is ENCODEC else "time"
        self.weights = weights or Path(torch.hub.get_dir())
        files, options = backbone.files, dict(backbone.options)
        if backbone is CLAP:
            files, options["submodel_name"] = (CLAP_FILES[submodel],), submodel
        package = _package_version()
        if not download:
            _check_files(backbone, self.weights, files)
        if backbone is VGGISH:
            pinned_code_sha256(self.weights / VGGISH_CODE)  # before it is run
        with _offline_unless(download), _silenced() as printed, _hub_folder_kept():
            self._network = _construct(backbone, self.weights, options, printed)
        recipe = {
            "embedder": self.name + (f"-{submodel}" if backbone is CLAP else ""),
            "weights": file_sha256(self.weights / files[0])[:HASH_DIGITS],
            "sr": str(self.sample_rate),
            "axis": self.axis,
            "package": f"{PACKAGE}-{package}",
        }
        if backbone is VGGISH:
            recipe["code"] = pinned_code_sha256(self.weights / VGGISH_CODE)[:HASH_DIGITS]
        self.recipe = "|".join(f"{key}:{value}" for key, value in recipe.items())

    def embed(self, waveform: AnyArray) -> Array:
        """Embed one clip, (L,) -> (n, D).

        Raises:
            AudioError: the clip is too short, or the network did not give n rows of D finite values.
        """
        expected = (self.backbone.rows(len(waveform)), self.backbone.dimension)
        if not expected[0]:
            raise AudioError(f"{len(waveform) / self.sample_rate:.2f} s is too short for {self.name}; pass 1 s or more")
        spans = clap_windows(len(waveform)) if self.backbone is CLAP else [(0, len(waveform))]
        samples = to_numpy(waveform)
        windows = [samples[start:end] for start, end in spans]
        with _silenced() as printed, torch.no_grad():
            try:
                rows = np.atleast_2d(np.asarray(self._network.get_embeddings(windows, self.sample_rate)))
            except ValueError as error:  # raised for an empty list; the package has caught and printed the reason
                reason = printed.getvalue().strip().rpartition("\n")[2] or error
                raise AudioError(f"{self.name} gave no embeddings ({reason}); check the clip") from error
        if self.backbone is ENCODEC and rows.shape == expected[::-1] != expected:
            rows = rows.T  # versions before 0.3.4
        if rows.shape != expected or not np.isfinite(rows).all():
            raise AudioError(f"{self.name} gave {rows.shape} values, not {expected} finite ones; check the clip")
        return np.ascontiguousarray(rows.T if self.axis == "legacy" else rows, dtype=np.float64)


def _package_version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError as error:
        raise MissingExtraError(
            "clap, encodec and vggish need frechet-audio-distance; run pip install 'cocola-metric[fad]' (about "
            "100 packages, and numpy below 2 before Python 3.13: docs/fad.md), or use the embedder 'cocola'"
        ) from error


def _check_files(backbone: Backbone, folder: Path, files: tuple[str, ...]) -> None:
    missing = [str(folder / file) for file in files if not (folder / file).exists()]
    if missing:
        also = f" (and {backbone.also})" if backbone.also else ""
        raise CheckpointError(
            f"{backbone.name}: {', '.join(missing)} missing{also}; put them there (docs/fad.md names their sources), "
            "or let them be downloaded (--download, download=True)"
        )


def _construct(backbone: Backbone, folder: Path, options: dict[str, Any], printed: io.StringIO) -> Any:
    try:
        from frechet_audio_distance import FrechetAudioDistance

        return FrechetAudioDistance(
            ckpt_dir=str(folder), model_name=backbone.name, sample_rate=backbone.sample_rate, **options
        )
    except Exception as error:  # five libraries raise different errors for a wrong or missing file
        said = printed.getvalue().strip().rpartition("\n")[2]
        hint = f"; it also needs {backbone.also}" if backbone.also else ""
        raise CheckpointError(
            f"{backbone.name} cannot be loaded from {folder}: {type(error).__name__}: {error} {said}{hint}"
        ) from error


@contextlib.contextmanager
def _silenced() -> Iterator[io.StringIO]:
    """Catch printed text (800 lines when CLAP is built), and ignore warnings about foreign code."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield printed


@contextlib.contextmanager
def _hub_folder_kept() -> Iterator[None]:
    """Undo the package's `torch.hub.set_dir`, which is a setting of the whole process."""
    before = torch.hub.get_dir()
    try:
        yield
    finally:
        torch.hub.set_dir(before)


@contextlib.contextmanager
def _offline_unless(download: bool) -> Iterator[None]:
    """Keep Hugging Face's client from the network: importing laion_clap asks it for tokenizers, for ten minutes."""
    if download:
        yield
        return
    name = "HF_HUB_OFFLINE"
    constants = sys.modules.get("huggingface_hub.constants")  # read at its import, which timm's may have been
    before, constant = os.environ.get(name), getattr(constants, name, None)
    os.environ[name] = "1"
    if constants is not None:
        setattr(constants, name, True)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
        constants = constants or sys.modules.get("huggingface_hub.constants")
        if constants is not None:
            setattr(constants, name, bool(constant))
