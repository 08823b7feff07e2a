"""When a team pays: whether a call runs on one thread or on a team, by what both took of late.

What two threads say to each other costs 0.2 us or 2 us, by the minute, on a machine that others use as well, and a thread that
the system puts aside amid a task costs milliseconds. Who computes changes no bit, so the time may decide. What is in use is
measured all the time; the other one is tried for a third of a millisecond (a step, where that takes longer) where it may be
faster: where the fastest that it ever was is faster than what is in use. A wrong choice is so corrected within 50 ms, or
within 50 steps where these are long: then a trial costs as much as a step, and trials are that much rarer. A team that is
found faster and drops behind again soon, as beside a busy neighbour, is tried more seldom, up to three times a second.

Of a team every moment counts. Of one thread the usual step does: when the system puts the caller aside, that would have held
up a team as well.

Nothing here asks for the time: whoever calls says it.
"""
from libc.string cimport memset
from fastbp._core.program cimport Pace

cdef enum:
    FIRST = 8       # trials that are made whatever the first ones gave
    STEPS = 16      # at least, from one look at the clock to the next: a step does some of the next one's work, but not the last

cdef enum State:
    SETTLED
    WARMS           # the first steps of a trial: the team is woken, caches fill
    MEASURES

# seconds
cdef double WARM = 5e-5         # of a trial that do not count
cdef double TRIAL = 3e-4        # of a trial that count
cdef double LONG = 5e-4         # a step that takes longer needs no warming
cdef double STRETCH = 4e-3      # from one look at the clock to the next
cdef double TEAMS = 5e-4        # of a team, which may have become a hundred times slower meanwhile
cdef double AGAIN = 4e-2        # from one trial to the next, where the other one may be faster
cdef double SELDOM = 0.32       # the same where a team has disappointed
cdef double SOON = 0.1          # a team that is dropped sooner has
cdef double LEAST = 1.0         # where the other one never was faster
cdef double PRICE = 25          # times that what a trial of long steps has cost, before the next one
cdef double GAIN = 1.03         # that a team must bring: it takes a core from others


cdef bint best(const Pace *pace) noexcept nogil:
    """Whether the team is the faster one, as far as is known."""
    return pace.step[0] == 0 or (pace.step[1] > 0 and pace.step[1] * GAIN < pace.step[0])


cdef bint may_be_faster(const Pace *pace, bint other) noexcept nogil:
    """Whether the one that is not in use was ever faster than the one that is; the first trials may all have been in bad
    moments, and say nothing."""
    return pace.trials < FIRST or pace.least[other] < pace.step[not other]


cdef bint choose(Pace *pace, int team, double now) noexcept nogil:
    """Whether the next steps are the team's, of so many threads."""
    cdef bint other, due
    if pace.team != team:
        memset(pace, 0, sizeof(Pace))
        pace.team = team
    if pace.state != SETTLED:
        return pace.trial
    other = not best(pace)
    if pace.step[1] == 0:
        other, due = True, True
    elif pace.step[other] == 0:
        due = True
    else:
        due = now - pace.tried[other] > (pace.wait if may_be_faster(pace, other) else LEAST)
    if due:
        pace.state, pace.trial, pace.measured, pace.steps = WARMS, other, 0, 0
        return other
    return not other


cdef Py_ssize_t stretch(const Pace *pace, bint together, Py_ssize_t left) noexcept nogil:
    """How many of the steps that are left to take before the next look."""
    cdef double seconds = WARM if pace.state == WARMS else TRIAL if pace.state == MEASURES else TEAMS if together else STRETCH
    cdef double step = pace.fastest if pace.state == MEASURES and pace.steps > 0 else pace.step[together]
    cdef Py_ssize_t least = STEPS if pace.state == SETTLED else 1
    if step == 0:
        return 1
    return min(left, max(least, <Py_ssize_t>min(seconds / step, 1e9)))


cdef void note(Pace *pace, bint together, Py_ssize_t steps, double seconds, double now) noexcept nogil:
    """So many steps took so long."""
    cdef bint was_best = best(pace)
    if pace.state != SETTLED:
        note_trial(pace, together, steps, seconds)
        if pace.state != SETTLED:
            return
    elif together:
        pace.measured += seconds
        pace.steps += steps
        if pace.measured >= STRETCH:
            pace.step[1] = pace.measured / pace.steps
            pace.measured, pace.steps = 0, 0
    else:
        note_usual(pace, steps, seconds)
    pace.tried[together] = now
    if pace.least[together] == 0 or pace.step[together] < pace.least[together]:
        pace.least[together] = pace.step[together]
    if best(pace) != was_best:
        pace.measured, pace.steps = 0, 0
        if was_best:
            pace.wait = min(2 * pace.wait, SELDOM) if now - pace.since < SOON else AGAIN
        pace.since = now


cdef void note_trial(Pace *pace, bint together, Py_ssize_t steps, double seconds) noexcept nogil:
    cdef double step = seconds / steps, fair
    if pace.state == WARMS and (step < LONG or pace.step[together] == 0):
        pace.measured += seconds
        if pace.measured >= WARM:
            pace.state, pace.measured, pace.steps = MEASURES, 0, 0
        return
    pace.state = MEASURES
    pace.fastest = step if pace.steps == 0 else min(step, pace.fastest)
    pace.measured += seconds
    pace.steps += steps
    if pace.measured < TRIAL:
        return
    pace.state = SETTLED
    pace.trials += 1
    pace.step[together] = pace.measured / pace.steps if together else pace.fastest
    if pace.wait < AGAIN or step > LONG:
        pace.wait = AGAIN
    if step > LONG and pace.step[not together] > 0:
        fair = pace.steps * pace.step[not together]
        pace.wait += PRICE * min(max(0, pace.measured - fair), 2 * fair)    # a pause of hours is no price
    pace.measured, pace.steps = 0, 0


cdef void note_usual(Pace *pace, Py_ssize_t steps, double seconds) noexcept nogil:
    """Of one thread: what is twice as slow as usual, or slower, counts as twice as slow."""
    cdef double usual = pace.step[0]
    pace.step[0] += min(1, steps * usual / STRETCH) * (min(seconds / steps, 2 * usual) - usual)


cdef class Chooser:
    """These functions for Python, which is for tests."""

    cdef Pace pace

    def __cinit__(self):
        memset(&self.pace, 0, sizeof(Pace))

    def choose(self, int team, double now):
        return bool(choose(&self.pace, team, now))

    def stretch(self, bint together, Py_ssize_t left):
        return stretch(&self.pace, together, left)

    def note(self, bint together, Py_ssize_t steps, double seconds, double now):
        note(&self.pace, together, steps, seconds, now)
