"""The published tables hold together: complete, and saying what the paper's text says of them."""

import pytest

from cocola_metric.training.paper.tables import (
    PUBLISHED_TABLE_1,
    PUBLISHED_TABLE_2,
    PUBLISHED_TABLE_3,
    TABLE_3_COLUMNS,
)

FAD = [column for column in TABLE_3_COLUMNS if column.startswith("FAD")]


def test_table_3_is_complete() -> None:
    assert list(PUBLISHED_TABLE_3) == ["Slakh2100", "MUSDB18-HQ"]
    for rows in PUBLISHED_TABLE_3.values():
        assert list(rows) == ["MSDM", "CompoNet", "Random", "Ground Truth"]
        missing = {(name, column) for name, row in rows.items() for column in row if row[column] is None}
        assert missing == {("Ground Truth", column) for column in FAD}
    assert PUBLISHED_TABLE_3["Slakh2100"]["Random"]["COCOLA All"] == 0.069
    assert PUBLISHED_TABLE_3["MUSDB18-HQ"]["CompoNet"]["FAD EnCodec"] == 130.04


@pytest.mark.parametrize("dataset", PUBLISHED_TABLE_3)
def test_section_5_2_can_be_read_in_table_3(dataset: str) -> None:
    rows = PUBLISHED_TABLE_3[dataset]
    for column in TABLE_3_COLUMNS:
        values = {name: row[column] for name, row in rows.items() if row[column] is not None}
        if column in FAD:
            assert min(values, key=values.__getitem__) == "Random"
        else:
            assert max(values, key=values.__getitem__) == "Ground Truth"
    assert min(rows, key=lambda name: rows[name]["COCOLA All"] or 0) == "Random"


def test_table_2_and_table_1_have_the_paper_s_size() -> None:
    assert {name: len(row) for name, row in PUBLISHED_TABLE_2.items()} == dict.fromkeys(PUBLISHED_TABLE_2, 4)
    assert len(PUBLISHED_TABLE_2) == 4
    assert len(PUBLISHED_TABLE_1) == 6
    assert [name for name, row in PUBLISHED_TABLE_1.items() if "AG" in row.tasks] == [
        "MSDM",
        "GMSDI",
        "StemGen",
        "CompoNet",
    ]
