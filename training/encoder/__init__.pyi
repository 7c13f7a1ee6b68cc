from .choices import CHOICES, chances_among
from .config import TrainingConfig
from .joining import load_any
from .judging import judge

__all__ = ["CHOICES", "TrainingConfig", "chances_among", "judge", "load_any"]
