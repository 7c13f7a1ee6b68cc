"""The model card (README.md) of published weights: description, loading, and results."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from huggingface_hub import ModelCardData

from ..encoder import EncoderConfig
from ..names import markdown_cell
from ..signature import HASH_DIGITS
from .card_merge import RESULT_COLUMNS, RESULTS, TRAINING_DATA, results_of
from .card_results import TITLE, CardAccuracy
from .card_table import ACCURACY, accuracy_table
from .known import LIBRARY

TAGS = ("audio", "music", "cocola", "music-accompaniment", "evaluation")


@dataclass(frozen=True)
class CardFacts:
    """Facts that only the publisher knows; empty ones are left out of the card.

    Attributes:
        license: identifier of the Hub's list, such as "mit" or "cc-by-4.0".
        training_data: description in one sentence.
        results: measure -> value, shown in this order; numbers are in the ``model-index`` too, and a measure may name
            the set that it was taken on: "COCOLA score: our songs (test)".
        accuracies: accuracies on named sets, which the Hub shows beside the model (``model-index``).
    """

    license: str | None = None
    training_data: str | None = None
    results: Mapping[str, float | str] = field(default_factory=dict)
    accuracies: Sequence[CardAccuracy] = ()


def model_card(config: EncoderConfig, sha256: str, facts: CardFacts, *, repo_id: str | None = None) -> str:
    """Return the card of weights, in Markdown with YAML in front.

    Args:
        config: configuration of the model.
        sha256: SHA-256 of the weights file.
        facts: facts from the publisher.
        repo_id: repository to load the weights from; None for a folder.
    """
    title = repo_id.rpartition("/")[2] if repo_id else TITLE
    measured = [accuracy.as_result() for accuracy in facts.accuracies] + results_of(facts.results)
    front_matter = ModelCardData(
        library_name=LIBRARY,
        license=facts.license,
        tags=list(TAGS),
        model_name=title if measured else None,
        eval_results=measured or None,
    ).to_yaml()
    source = repo_id or "path/to/this/folder"
    parts = [
        f"---\n{front_matter.strip()}\n---",
        f"# {title}",
        "An encoder for COCOLA (Ciranni et al., *Coherence-Oriented Contrastive Learning of Musical Audio "
        "Representations*): the score says how well an accompaniment fits the music it is to accompany.",
        f"The package `{LIBRARY}` loads it:",
        f'```python\nfrom cocola_metric import CocolaScorer\n\nscorer = CocolaScorer.from_pretrained("{source}")\n'
        'print(scorer.score("music.wav", "accompaniment.wav"), scorer.signature)\n```',
        "## Configuration",
        _table("setting", "value", dataclasses.asdict(config)),
        f"SHA-256 of `model.safetensors`: `{sha256}`. Signatures show it as `weights:{sha256[:HASH_DIGITS]}`.",
    ]
    if facts.training_data:
        parts += [TRAINING_DATA, facts.training_data]
    if facts.results or facts.accuracies:
        rows = {f"{one.measure}: {one.dataset} ({one.split})": f"{one.percent:.1f}" for one in facts.accuracies}
        parts += [RESULTS, _table(*RESULT_COLUMNS, {**facts.results, **rows})]
    if table := accuracy_table(measured):
        parts += [ACCURACY, table]
    return "\n\n".join(parts) + "\n"


def _table(left: str, right: str, rows: Mapping[str, object]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|"]
    lines += [f"| {_cell(key)} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return markdown_cell(" ".join(str(value).split()))
