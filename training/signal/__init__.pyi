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
    "PARTITIONS",
    "SOUNDING_DBFS",
    "SOUNDING_POWER",
    "SUBSET_LAWS",
    "Partition",
    "SubmixCues",
    "SubsetLaw",
    "audible",
    "beat_period",
    "coherence",
    "draw_subsets",
    "equalise",
    "join_cues",
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
