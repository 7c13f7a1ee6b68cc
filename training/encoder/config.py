"""What a training run is made of: the paper's values are the defaults, a TOML file lists what differs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cocola_metric.encoder import EncoderConfig
from cocola_metric.errors import UsageError

from ..runs import build_settings, read_settings
from ..signal import PARTITIONS, SubsetLaw

OPTIMIZERS = ("adam", "muon")
ALTERATIONS = ("shift", "transpose", "stretch", "noise")
LEVELS = ("random", "raw")
SUBSETS = ("in_turn", "even")
NOISY_SIDES = ("both", "accompaniment")
W_INITS = ("identity", "normal")


@dataclass(frozen=True)
class SamplingConfig:
    """How batches are drawn (sections 3.1 and 4.3 of the paper).

    The defaults are the paper's, except for ``levels``, ``silent_stems`` and ``noisy_sides``: ``configs/paper_*.toml``
    have these as the authors did.

    Attributes:
        window: L, seconds.
        shortest_window: if above zero, the windows of each batch have a length of their own from here to ``window``,
            seconds.
        batch_size: K, windows per batch.
        max_overlap: r, the largest overlap of two windows of one track in a batch.
        windows_per_track: windows drawn from each drawn track; above 1, every batch has negatives of the same track.
        partition: "window" draws the two subsets anew in each window, as the paper does. Then a negative of the same
            track may share a stem with its conditioning, which gives it away; "track" splits a track once per batch.
        subsets: law of the sizes of the two subsets, "in_turn" or "even", as for ``signal.draw_subsets``.
        single_stem: one stem on either side: the single stem case of Figure 2.
        levels: "random" brings every sub-mix to a level of its own between -32 and -12 dBFS, so that loudness tells
            nothing; "raw" leaves it as loud as its stems are in their files, as the authors do.
        silent_stems: draw stems that are silent in a window, too, as the authors do; by default they stay out (below
            -45 dBFS). Needs raw levels.
        noise: standard deviation of the Gaussian noise.
        noisy_sides: which sub-mixes have the noise: "both", or "accompaniment" alone: the positive samples of section
            4.3, as in the authors' code.
        loudest_noise: if above ``noise``, each sub-mix has a noise of its own between the two.
        mode_shares: how often a pair is heard as both, harmonic and percussive (two-channel front end only).
        alterations: share of batches in which every pair also gets its own accompaniment made wrong as a negative:
            "shift" (early or late), "transpose", "stretch", or "noise" (of its spectrum, instead of it). Whatever a
            transposition or a stretch does to the sound it does to both sides of the right pair, too.
        largest_transposition: semitones.
        smallest_stretch: difference of tempo; the largest is 8 %.
        smallest_shift: seconds.
        largest_shift: seconds.
        shifts_on_beat: share of shifts by a quarter of the track's beat, a half or a whole one, instead of any time
            between these two: what is wrong still keeps to the grid of the music, and so is the harder to hear.
        equaliser_db: standard deviation of the slowest of the random filters on every sub-mix; 0, no filter.
        low_pass: share of sub-mixes with a random low-pass.
    """

    window: float = 5.0
    shortest_window: float = 0.0
    batch_size: int = 32
    max_overlap: float = 0.5
    windows_per_track: int = 1
    partition: str = "window"
    subsets: str = "in_turn"
    single_stem: bool = False
    levels: str = "random"
    silent_stems: bool = False
    noise: float = 1e-3
    noisy_sides: str = "both"
    loudest_noise: float = 0.0
    mode_shares: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    alterations: dict[str, float] = field(default_factory=dict)
    largest_transposition: int = 6
    smallest_stretch: float = 0.02
    smallest_shift: float = 0.06
    largest_shift: float = 0.6
    shifts_on_beat: float = 0.0
    equaliser_db: float = 0.0
    low_pass: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shortest_window <= self.window:
            raise UsageError(f"shortest_window is 0 or at most window={self.window}; got {self.shortest_window}")
        _check_choice("partition", self.partition, PARTITIONS)
        _check_choice("subsets", self.subsets, SUBSETS)
        _check_choice("levels", self.levels, LEVELS)
        _check_choice("noisy_sides", self.noisy_sides, NOISY_SIDES)
        if self.silent_stems and self.levels != "raw":
            raise UsageError("silent_stems needs levels = 'raw': silence cannot be brought to a level")
        if sum(self.alterations.values()) > 1 or not set(self.alterations) <= set(ALTERATIONS):
            raise UsageError(f"alterations are shares of {', '.join(ALTERATIONS)} that sum to at most 1")

    @property
    def subset_law(self) -> SubsetLaw:
        """Law by which stems are drawn into the two sub-mixes."""
        if self.single_stem:
            return "single"
        return "even" if self.subsets == "even" else "in_turn"


@dataclass(frozen=True)
class TrainingConfig:
    """A training run (sections 4.2 and 4.3 of the paper).

    Attributes:
        corpora: what to train on, as for ``corpora.open_corpora``, unless the command line says otherwise.
        encoder: the model to train.
        sampling: how batches are drawn.
        w_init: start of the matrix W of Eq. 2: "identity", scaled, or "normal", N(0, 0.05) as in the authors' code.
        optimizer: a key of ``OPTIMIZERS``: "adam", as in the paper, or "muon", which turns the updates of the encoder's
            matrices into orthogonal ones, with AdamW for everything else.
        learning_rate: of Adam.
        similarity_learning_rate: of Adam, for the matrix W of the similarity; as the rest, in the paper.
        muon_learning_rate: of Muon.
        weight_decay: of Muon and AdamW.
        steps: optimiser steps.
        warmup_steps: steps over which the learning rate rises linearly; afterwards it falls as a cosine to zero.
            0 keeps it constant, as in the paper.
        short_steps: the first steps hear only ``short_window`` of each window, drawn anew each step, and both channels:
            they cost less, and the encoder learns the same first things from them.
        short_window: seconds, with ``short_steps``.
        frozen_stages: stages of the backbone, the stem and the first ones, that keep the weights they start from. What
            they see is small marks in large images: to learn these costs most, and they are the same in all music.
        start_share: of the weights that a run starts from, in those that it ends with; the rest is what it learned. In
            between an encoder forgets less (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022).
        label_smoothing: share of the target of Eq. 3 that is spread over all accompaniments of the batch.
        turned: number of further wrong accompaniments of each pair, half late or early, half transposed: its own with
            its phasors turned; for `train-head`, and heads with phasors over time and pitch.
        validation_windows: windows of a validation batch, two from each track; as many have to be found in the
            validation split, no two of one track overlapping by more than ``sampling.max_overlap``.
        bfloat16: run the backbone in bfloat16.
        seed: of everything drawn.
    """

    corpora: tuple[str, ...] = ()
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    w_init: str = "identity"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    similarity_learning_rate: float = 1e-3
    muon_learning_rate: float = 0.02
    weight_decay: float = 0.0
    steps: int = 20_000
    warmup_steps: int = 0
    short_steps: int = 0
    short_window: float = 2.0
    frozen_stages: int = 0
    start_share: float = 0.0
    label_smoothing: float = 0.0
    turned: int = 0
    validation_windows: int = 32
    bfloat16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("w_init", self.w_init, W_INITS)
        if self.validation_windows < 2:
            raise UsageError(f"validation_windows must be 2 or more; got {self.validation_windows}")


def _check_choice(setting: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{setting} must be one of {', '.join(known)}; got {value!r}")


def load_config(path: Path, changes: Sequence[str] = ()) -> TrainingConfig:
    """Read a TOML file of differences from the paper.

    Args:
        path: of the file.
        changes: settings in place of the file's, as ``sampling.noise=0.01``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key that no setting has, or a change that is no TOML.
    """
    values = read_settings(path, changes)
    encoder = build_settings(EncoderConfig, values.pop("encoder", {}), path)
    sampling = build_settings(SamplingConfig, values.pop("sampling", {}), path)
    return build_settings(TrainingConfig, {**values, "encoder": encoder, "sampling": sampling}, path)
