"""Answers whose made part is replaced: what has to be made is another sound, what is given stays as it is.

This is what a control means for each task:

- AG: the whole answer is made.
- SS: every stem of the answer is made.
- EA, ER: the added parts are made; the kept parts are real, as loud as in the music.
- UG: nothing is given; the first half of the stems (`halves`) stands for it, and is real; the second half is made.
"""

import numpy as np
from numpy.typing import NDArray

from cocola_metric.training.paper import Task

from ..queries import Query, QueryAudio, halves

Samples = NDArray[np.float32]


def real_part(query: Query, audio: QueryAudio, sample_rate: int) -> Samples:
    """Return the real music of what has to be made: (L,), or one row for each stem that is to be separated, (N, L)."""
    match query.task:
        case Task.SS:
            return audio.target_stems(query, sample_rate)
        case Task.EA | Task.ER:
            return audio.added(query, sample_rate)
        case Task.UG:
            _, second = halves(query)
            return np.asarray(audio.target_stems(query, sample_rate)[second].sum(axis=0))
    return audio.target(query, sample_rate)


def first_part(query: Query, audio: QueryAudio, sample_rate: int) -> Samples:
    """Return the music that the made part has to fit: the conditioning, or the first half where nothing is given."""
    if query.task is Task.UG:
        first, _ = halves(query)
        return np.asarray(audio.target_stems(query, sample_rate)[first].sum(axis=0))
    return audio.conditioning(query, sample_rate)


def answer_with(made: Samples, query: Query, audio: QueryAudio, sample_rate: int) -> Samples:
    """Return the answer to a query whose made part is given, and whose other parts are real.

    Args:
        made: audio of the part that has to be made; one for all stems, or one for each, where stems are separated.
        query: query of any task.
        audio: audio of the queries.
        sample_rate: rate of ``made``, in Hz.

    Shape:
        (L,) or (N, L) -> (N, L) where parts are asked for one by one, (L,) otherwise.
    """
    match query.task:
        case Task.SS:
            return np.broadcast_to(made, (len(query.accompaniment.parts), made.shape[-1])).copy()
        case Task.EA | Task.ER:
            return audio.kept(query, sample_rate) + made
        case Task.UG:
            return with_second_half(audio.target_stems(query, sample_rate), made, query)
    return made


def with_second_half(stems: Samples, made: Samples, query: Query) -> Samples:
    """Return stems whose second half is replaced; its first stem plays all, the others are silent.

    Shape:
        (N, L), (L,) -> (N, L).
    """
    _, second = halves(query)
    changed = stems.copy()
    changed[second] = 0
    changed[second[0], : len(made)] = made[: stems.shape[1]]
    return changed
