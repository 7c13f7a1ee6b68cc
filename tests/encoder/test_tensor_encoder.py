"""How many threads torch's operations have: one where an encoder works, the caller's own number elsewhere."""

from concurrent.futures import ThreadPoolExecutor

import torch

from cocola_metric.encoder.tensor_encoder import one_thread_per_operation


def test_one_thread_here_and_as_many_as_before_elsewhere() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(1, initializer=one_thread_per_operation) as alone:
            assert alone.submit(torch.get_num_threads).result() == 1
            alone.submit(torch.mm, torch.ones(9, 9), torch.ones(9, 9)).result()
            assert alone.submit(torch.get_num_threads).result() == 1
        with ThreadPoolExecutor(1) as another:
            assert another.submit(torch.get_num_threads).result() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
