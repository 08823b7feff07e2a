"""fastbp/_core/pace.pyx: how many threads run a call, by a clock of the test's."""

import numpy as np
import pytest

from fastbp._core.pace import Chooser


class Machine:
    """Runs steps that take a team of 1, 2, 4 ... threads, the largest last, so many seconds, which a test changes, and
    keeps the time."""

    def __init__(self, *costs, team=None):
        self.team = team or 2 ** (len(costs) - 1)
        self.sizes = [2**i for i in range(len(costs) - 1)] + [self.team]
        self.chooser, self.cost, self.now = Chooser(), list(costs), 0.0

    def stretch(self, left=10**9):
        """Takes the next steps, at most `left`; returns (which size of a team, seconds)."""
        threads = self.chooser.choose(self.team, self.now)
        size, steps = self.sizes.index(threads), self.chooser.stretch(threads, left)
        seconds = steps * self.cost[size]
        self.now += seconds
        self.chooser.note(threads, steps, seconds, self.now)
        return size, seconds

    def shares(self, seconds, left=10**9):
        """The share of the time that was each size's."""
        end, spent = self.now + seconds, [0.0] * len(self.cost)
        while self.now < end:
            size, took = self.stretch(left)
            spent[size] += took
        return [of_one / sum(spent) for of_one in spent]

    def run(self, seconds, left=10**9):
        """The share of the time that was the largest team's."""
        return self.shares(seconds, left)[-1]


@pytest.mark.parametrize("left", [1, 7, 10**9])
@pytest.mark.parametrize("step", [1e-6, 3e-5, 4e-4])
def test_the_faster_one_is_found_and_kept(step, left):
    for alone, team in ((step, 0.6 * step), (0.6 * step, step)):
        machine = Machine(alone, team)
        machine.run(0.01, left)
        seconds = 2.0 if left > 1 else max(0.5, 4e4 * step)  # a turn of the loop for each step
        assert machine.run(seconds, left) == pytest.approx(float(team < alone), abs=0.02)


@pytest.mark.parametrize("left", [1, 10**9])
@pytest.mark.parametrize("step", [1e-6, 3e-5, 4e-4, 2e-3])
def test_a_choice_that_has_become_wrong_is_corrected_within_50_ms(step, left):
    machine = Machine(step, 0.6 * step)
    machine.run(1.0, left)
    machine.cost[1] = 5 * step  # a neighbour comes
    machine.run(0.05 + 5 * 5 * step, left)
    assert machine.run(0.5, left) < 0.1
    machine.cost[1] = 0.6 * step  # and goes
    machine.run(max(0.05, 250 * step if step > 5e-4 else 0.05), left)
    assert machine.run(0.5, left) > 0.95


def test_what_is_never_faster_is_hardly_tried():
    """Steps of a team that were always slower than those of one thread: one a second, whatever it costs."""
    machine = Machine(2e-3, 9e-3)
    machine.run(3.0)
    assert machine.run(20.0) < 0.01


@pytest.mark.parametrize("left", [1, 10**9])
def test_one_bad_moment_decides_nothing_for_long(left):
    machine = Machine(1e-4, 6e-5)
    machine.run(0.5, left)
    machine.cost[1] = 4e-3
    machine.stretch(left)  # the system has put a thread aside
    machine.cost[1] = 6e-5
    machine.run(0.05, left)
    assert machine.run(0.5, left) > 0.95


@pytest.mark.parametrize("left", [1, 10**9])
def test_a_caller_that_is_put_aside_is_no_reason_for_a_team(left):
    machine = Machine(3e-5, 2.95e-5)  # a gain of 2 %: too small
    machine.run(0.1, left)
    for _ in range(200):
        machine.cost[0] = 4e-3
        machine.stretch(1)
        machine.cost[0] = 3e-5
        assert machine.run(0.02, left) < 0.1


@pytest.mark.parametrize("left", [1, 10**9])
def test_a_team_that_disappoints_is_tried_more_seldom(left):
    """Fast for a millisecond, as a trial sees it, and then held up for eight."""
    machine = Machine(3e-5, 2e-5)
    rng, together = np.random.default_rng(0), 0.0
    begun = machine.now
    while machine.now < begun + 20:
        team, seconds = machine.stretch(left)
        if team:
            together += seconds
            if rng.random() < seconds / 2e-3:
                machine.now += 8e-3
                machine.chooser.note(2, 1, 8e-3, machine.now)
                together += 8e-3
    assert together < 0.1 * 20


