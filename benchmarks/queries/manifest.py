"""Queries as data, and the manifest that keeps them: JSON lines that depend on no machine."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cocola_metric.errors import UsageError
from cocola_metric.json_files import parsed_json
from cocola_metric.names import path_part
from cocola_metric.training.componet import prompt
from cocola_metric.training.paper import Task, task_of
from cocola_metric.whole_files import make_folder, write_bytes_whole

GAIN = "mean"
"""The convention of level: channels averaged, stems as loud as in their files."""
ID_DIGITS = 8
COUNT = 200
"""Queries per data set in Table 3 (section 5.2)."""
LONGEST_SECONDS = 86_400.0
"""The longest window and the latest start, in seconds: a day."""


@dataclass(frozen=True)
class Part:
    """What a query treats as one stem: one or more stems of a track, summed.

    Attributes:
        tag: instrument and number in lower case, in the form of CompoNet's prompts ("guitar_1"); unique in its track.
        stems: names of the track's stems.
    """

    tag: str
    stems: tuple[str, ...]

    def __post_init__(self) -> None:
        path_part(self.tag, "tag")  # it becomes the name of a file


@dataclass(frozen=True)
class Submix:
    """A sum of parts of a track in a window (Eq. 1).

    Attributes:
        track: name of the track in its corpus.
        start: start of the window, in seconds from the beginning of the track.
        seconds: length of the window, in seconds.
        parts: parts that are summed; none only where nothing is given (unconditional generation).
    """

    track: str
    start: float
    seconds: float
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not (0 <= self.start <= LONGEST_SECONDS and 0 < self.seconds <= LONGEST_SECONDS):
            raise UsageError(
                f"track {self.track!r}: a window begins at 0 s or later, lasts longer than 0 s, and neither exceeds "
                f"{LONGEST_SECONDS:.0f} s; got {self.seconds} s at {self.start} s; draw the manifest again"
            )

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the parts."""
        return tuple(part.tag for part in self.parts)


@dataclass(frozen=True)
class Query:
    """A question to a generator: given ``conditioning``, play ``accompaniment``; which task that is follows from both.

    Attributes:
        id: number in the manifest, and a hash of everything else: two queries of one id are the same.
        dataset: name of the data set.
        split: name of the split.
        seed: seed of the draws.
        gain: convention of level, "mean".
        conditioning: Y, the sub-mix that the generator is given.
        accompaniment: X, the real sub-mix that is asked for.
        donor: sub-mix of a window of another track, the answer of the row Random.
        genre: genre of the track, for the prompt; empty if the data set names none.
    """

    id: str
    dataset: str
    split: str
    seed: int
    gain: str
    conditioning: Submix
    accompaniment: Submix
    donor: Submix
    genre: str = ""

    def __post_init__(self) -> None:
        for name in (self.dataset, self.split):  # they become the name of a folder
            path_part(name, "data set or split")

    @property
    def seconds(self) -> float:
        """Length of the window, in seconds."""
        return self.conditioning.seconds

    @property
    def task(self) -> Task:
        """The task between the two sets of parts (Figure 3)."""
        return task_of(self.conditioning.parts, self.accompaniment.parts)

    @property
    def kept(self) -> Submix:
        """The parts that are given and asked for, which an edited mix has to keep."""
        given = self.conditioning.parts
        return replace(self.accompaniment, parts=tuple(part for part in self.accompaniment.parts if part in given))

    @property
    def added(self) -> Submix:
        """The parts that are asked for and not given, which have to be made."""
        given = self.conditioning.parts
        return replace(self.accompaniment, parts=tuple(part for part in self.accompaniment.parts if part not in given))

    @property
    def prompt(self) -> str:
        """The query as a prompt of CompoNet (Eq. 7): "in: other_1, vocals_1; out: drums_1", after the genre if any."""
        return prompt(self.conditioning.tags, self.accompaniment.tags, genre=self.genre or None)


def make_query(number: int, fields: Mapping[str, Any]) -> Query:
    """Return a query, whose id is its number and the hash of its content.

    Args:
        number: number of the query in the manifest.
        fields: fields of a ``Query``, except for its id.
    """
    draft = Query(id="", **fields)
    content = json.dumps(query_as_json(draft), sort_keys=True).encode()
    return Query(id=f"{number:04d}_{hashlib.sha256(content).hexdigest()[:ID_DIGITS]}", **fields)


def query_as_json(query: Query) -> dict[str, Any]:
    """Return a query as plain data, in the order of a manifest's line."""
    given, donor = query.conditioning, query.donor
    return {
        "id": query.id,
        "dataset": query.dataset,
        "split": query.split,
        "track": given.track,
        "start": given.start,
        "seconds": given.seconds,
        "conditioning": _parts_as_json(given.parts),
        "accompaniment": _parts_as_json(query.accompaniment.parts),
        "gain": query.gain,
        "seed": query.seed,
        "donor": {"track": donor.track, "start": donor.start, "parts": _parts_as_json(donor.parts)},
        **({"genre": query.genre} if query.genre else {}),  # so that queries without one keep their id
    }


def write_queries(path: Path, queries: Iterable[Query]) -> str:
    """Write a manifest, one JSON object a line; return the SHA-256 of the file."""
    data = "".join(json.dumps(query_as_json(query)) + "\n" for query in queries).encode("ascii")
    make_folder(path.parent)
    write_bytes_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def read_queries(path: Path) -> list[Query]:
    """Read a manifest.

    Raises:
        UsageError: the file is missing or empty, or a line is no query, or was changed after it was drawn.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; draw it with python -m cocola_metric.benchmarks queries")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text ({error}); draw it again") from error
    if not lines:
        raise UsageError(f"{path}: no queries in it; draw them again")
    return [_read_query(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def task_of_manifest(queries: Sequence[Query]) -> Task:
    """Return the task of all queries of a manifest.

    Raises:
        UsageError: the queries are of several tasks.
    """
    tasks = sorted({query.task.name for query in queries})
    if len(tasks) > 1:
        raise UsageError(f"a manifest is of one task; got queries of {', '.join(tasks)}; draw one manifest for each")
    return Task[tasks[0]] if tasks else Task.AG


def _read_query(line: str, place: str) -> Query:
    try:
        row = parsed_json(line)
        track, start, seconds, donor = row["track"], row["start"], row["seconds"], row["donor"]
        fields = {
            **{name: row[name] for name in ("dataset", "split", "seed", "gain")},
            "genre": str(row.get("genre", "")),
            "conditioning": Submix(track, start, seconds, _parts(row["conditioning"])),
            "accompaniment": Submix(track, start, seconds, _parts(row["accompaniment"])),
            "donor": Submix(donor["track"], donor["start"], seconds, _parts(donor["parts"])),
        }
        query = make_query(int(row["id"].partition("_")[0]), fields)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{place}: not a query ({type(error).__name__}: {error}); draw the manifest again") from error
    if query.id != row["id"]:
        raise UsageError(f"{place}: changed after it was drawn ({row['id']} would be {query.id}); draw it again")
    return query


def _parts_as_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [{"tag": part.tag, "stems": list(part.stems)} for part in parts]


def _parts(rows: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(row["tag"], tuple(row["stems"])) for row in rows)
