"""The table of what a FAD says where there is nothing to say."""

from cocola_metric.benchmarks.fad import bias, commands


def test_the_table(monkeypatch, capsys) -> None:
    monkeypatch.setattr(bias, "CASES", ((40, 1, 4, None), (40, 2, 4, 2.0)))
    commands.fad_bias(["--repeats", "2"])
    _, _, flat, falling = capsys.readouterr().out.splitlines()
    assert flat.startswith("| 40 | 4 |") and falling.startswith("| 40, 2 windows each | 4, falling spectrum")
    fad, limit, floor = map(float, flat.split("|")[3:6])
    assert abs(limit) < fad < floor