@pytest.mark.parametrize("pause", [10.0, 3600.0])
def test_a_pause_is_no_reason_for_long(pause):
    """A trial of a team in which the whole process was stopped."""
    machine = Machine(1e-3, 6e-4)
    machine.run(1.0)
    machine.cost[1] = 3e-3
    machine.run(0.5)  # one thread is in use now, and the team tried now and then
    while machine.chooser.choose(2, machine.now) == 1:
        machine.stretch()
    steps = machine.chooser.stretch(2, 10**9)
    machine.now += pause
    machine.chooser.note(2, steps, pause, machine.now)
    machine.cost[1] = 6e-4
    machine.run(1.5)
    assert machine.run(1.0) > 0.9


def test_a_team_a_hundred_times_slower_is_left_at_once():
    machine = Machine(2e-6, 1.2e-6)
    machine.run(0.5)
    machine.cost[1] = 1.2e-4
    begun = machine.now
    while machine.chooser.choose(2, machine.now) == 2:
        machine.stretch()
    assert machine.now - begun < 0.06


def test_another_team_is_another_question():
    chooser = Chooser()
    for now in range(100):
        threads = chooser.choose(2, now * 1e-3)
        chooser.note(threads, 1, 1e-3, now * 1e-3)
    assert chooser.choose(4, 0.1) == 4 and chooser.stretch(4, 100) == 1  # nothing is known of it


# ---- more than two sizes ---------------------------------------------------------------------------------------------

# seconds of a step on 1, 2, 4, 8 and 16 threads, as a machine of 8 cores with two threads each may have them
CURVES = {
    "does not scale": [25.6e-6, 34.3e-6, 32.3e-6, 36.8e-6, 25.7e-6],
    "best in the middle": [76.6e-6, 60.4e-6, 38.4e-6, 38.2e-6, 39.9e-6],
    "scales": [690e-6, 526e-6, 278e-6, 163e-6, 96.6e-6],
    "until the cores are used": [1351e-6, 906e-6, 617e-6, 456e-6, 552e-6],
    "long": [48e-3, 28e-3, 17e-3, 19e-3, 18e-3],
    "worse and worse": [1e-6, 5e-6, 8e-6, 20e-6, 50e-6],
}


@pytest.mark.parametrize("left", [1, 10**9])
@pytest.mark.parametrize("name", CURVES)
def test_the_fastest_size_is_found_and_trials_cost_little(name, left):
    """After the first trials, no more than 5 % slower than the fastest size, trials included."""
    machine = Machine(*CURVES[name])
    machine.run(0.02 + 20 * max(machine.cost), left)
    shares = machine.shares(min(5.0, 2e5 * min(machine.cost)) if left == 1 else 5.0, left)
    mean = 1 / sum(share / cost for share, cost in zip(shares, machine.cost, strict=True))
    assert mean < 1.05 * min(machine.cost)


def test_sizes_are_powers_of_two_and_all_threads():
    machine = Machine(1e-5, 1e-5, 1e-5, 1e-5, team=6)
    seen = {machine.sizes[machine.stretch()[0]] for _ in range(2000)}
    assert seen == {1, 2, 4, 6}


@pytest.mark.parametrize("team", [4, 16, 64])
def test_a_bad_beginning_is_made_good_whatever_lies_between(team):
    """Two threads are slower than one here, all larger teams faster, and nothing of that was to be seen at first."""
    count = team.bit_length()
    machine = Machine(*[1e-3] * count)
    for _ in range(4 * count):
        machine.stretch()
    machine.cost = [1e-4, 1.2e-4, *(1e-4 / 2**i for i in range(1, count - 1))]
    machine.run(1.5)
    assert machine.run(1.0) > 0.9


@pytest.mark.parametrize("left", [1, 10**9])
@pytest.mark.parametrize("step", [2e-3, 5e-2, 0.3])
def test_trials_of_long_steps_are_rare(step, left):
    """The size in use has two neighbours that are twice as slow."""
    machine = Machine(2 * step, step, 2 * step)
    machine.run(30 * step, left)
    shares = machine.shares(max(20.0, 400 * step), left)
    assert 1 / sum(share / cost for share, cost in zip(shares, machine.cost, strict=True)) < 1.05 * step


@pytest.mark.parametrize("left", [1, 10**9])
def test_half_of_a_team_that_has_become_faster_is_found(left):
    machine = Machine(4e-4, 2e-4, 1e-4, 6e-5)
    machine.run(1.0, left)
    assert machine.run(0.5, left) > 0.9
    machine.cost = [4e-4, 2e-4, 1e-4, 3e-4]  # half of the threads have a busy neighbour
    machine.run(0.1, left)
    assert machine.shares(1.0, left)[2] > 0.9
