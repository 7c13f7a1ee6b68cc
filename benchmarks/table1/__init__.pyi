from .tasks import separation_gain

__all__ = ["separation_gain"]
