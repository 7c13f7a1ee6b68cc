from .choices import CHOICES, chances_among
from .config import TrainingConfig
from .joining import load_any
from .judging import embed_on_trunk, judge

__all__ = ["CHOICES", "TrainingConfig", "chances_among", "embed_on_trunk", "judge", "load_any"]
