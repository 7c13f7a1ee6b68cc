from .card_merge import note_accuracies
from .card_results import CARD_FILE, CardAccuracy, read_accuracies
from .config_file import read_config
from .graph_export import write_graph
from .known import CHECKPOINTS, CONFIG_FILE, GRAPH_FILE, WEIGHTS_FILE
from .loading import load, load_found, save, save_state
from .mismatch import list_problems, refuse_mismatch, tensor_problems
from .model_card import CardFacts
from .opening import OpenedGraph, find_encoder, open_graph
from .original import new_folder, no_safe_globals_but
from .publish import push, save_with_card
from .published import PUBLISHED_ACCURACIES

__all__ = [
    "CARD_FILE",
    "CHECKPOINTS",
    "CONFIG_FILE",
    "GRAPH_FILE",
    "PUBLISHED_ACCURACIES",
    "WEIGHTS_FILE",
    "CardAccuracy",
    "CardFacts",
    "OpenedGraph",
    "find_encoder",
    "list_problems",
    "load",
    "load_found",
    "new_folder",
    "no_safe_globals_but",
    "note_accuracies",
    "open_graph",
    "push",
    "read_accuracies",
    "read_config",
    "refuse_mismatch",
    "save",
    "save_state",
    "save_with_card",
    "tensor_problems",
    "write_graph",
]
