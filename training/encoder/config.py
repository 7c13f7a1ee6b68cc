"""The settings of a training run: the paper's values are the defaults, and a TOML file lists the differences."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cocola_metric.audio import SAMPLE_RATE
from cocola_metric.encoder import FRONT_ENDS, EncoderConfig
from cocola_metric.errors import UsageError

from ..runs import build_settings, pop_table, read_settings
from ..signal import BLEEDS, PARTITIONS, SubsetLaw

OPTIMIZERS = ("adam", "muon")
ALTERATIONS = ("shift", "transpose", "stretch", "noise")
LEVELS = ("random", "raw")
SUBSETS = ("in_turn", "even")
NOISY_SIDES = ("both", "accompaniment")
W_INITS = ("identity", "normal")


@dataclass(frozen=True)
class SamplingConfig:
    """The settings of drawing batches (sections 3.1 and 4.3 of the paper).

    The defaults are the paper's, except for ``levels``, ``silent_stems`` and ``noisy_sides``: ``configs/paper_*.toml``
    have the authors' values of these.

    Attributes:
        window: L, the length of a window, in seconds.
        shortest_window: length of the shortest windows, in seconds: each batch draws its own length from here to
            ``window``; 0 gives all batches windows of length ``window``. ``train-head`` cuts the maps of whole windows.
        batch_size: K, the number of windows per batch.
        max_overlap: r, the largest overlap of two windows of one track in a batch.
        windows_per_track: number of windows drawn from each drawn track; above 1, every batch has negatives of the same
            track.
        partition: time of splitting stems: "window" draws the two subsets anew in each window, as the paper does; a
            negative of the same track may then share a stem with its conditioning, which gives it away. "track" splits
            a track once per batch.
        subsets: law of the sizes of the two subsets, "in_turn" or "even", as for ``signal.draw_subsets``.
        single_stem: choice of one stem on either side: the single stem case of Figure 2.
        levels: level of the sub-mixes: "random" brings each to a level of its own between -32 and -12 dBFS, so that
            loudness gives nothing away; "raw" leaves it as loud as its stems are in their files, as the authors do.
        silent_stems: choice of drawing stems that are silent in a window (below -45 dBFS) too, as the authors do; it
            needs raw levels.
        noise: standard deviation of the Gaussian noise.
        noisy_sides: sub-mixes that have the noise: "both", or "accompaniment" alone: the positive samples of section
            4.3, as in the authors' code.
        loudest_noise: upper limit of the noise; if above ``noise``, each sub-mix draws its own between the two.
        mode_shares: shares of pairs that are encoded as both, harmonic and percussive (two-channel front end only).
        alterations: share of batches, by alteration, in which every pair also has its own accompaniment made wrong as a
            negative: "shift" (early or late), "transpose", "stretch", or "noise" (noise with the same spectrum in its
            place). A transposition or stretch processes both sides of the right pair as well, so that its sound gives
            nothing away.
        largest_transposition: largest transposition, in semitones.
        smallest_stretch: smallest relative difference of tempo; the largest is 8 %.
        smallest_shift: smallest shift, in seconds.
        largest_shift: largest shift, in seconds.
        shifts_on_beat: share of shifts by a quarter, a half or a whole beat of the track; all others are by any time
            between the two above. A shift on the beat keeps to the grid of the music, and is harder to notice.
        equaliser_db: standard deviation of the slowest of the random filters on every sub-mix, in dB; 0 for no filter.
        low_pass: share of sub-mixes with a random low-pass.
        fastest: largest factor by which a track is played faster or slower, unevenly, as a record turns: all its
            windows in a batch alike; 1 leaves its speed alone.
        room: share of sub-mixes in a room, each in its own.
        overdrive: share of sub-mixes from an overdriven amplifier.
        codec: share of sub-mixes that were in a lossy file of MP3 or Ogg Vorbis, each in its own.
        bleed: share of windows whose stems bleed: each has the other stems of its track in it, quieter than they are.
        bleed_db: lowest and highest level of what leaks, in dB relative to what it is a copy of; each stem draws its
            own, in every window.
        bleed_as: way of the leak, as for ``signal.leak``: "plain", "room" or "separator".
        foreign_bleed: share of sub-mixes into which another track of the batch leaks, at a level of ``bleed_db``: the
            same dirt, which tells nothing of what belongs together.
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
    fastest: float = 1.0
    room: float = 0.0
    overdrive: float = 0.0
    codec: float = 0.0
    bleed: float = 0.0
    bleed_db: tuple[float, float] = (-30.0, -10.0)
    bleed_as: str = "plain"
    foreign_bleed: float = 0.0

    def untreated(self) -> "SamplingConfig":
        """Return the same settings without filter, room, overdrive, codec, bleed, added noise or change of speed."""
        dry = dataclasses.replace(self, room=0.0, overdrive=0.0, codec=0.0, bleed=0.0, foreign_bleed=0.0, fastest=1.0)
        return dataclasses.replace(dry, equaliser_db=0.0, low_pass=0.0, loudest_noise=0.0)

    def __post_init__(self) -> None:
        if self.fastest < 1:
            raise UsageError(f"fastest must be a factor of at least 1, which leaves speeds alone; got {self.fastest}")
        if not 0 <= self.shortest_window <= self.window:
            raise UsageError(f"shortest_window must be from 0 to window={self.window}; got {self.shortest_window}")
        _check_choice("partition", self.partition, PARTITIONS)
        _check_choice("subsets", self.subsets, SUBSETS)
        _check_choice("levels", self.levels, LEVELS)
        _check_choice("noisy_sides", self.noisy_sides, NOISY_SIDES)
        _check_choice("bleed_as", self.bleed_as, BLEEDS)
        if not self.bleed_db[0] <= self.bleed_db[1] <= 0:
            found = list(self.bleed_db)
            raise UsageError(
                f"bleed_db must be two levels of at most 0 dB, the lowest first, as [-30, -10]; got {found}"
            )
        if self.silent_stems and self.levels != "raw":
            raise UsageError(
                "silent_stems needs levels = 'raw', since silence has no level to bring to another; set it"
            )
        if sum(self.alterations.values()) > 1 or not set(self.alterations) <= set(ALTERATIONS):
            known = ", ".join(ALTERATIONS)
            raise UsageError(f"alterations must be shares of {known} that sum to at most 1; got {self.alterations}")

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
        corpora: corpora to train on, as for ``corpora.open_corpora``, unless the command line names others.
        encoder: configuration of the model to train.
        sampling: settings of drawing batches.
        w_init: start of the matrix W of Eq. 2: "identity", scaled, or "normal", N(0, 0.05) as in the authors' code.
        optimizer: key of ``OPTIMIZERS``: "adam", as in the paper, or "muon", which makes the updates of the encoder's
            matrices orthogonal, with AdamW for all other weights. For `train-head` the kernels of convolutions are
            matrices too, and so is each W_k of the phasors.
        learning_rate: learning rate of Adam.
        similarity_learning_rate: learning rate of Adam for the matrix W of the similarity; the paper has the same as
            for all other weights.
        muon_learning_rate: learning rate of Muon.
        weight_decay: weight decay of Muon and AdamW.
        steps: number of optimiser steps.
        warmup_steps: number of steps of a linear rise, after which the rate falls as a cosine to zero; 0 keeps it
            constant, as in the paper.
        short_steps: number of first steps that use only ``short_window`` of each window, drawn anew each step, in both
            channels. They cost less, and the encoder learns the same first things from them.
        short_window: length of the windows in the ``short_steps``, in seconds.
        frozen_stages: number of stages of the backbone, with the stem as the first, that keep the weights they start
            from. They respond to small marks in large images: training them costs most, and they are the same in all
            music.
        start_share: share of the weights that a run starts from in the final ones; the rest is the trained weights.
            Between the two an encoder forgets less (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022).
        label_smoothing: share of the target of Eq. 3 that is spread over all accompaniments of the batch.
        turned: number of further wrong accompaniments of each pair, half of them shifted and half transposed, made by
            turning the phasors of its own; for `train-head`, and heads with phasors over time and pitch.
        noises: number of windows of noise, white or coloured, in a step, trained to score below accompaniments
            of other tracks; for `train-head`.
        noise_weight: weight of that in the loss.
        itself: choice of the conditioning as one more wrong accompaniment of itself; for `train-head`.
        phasors_alone: choice to leave the real part out of the similarity, for a head that is joined to an encoder
            with a real part of its own; for `train-head`.
        forms_alone: choice to train the matrices of the phasors' similarity alone, on embeddings that are computed
            once: thousands of steps in minutes; for `train-head`.
        calibration: replace the running statistics of BatchNorm at the end by plain averages over whole windows; the
            authors keep the running ones.
        validation_windows: windows of a validation batch, two from each track; as many have to be found in the
            validation split, no two of one track overlapping by more than ``sampling.max_overlap``.
        bfloat16: switch for bfloat16 in the backbone.
        seed: seed of everything drawn.
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
    noises: int = 0
    noise_weight: float = 0.5
    itself: bool = False
    phasors_alone: bool = False
    forms_alone: bool = False
    calibration: bool = True
    validation_windows: int = 32
    bfloat16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("w_init", self.w_init, W_INITS)
        if self.validation_windows < 2:
            raise UsageError(f"validation_windows must be 2 or more; got {self.validation_windows}")
        least = FRONT_ENDS[self.encoder.front_end].least_samples / SAMPLE_RATE
        lengths = {"sampling.window": self.sampling.window, "short_window": self.short_window}
        if self.sampling.shortest_window:
            lengths["sampling.shortest_window"] = self.sampling.shortest_window
        for setting, seconds in lengths.items():
            if seconds < least:
                needed = f"{least:.2f} s, which front end {self.encoder.front_end!r} needs"
                raise UsageError(f"{setting} must be at least {needed}; got {seconds:g}")


def _check_choice(setting: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{setting} must be one of {', '.join(known)}; got {value!r}")


def load_config(path: Path, changes: Sequence[str] = ()) -> TrainingConfig:
    """Read a TOML file of differences from the paper.

    Args:
        path: file to read.
        changes: settings in place of the file's, as ``sampling.noise=0.01``; a value is TOML.

    Raises:
        CocolaError: the file is missing or no TOML, a key is no setting, or a change is no TOML.
    """
    values = read_settings(path, changes)
    encoder = build_settings(EncoderConfig, pop_table(values, "encoder", path), path)
    sampling = build_settings(SamplingConfig, pop_table(values, "sampling", path), path)
    return build_settings(TrainingConfig, {**values, "encoder": encoder, "sampling": sampling}, path)
