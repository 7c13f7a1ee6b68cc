"""The unchanged parts of AudioLDM2, loaded so that they run with transformers 5."""

from pathlib import Path
from types import ModuleType
from typing import Any

from cocola_metric.errors import CheckpointError, MissingExtraError

AUDIOLDM2_LARGE = "cvssp/audioldm2-large"  # licensed for non-commercial use only
SCHEDULER: dict[str, Any] = {  # DDIM as AudioLDM2 was trained and is sampled
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "prediction_type": "epsilon",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


def require_diffusers() -> ModuleType:
    """Import diffusers, and check that transformers is installed too.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import diffusers
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "CompoNet needs diffusers and transformers; pip install 'cocola-metric[bench]'"
        ) from error
    module: ModuleType = diffusers
    return module


def load_pipeline(source: str | Path = AUDIOLDM2_LARGE, **options: Any) -> Any:
    """Load an AudioLDM2 pipeline whose language model generates with transformers 5.

    The published repositories name ``GPT2Model``, which has no generation any more; the class with a head reads the
    same weights and gives the same hidden states.

    Args:
        source: folder or Hub repository.
        options: options of ``from_pretrained``: ``torch_dtype``, ``revision`` and others.

    Raises:
        MissingExtraError: diffusers or transformers is not installed.
        CheckpointError: the source does not exist, or is no AudioLDM2 pipeline.
    """
    diffusers = require_diffusers()
    from transformers import GPT2LMHeadModel

    shared = {key: options[key] for key in ("revision", "cache_dir", "local_files_only", "token") if key in options}
    dtype = {"dtype": options["torch_dtype"]} if "torch_dtype" in options else {}
    try:
        language_model = GPT2LMHeadModel.from_pretrained(source, subfolder="language_model", **shared, **dtype)
        return diffusers.AudioLDM2Pipeline.from_pretrained(source, language_model=language_model, **options)
    except (OSError, ValueError) as error:
        message = f"{source}: no AudioLDM2 pipeline could be loaded ({error}); download it once with"
        raise CheckpointError(f"{message} 'hf download {AUDIOLDM2_LARGE}', or pass a folder that holds it") from error
