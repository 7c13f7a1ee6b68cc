"""The benchmark in small that the tests of generators share."""

import pytest
from tiny_benchmark import Benchmark, open_benchmark


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return open_benchmark(tmp_path_factory.mktemp("bench"))
