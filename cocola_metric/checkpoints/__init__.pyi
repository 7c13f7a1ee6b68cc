from .config_file import read_config
from .graph_export import write_graph
from .known import CONFIG_FILE, GRAPH_FILE, WEIGHTS_FILE
from .loading import load, save, save_state
from .mismatch import list_problems, refuse_mismatch, tensor_problems
from .model_card import CardFacts
from .opening import OpenedGraph, open_graph
from .original import new_folder, no_safe_globals_but
from .publish import push, save_with_card

__all__ = [
    "CONFIG_FILE",
    "GRAPH_FILE",
    "WEIGHTS_FILE",
    "CardFacts",
    "OpenedGraph",
    "list_problems",
    "load",
    "new_folder",
    "no_safe_globals_but",
    "open_graph",
    "push",
    "read_config",
    "refuse_mismatch",
    "save",
    "save_state",
    "save_with_card",
    "tensor_problems",
    "write_graph",
]
