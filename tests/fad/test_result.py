"""What to know before a distance is compared is said in words."""

import math
import re
from dataclasses import replace

import pytest

from cocola_metric.fad import FadResult

GOOD = FadResult(
    fad=10.0,
    interval=(9.0, 11.0),
    infinity=9.5,
    infinity_r_squared=0.99,
    floor=1.0,
    n=1000,
    n_reference=1000,
    tracks=100,
    tracks_reference=100,
    dimension=512,
    per_song=(),
    signature="FAD|...",
)


def test_many_clips_far_apart_need_no_remark() -> None:
    assert GOOD.remarks == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 100}, r"n is 100 \(generated set\), below D = 512"),
        ({"n_reference": 511}, r"n is 511 \(reference set\), below D = 512"),
        ({"fad": 0.5}, r"FAD 0\.5000 is below the floor 1\.0000"),
        ({"floor": math.nan}, "floor is null"),
        ({"infinity": math.nan, "tracks": 7}, "got 7 generated and 100 reference clips"),
        ({"infinity": math.nan}, "a quarter of the clips has fewer than 2 embeddings"),
    ],
)
def test_each_remark_has_its_reason(changes: dict[str, float], words: str) -> None:
    [remark] = replace(GOOD, **changes).remarks
    assert re.search(words, remark)
