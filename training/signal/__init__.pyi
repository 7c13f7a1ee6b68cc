from .bleed import BLEEDS, CUTOFFS_HZ, DELAYS, bleed_gains, bleed_stems, leak
from .codecs import CODECS, code_lossily
from .cues import (
    SubmixCues,
    beat_period,
    coherence,
    join_cues,
    loudness_differences,
    measure_cues,
    onsets_together,
    pitchedness,
    spectral_differences,
)
from .partitions import PARTITIONS, SUBSET_LAWS, Partition, SubsetLaw
from .recording import overdrive, play_unevenly, reverberate
from .sampling import (
    SOUNDING_DBFS,
    SOUNDING_POWER,
    audible,
    draw_subsets,
    level_db,
    mix_at_level,
    overlap_ratio,
)
from .transforms import equalise, noise_like, stretch, transpose

__all__ = [
    "BLEEDS",
    "CODECS",
    "CUTOFFS_HZ",
    "DELAYS",
    "PARTITIONS",
    "SOUNDING_DBFS",
    "SOUNDING_POWER",
    "SUBSET_LAWS",
    "Partition",
    "SubmixCues",
    "SubsetLaw",
    "audible",
    "beat_period",
    "bleed_gains",
    "bleed_stems",
    "code_lossily",
    "coherence",
    "draw_subsets",
    "equalise",
    "join_cues",
    "leak",
    "level_db",
    "loudness_differences",
    "measure_cues",
    "mix_at_level",
    "noise_like",
    "onsets_together",
    "overdrive",
    "overlap_ratio",
    "pitchedness",
    "play_unevenly",
    "reverberate",
    "spectral_differences",
    "stretch",
    "transpose",
]
