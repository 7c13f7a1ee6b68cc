from .checkpoint import resume, save_checkpoint
from .clock import Clock, scheduled_rate
from .files import note_settings, save_tensors
from .log import Log, LogFormat, read_log_lines
from .loop import Pace, Training, run_loop
from .options import add_run_options
from .processes import rows_of_process
from .random_state import step_generator
from .settings import build_settings, pop_table, read_settings

__all__ = [
    "Clock",
    "Log",
    "LogFormat",
    "Pace",
    "Training",
    "add_run_options",
    "build_settings",
    "note_settings",
    "pop_table",
    "read_log_lines",
    "read_settings",
    "resume",
    "rows_of_process",
    "run_loop",
    "save_checkpoint",
    "save_tensors",
    "scheduled_rate",
    "step_generator",
]
