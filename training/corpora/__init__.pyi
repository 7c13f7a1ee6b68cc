from .bank import NO_STEM, BankTrack, StemBank, open_banks
from .identity import cache_name
from .names import canonical_name, instrument_of, stem_tags, tag_word
from .registry import CORPORA, corpora_with, open_corpora, reader_of
from .splits import SPLITS, TRAIN_SHARE, VALIDATION_SHARE, split_folder
from .stem_folders import GROUPS_FILE, index_stem_folder
from .tracks import Stem, Track
from .window_reader import read_excerpt, read_stem, read_window

__all__ = [
    "CORPORA",
    "GROUPS_FILE",
    "NO_STEM",
    "SPLITS",
    "TRAIN_SHARE",
    "VALIDATION_SHARE",
    "BankTrack",
    "Stem",
    "StemBank",
    "Track",
    "cache_name",
    "canonical_name",
    "corpora_with",
    "index_stem_folder",
    "instrument_of",
    "open_banks",
    "open_corpora",
    "read_excerpt",
    "read_stem",
    "read_window",
    "reader_of",
    "split_folder",
    "stem_tags",
    "tag_word",
]
