"""fastbp/cli/peak.py: operations a second, from the time that known work takes."""

import pytest

from fastbp._core import cpu
from fastbp.cli import peak


class Clock:
    """One that stands still, but for what a test adds."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_the_work_over_the_time(monkeypatch, threads):
    clock = Clock()

    class Thread:
        def __init__(self, target, args):
            self.depth = args[1]

        def start(self):
            clock.now += 1e-8 * self.depth / (1 if self.depth < 5e6 else threads)  # side by side where it counts

        def join(self):
            pass

    monkeypatch.setattr(peak.time, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(peak.threading, "Thread", Thread)
    _, mr, nr = cpu.tile(cpu.selected(), "float32")
    assert peak.gflops(threads) == pytest.approx(2 * mr * nr * threads / 10, rel=1e-3)


def test_it_is_of_this_machine(monkeypatch):
    monkeypatch.setattr(peak, "_SECONDS", 0.005)
    assert 0 < peak.gflops(1) < 10_000
