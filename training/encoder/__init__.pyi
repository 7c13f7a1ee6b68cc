from .choices import CHOICES, chances_among
from .config import TrainingConfig

__all__ = ["CHOICES", "TrainingConfig", "chances_among"]
