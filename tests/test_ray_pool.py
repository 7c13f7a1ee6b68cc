"""Work over many processes, with a stand-in for Ray: every item once, whoever dies; what Ray is asked for."""

import socket
import sys
from collections.abc import Sequence

import pytest
from fake_ray import FakeRay

from cocola_metric.errors import AudioError, MissingExtraError, UsageError, WorkersError
from cocola_metric.ray_pool import BARREN, DEATHS, RayPool


def squares(items: Sequence[int]) -> list[int]:
    return [item * item for item in items]


def refusal(items: Sequence[int]) -> list[int]:
    raise AudioError(f"{items[0]} is no music")


def spread(pool: RayPool, count: int = 50, at_once: int = 4) -> dict[int, object]:
    with pool:
        found = list(pool.run(squares, list(range(count)), at_once=at_once))
    assert len(found) == len(dict(found))
    return dict(found)


def test_every_item_comes_back_with_its_number(ray: FakeRay) -> None:
    pool = RayPool(3)
    found = spread(pool)
    assert found == {number: number * number for number in range(50)} and list(found) != sorted(found)
    assert pool.done == 50 and pool.deaths == 0 and not ray.running
    assert len(ray.resources) == 3 and ray.calls == 13
    assert pool.summary("squared", "numbers").startswith("ray squared 50 numbers with 3 workers in ")


def test_a_worker_that_dies_is_replaced_and_its_work_done_again(ray: FakeRay) -> None:
    ray.is_lethal = lambda call, items: call in (2, 5, 6)
    pool = RayPool(2)
    assert spread(pool) == {number: number * number for number in range(50)}
    assert pool.deaths == 3 and len(ray.resources) == 5 and "; 3 died and were replaced" in pool.summary("x", "y")


def test_an_item_that_kills_every_worker_costs_itself_alone(ray: FakeRay) -> None:
    ray.is_lethal = lambda call, items: 13 in items
    pool = RayPool(2)
    found = spread(pool)
    lost = found.pop(13)
    assert isinstance(lost, WorkersError) and f"{DEATHS} workers died of it" in str(lost)
    assert found == {number: number * number for number in range(50) if number != 13}
    assert pool.deaths == 2 * DEATHS


def test_workers_that_die_whatever_they_do_end_the_run(ray: FakeRay) -> None:
    ray.is_lethal = lambda call, items: True
    with pytest.raises(WorkersError, match="see that this version of the package is on every machine"):
        spread(RayPool(2))
    assert ray.died == 2 * BARREN + 1 and not ray.running


def test_an_error_of_the_work_is_raised_as_it_was(ray: FakeRay) -> None:
    with pytest.raises(AudioError, match="1 is no music"), RayPool(2) as pool:
        list(pool.run(refusal, [1], at_once=1))
    assert not ray.running


def test_nothing_is_started_for_nothing(ray: FakeRay) -> None:
    assert spread(RayPool(2), count=0) == {} and not ray.started


@pytest.mark.parametrize(("gpus", "asked"), [(0, None), (0.25, 0.25), (1, 1), (2, 2)])
def test_what_a_worker_asks_for(ray: FakeRay, gpus: float, asked: float | None) -> None:
    ray.available["GPU"] = 2.0
    spread(RayPool(2, gpus=gpus))
    for resources in ray.resources:
        assert resources.get("num_gpus") == asked and resources["num_cpus"] == 1
        assert asked != 1 or isinstance(resources["num_gpus"], int)


def test_a_cluster_without_gpus_is_told(ray: FakeRay) -> None:
    with pytest.raises(UsageError, match=r"--workers-gpu .* needs a GPU, and Ray has 0"):
        spread(RayPool(2, gpus=0.5))
    assert not ray.running


def test_the_cluster_at_the_address_is_used(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    spread(RayPool(3))
    assert ray.started[0]["address"] == "local" and ray.started[0]["num_cpus"] == 3
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        spread(RayPool(3))
    assert ray.started[1]["address"] == address and "num_cpus" not in ray.started[1]
    with pytest.raises(WorkersError, match=f"no Ray cluster answers at RAY_ADDRESS={address} "):
        spread(RayPool(3))


def test_settings_are_checked(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--workers must be 1 or more; got 0"):
        RayPool(0)
    for gpus in (-1, 1.5, float("nan")):
        with pytest.raises(UsageError, match="--workers-gpu must be a fraction of a GPU below 1, or a whole number"):
            RayPool(1, gpus=gpus)

    def fail(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nMore lines.")

    ray.init = fail  # type: ignore[method-assign]
    with pytest.raises(WorkersError, match=r"Ray cannot be started here \(Could not find any running Ray instance\)"):
        spread(RayPool(1))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"cocola-metric\[scale\]"):
        RayPool(2)
