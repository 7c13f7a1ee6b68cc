from .clock import Clock, scheduled_rate
from .files import Log, resume, save_checkpoint
from .options import add_run_options
from .processes import agreed, load_ahead, rows_of_process
from .settings import build_settings, read_settings

__all__ = [
    "Clock",
    "Log",
    "add_run_options",
    "agreed",
    "build_settings",
    "load_ahead",
    "read_settings",
    "resume",
    "rows_of_process",
    "save_checkpoint",
    "scheduled_rate",
]
