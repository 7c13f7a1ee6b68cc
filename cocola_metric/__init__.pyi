from .audio import AudioInput, AudioWarning
from .errors import AudioError, CheckpointError, CocolaError, MissingExtraError, OutputError, UsageError
from .example_songs import Examples, examples
from .fad import FAD, FadResult, Reference, SubFAD, frechet_distance
from .metric import CocolaMetric
from .scorer import CocolaScorer
from .scoring import Embeddings, Ranked, WindowScores

__version__: str
__all__ = [
    "FAD",
    "AudioError",
    "AudioInput",
    "AudioWarning",
    "CheckpointError",
    "CocolaError",
    "CocolaMetric",
    "CocolaScorer",
    "Embeddings",
    "Examples",
    "FadResult",
    "MissingExtraError",
    "OutputError",
    "Ranked",
    "Reference",
    "SubFAD",
    "UsageError",
    "WindowScores",
    "__version__",
    "examples",
    "frechet_distance",
]
