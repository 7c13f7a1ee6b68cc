from .choices import CHOICES, chances_among

__all__ = ["CHOICES", "chances_among"]
