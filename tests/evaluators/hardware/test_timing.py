import itertools
import subprocess
import sys

import pytest
import torch
from torch import nn

from vitruvius.evaluators.hardware.timing import Timing, time_calls, time_network


def test_median_and_deviation_of_repeats() -> None:
    told = Timing.of([0.001, 0.002, 0.003, 0.004, 0.100])
    assert told.milliseconds == pytest.approx(3.0)
    assert told.deviation == pytest.approx(2.0 / 1.349)
    assert told.repeats == 5


def test_the_first_calls_do_not_count() -> None:
    ticks = iter(range(10_000))
    calls = []

    def clock() -> float:
        return next(ticks) / 1000

    told = time_calls(lambda: calls.append(None), clock)
    assert told.milliseconds == pytest.approx(1.0)
    assert len(calls) == told.repeats + 3


def test_a_network_is_timed_in_evaluation_mode_and_threads_come_back() -> None:
    seen = []

    class Seen(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, torch.get_num_threads(), torch.is_inference_mode_enabled()))
            return super().forward(x)

    before = torch.get_num_threads()
    told = time_network(Seen(4, 4), [torch.zeros(1, 4)], device=torch.device("cpu"), count=2)
    assert set(seen) == {(False, 2, True)}
    assert torch.get_num_threads() == before
    assert told.milliseconds > 0


MEASURE = """
import time
from vitruvius.evaluators.hardware.timing import alone
with alone():
    start = time.monotonic()
    time.sleep(0.2)
    print(start, time.monotonic())
"""


@pytest.mark.slow
def test_one_process_measures_at_a_time() -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", MEASURE], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    spans = sorted(
        tuple(map(float, process.communicate(timeout=120)[0].split())) for process in running
    )
    assert all(len(span) == 2 for span in spans)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
