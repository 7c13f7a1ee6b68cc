"""A model card over one that is there: nothing that the old card states is lost, and results name their weights."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..errors import CheckpointError
from ..signature import HASH_DIGITS
from ..whole_files import write_text_whole
from .card_results import CARD_FILE, HASH_LINE, TITLE, CardAccuracy, card_data, parse_card, read_card, result_key
from .card_table import ACCURACY, TABLE, accuracy_table

TRAINING_DATA, RESULTS = "## Training data", "## Results"
RESULT_COLUMNS = ("measure", "value")
RESULT_HEADER = f"| {' | '.join(RESULT_COLUMNS)} |"
_FENCE = ("```", "~~~")
_HASH = re.compile(r"`([0-9a-f]{64})`")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_OF_WEIGHTS = "(weights:"


def merged_card(before: str, fresh: str, place: str) -> str:
    """Return the card that has all facts of both; where both state a measure or a setting, it has the fresh value.

    Results that were measured with other weights are kept, and marked with the hash of those.

    Args:
        before: card that is there, or a text of the user's own.
        fresh: card of the weights, as `model_card` makes it.
        place: folder or repository of the card, for messages.

    Raises:
        CheckpointError: the card that is there cannot be read, or has another licence.
    """
    card, new = parse_card(before, f"{place}: {CARD_FILE}"), parse_card(fresh, CARD_FILE)
    stale = _stale_weights(card.text, new.text)
    _merge_data(card, new, stale, place)
    card.text = _with_table(_merged_text(card.text, new.text, stale), card_data(card).eval_results or ())
    return str(card)


def note_accuracies(folder: Path, accuracies: Sequence[CardAccuracy], sha256: str) -> None:
    """Add accuracies to the card of a folder. Those of the same measure and set are replaced; the rest stays.

    Args:
        folder: folder with the card.
        accuracies: accuracies to add.
        sha256: SHA-256 of the weights that were measured, for the card.

    Raises:
        CheckpointError: the card cannot be read.
        OutputError: the card cannot be written.
    """
    card = parse_card(read_card(folder) or "", str(folder / CARD_FILE))
    data, stated = card_data(card), f"SHA-256 of `model.safetensors`: `{sha256}`."
    stale = _stale_weights(card.text, stated)
    data.eval_results = merged_results(data, [accuracy.as_result() for accuracy in accuracies], stale)
    data.model_name = data.model_name or TITLE
    card.text = HASH_LINE.sub(lambda line: line[0] if sha256 in line[0] else stated, card.text)
    card.text = _with_table(card.text, data.eval_results)
    write_text_whole(folder / CARD_FILE, str(card))


def _with_table(text: str, results: Sequence[EvalResult]) -> str:
    """Return a card's text with the table of all its accuracies, in place of the one that is there or at the end."""
    table = accuracy_table(results)
    if not table:
        return text
    replaced, count = TABLE.subn(lambda _: table, text)
    return replaced if count else f"{text.rstrip()}\n\n{ACCURACY}\n\n{table}\n"


def _stale_weights(before: str, fresh: str) -> str:
    """Return the first digits of the hash of the weights that a card was about; "" where it states none or the same."""
    lines = [HASH_LINE.search(text) for text in (before, fresh)]
    hashes = [_HASH.search(line[0]) if line else None for line in lines]
    if hashes[0] is None or hashes[1] is None or hashes[0][1] == hashes[1][1]:
        return ""
    return hashes[0][1][:HASH_DIGITS]


def _merge_data(card: ModelCard, new: ModelCard, stale: str, place: str) -> None:
    """Add the metadata of a new card to a card."""
    data, fresh = card_data(card), card_data(new)
    if data.license and fresh.license and data.license != fresh.license:
        raise CheckpointError(
            f"{place}: its card says license: {data.license}; got {fresh.license}; change the card first, or leave "
            "license= out"
        )
    data.license = data.license or fresh.license
    data.library_name = data.library_name or fresh.library_name
    data.tags = [*(data.tags or ()), *(tag for tag in fresh.tags or () if tag not in (data.tags or ()))]
    data.eval_results = merged_results(data, fresh.eval_results or (), stale) or None
    data.model_name = (data.model_name or fresh.model_name) if data.eval_results else data.model_name


def merged_results(data: ModelCardData, fresh: Sequence[EvalResult], stale: str) -> list[EvalResult]:
    """Return the results of a card and fresh ones, which replace those of the same measure and set.

    Args:
        data: metadata of the card.
        fresh: results to add.
        stale: first digits of the hash of the weights that the card's results are of; "" for those of the fresh ones.
    """
    new = {result_key(result): result for result in fresh}
    merged = []
    for result in data.eval_results or ():
        kept = _marked(result, stale) if stale else result
        merged.append(new.pop(result_key(result), kept))  # in its place
    return [*merged, *new.values()]


