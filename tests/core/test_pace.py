"""fastbp/_core/pace.pyx: one thread or a team, by a clock of the test's."""

import numpy as np
import pytest

from fastbp._core.pace import Chooser


class Machine:
    """Runs steps that take `alone` or `team` seconds, which a test changes, and keeps the time."""

    def __init__(self, alone, team):
        self.chooser, self.cost, self.now, self.log = Chooser(), [alone, team], 0.0, []

    def stretch(self, left=10**9):
        """Takes the next steps, at most `left`; returns (whether as a team, seconds)."""
        together = self.chooser.choose(2, self.now)
        steps = self.chooser.stretch(together, left)
        seconds = steps * self.cost[together]
        self.now += seconds
        self.chooser.note(together, steps, seconds, self.now)
        return together, seconds

    def run(self, seconds, left=10**9):
        """The share of the time that was the team's."""
        end, spent = self.now + seconds, [0.0, 0.0]
        while self.now < end:
            together, took = self.stretch(left)
            spent[together] += took
        return spent[1] / sum(spent)


@pytest.mark.parametrize("left", [1, 7, 10**9])
@pytest.mark.parametrize("step", [1e-6, 3e-5, 4e-4])
def test_the_faster_one_is_found_and_kept(step, left):
    for alone, team in ((step, 0.6 * step), (0.6 * step, step)):
        machine = Machine(alone, team)
        machine.run(0.01, left)
        assert machine.run(2.0, left) == pytest.approx(float(team < alone), abs=0.01)


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
                machine.chooser.note(True, 1, 8e-3, machine.now)
                together += 8e-3
    assert together < 0.1 * 20


@pytest.mark.parametrize("pause", [10.0, 3600.0])
def test_a_pause_is_no_reason_for_long(pause):
    """A trial of a team in which the whole process was stopped."""
    machine = Machine(1e-3, 6e-4)
    machine.run(1.0)
    machine.cost[1] = 3e-3
    machine.run(0.5)  # one thread is in use now, and the team tried now and then
    while not machine.chooser.choose(2, machine.now):
        machine.stretch()
    steps = machine.chooser.stretch(True, 10**9)
    machine.now += pause
    machine.chooser.note(True, steps, pause, machine.now)
    machine.cost[1] = 6e-4
    machine.run(1.5)
    assert machine.run(1.0) > 0.9


def test_a_team_a_hundred_times_slower_is_left_at_once():
    machine = Machine(2e-6, 1.2e-6)
    machine.run(0.5)
    machine.cost[1] = 1.2e-4
    begun = machine.now
    while machine.chooser.choose(2, machine.now):
        machine.stretch()
    assert machine.now - begun < 0.06


def test_another_team_is_another_question():
    chooser = Chooser()
    for now in range(100):
        together = chooser.choose(2, now * 1e-3)
        chooser.note(together, 1, 1e-3, now * 1e-3)
    assert chooser.choose(4, 0.1) is True and chooser.stretch(True, 100) == 1  # nothing is known of it
