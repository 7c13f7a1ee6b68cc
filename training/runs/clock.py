"""The share of a run that is over, by steps or by time, and the learning rate that follows from it."""

import math
import time

LEAST_SECONDS = 1e-6


class Clock:
    """Clock of a run: the share that is over, by steps or by time, whichever is further."""

    def __init__(self, steps: int, minutes: float | None = None) -> None:
        """Start the clock.

        Args:
            steps: number of steps of the whole run.
            minutes: time for training, in minutes; None for no limit. At 0, the run is over after its next step.
        """
        self.steps, self.started = steps, time.monotonic()
        self.seconds = math.inf if minutes is None else max(60 * minutes, LEAST_SECONDS)

    def share(self, step: int) -> float:
        """Return the share of the run that is over after ``step`` steps: 1 or more at its end."""
        return max(step / self.steps, (time.monotonic() - self.started) / self.seconds)

    def minutes(self) -> float:
        """Return the minutes since the start."""
        return (time.monotonic() - self.started) / 60


def scheduled_rate(step: int, share: float, warmup_steps: int) -> float:
    """Return the learning rate of a step relative to its peak: a linear rise, then half a cosine that ends at 0.

    Args:
        step: number of steps made before this one.
        share: share of the run that is over, from `Clock.share`.
        warmup_steps: number of steps of the rise; 0 keeps the rate constant, as published settings do.

    >>> [round(scheduled_rate(step, step / 8, 2), 2) for step in range(9)]
    [0.5, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04, 0.0]
    """
    if warmup_steps == 0:
        return 1.0
    return min((step + 1) / warmup_steps, 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