def _marked(result: EvalResult, weights: str) -> EvalResult:
    return replace(result, metric_args={"weights": weights, **(result.metric_args or {})})


def _merged_text(before: str, fresh: str, stale: str) -> str:
    """Return the text of a card with the sections of a fresh one in it."""
    stated = HASH_LINE.search(fresh)
    if stated and HASH_LINE.search(before):
        before = HASH_LINE.sub(lambda _: stated[0], before)
        fresh = fresh.replace(stated[0], "")
    sections = _sections(before)
    if stale and RESULTS in sections:
        sections[RESULTS] = _marked_table(sections[RESULTS], stale)
    for heading, text in _sections(fresh).items():
        if not sections.get(heading, "").strip():
            sections[heading] = text
        elif heading == TRAINING_DATA:
            known = " ".join(sections[heading].split())
            sections[heading] += "" if " ".join(text.split()) in known else f"\n{text.strip()}\n\n"
        elif heading and heading != ACCURACY:  # its table is made anew from the metadata
            sections[heading] = _merged_table(sections[heading], text)
    blocks = (
        f"{heading}\n{text.rstrip()}\n" if heading else text.rstrip() + "\n" for heading, text in sections.items()
    )
    return "\n".join(blocks)


def _sections(text: str) -> dict[str, str]:
    """Split a text at its headings of the second level, those in code left out; the text before the first is at ""."""
    sections, heading, fenced = {"": ""}, "", False
    for line in text.splitlines(keepends=True):
        fenced ^= line.startswith(_FENCE)
        if line.startswith("## ") and not fenced and line.strip() not in sections:
            heading = line.strip()
            sections[heading] = ""
        else:
            sections[heading] += line
    return sections


def _merged_table(before: str, fresh: str) -> str:
    """Put the rows of the table in a fresh section into the one of the same columns, or add the section's text."""
    header, _, *rows = (line for line in fresh.splitlines() if line.startswith("|"))
    lines = before.splitlines()
    if header not in lines:
        return f"{before.rstrip()}\n\n{fresh.strip()}\n"
    first, last = _rows(lines, header)
    merged = {_name(row): row for row in [*lines[first:last], *rows]}
    return "\n".join([*lines[:first], *merged.values(), *lines[last:]]) + "\n"


def _marked_table(text: str, weights: str) -> str:
    """Mark the rows of a table of results with the weights that they are of, unless they are marked already."""
    lines = text.splitlines()
    first, last = _rows(lines, RESULT_HEADER)
    marked = [
        row if _OF_WEIGHTS in row else f"{row.rstrip().removesuffix('|').rstrip()} {_OF_WEIGHTS}{weights}) |"
        for row in lines[first:last]
    ]
    return "\n".join([*lines[:first], *marked, *lines[last:]]) + "\n"


def _rows(lines: Sequence[str], header: str) -> tuple[int, int]:
    """Return where the rows of a table begin and end among lines; an empty part if there is no such table."""
    if header not in lines:
        return len(lines), len(lines)
    first = lines.index(header) + 2
    return first, next((number for number in range(first, len(lines)) if not lines[number].startswith("|")), len(lines))


def _name(row: str) -> str:
    return _CELL_BORDER.split(row)[1].strip()


def results_of(measures: Mapping[str, float | str]) -> list[EvalResult]:
    """Return the numbers among results as entries of the Hub's ``model-index``.

    A measure is written "name: set (split)"; without these, the entry says that the set is not stated.

    >>> (entry,) = results_of({"COCOLA score: songs (test)": 9.57, "remark": "listened to"})
    >>> entry.metric_name, entry.dataset_name, entry.dataset_split, entry.metric_value
    ('COCOLA score', 'songs', 'test', 9.57)
    """
    return [_result(measure, value) for measure, value in measures.items() if isinstance(value, int | float)]


def _result(measure: str, value: float) -> EvalResult:
    name, _, where = (part.strip() for part in measure.rpartition(": ")) if ": " in measure else (measure, "", "")
    found = re.fullmatch(r"(.+) \(([^()]+)\)", where)
    dataset, split = (found[1], found[2]) if found else (where or "not stated", None)
    return EvalResult(
        task_type="other",
        dataset_type=dataset,
        dataset_name=dataset,
        dataset_split=split,
        metric_type=re.sub(r"\W+", "_", name.lower()).strip("_") or "measure",
        metric_name=name,
        metric_value=value,
    )
