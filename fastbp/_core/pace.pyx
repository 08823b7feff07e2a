"""How many threads pay: the size of the team that runs a call, by what steps took of late.

The sizes are 1, 2, 4 ... and all threads. What two threads say to each other costs 0.2 us or 2 us, by the minute, on a machine
that others use as well, and a thread that the system puts aside amid a task costs milliseconds; more threads have more to
say, and hyper-threads of one core share its arithmetic. Who computes changes no bit, so the time may decide.

What is in use is measured all the time. At first each size is tried twice, all threads before the others. Later another size
is tried now and then, for a third of a millisecond (a step, where that takes longer): one that ever was faster than what is in
use, after 40 ms, so that a busy neighbour is felt no longer than that; a neighbour of the size in use after a second; all others
after ten. A trial of long steps costs as much as it loses, and the next one waits 25 times that for each neighbour. A team that is found faster and
drops behind again soon, as beside a busy neighbour, is tried more seldom, up to three times a second.

Of a team every moment counts. Of one thread the usual step does: when the system puts the caller aside, that would have held
up a team as well.

Nothing here asks for the time: whoever calls says it.
"""
from libc.string cimport memset
from fastbp._core.program cimport MOST_SIZES, Pace

cdef enum:
    FIRST = 8       # trials, or two of each size, that are made whatever the earlier ones gave
    STEPS = 16      # fewest between two readings of the clock: a step but the last of a call also begins the next one's work

cdef enum State:
    SETTLED
    WARMS           # the first steps of a trial: the team is woken, caches fill
    MEASURES

# seconds
cdef double WARM = 5e-5         # at the beginning of a trial that are not counted
cdef double TRIAL = 3e-4        # that are counted
cdef double LONG = 5e-4         # of a step that needs no warming up
cdef double STRETCH = 4e-3      # between two readings of the clock, on one thread
cdef double TEAMS = 5e-4        # the same in a team, which may have become a hundred times slower meanwhile
cdef double AGAIN = 4e-2        # between two trials of a size that may be faster
cdef double SELDOM = 0.32       # the most between them after teams that did not last
cdef double SOON = 0.1          # a team that is dropped sooner did not last
cdef double LEAST = 1.0         # between two trials of a neighbour that never was faster
cdef double RARE = 10.0         # the same of other sizes
# factors
cdef double PRICE = 25          # the wait after a trial of long steps is this times what the trial lost
cdef double GAIN = 1.03         # a larger team must be so many times faster, as it takes cores from others


cdef int sizes(int team) noexcept nogil:
    """How many sizes there are for a team of at most so many threads: 1, 2, 4 ... and `team`."""
    cdef int count = 1
    while 1 << (count - 1) < team and count < MOST_SIZES:
        count += 1
    return count


cdef int threads_of(int size, int team) noexcept nogil:
    """The threads of the size-th size."""
    return team if size == sizes(team) - 1 else 1 << size


cdef int size_of(int threads, int team) noexcept nogil:
    """Which of the sizes that is."""
    return sizes(team) - 1 if threads == team else sizes(threads) - 1


cdef int best(const Pace *pace) noexcept nogil:
    """The fastest size, as far as is known: a larger one must be faster by more than a little. All threads, at first."""
    cdef int size, found = -1
    for size in range(sizes(pace.team)):
        if pace.step[size] > 0 and (found < 0 or pace.step[size] * GAIN < pace.step[found]):
            found = size
    return found if found >= 0 else sizes(pace.team) - 1


cdef double wait_of(const Pace *pace, int size, int fastest) noexcept nogil:
    """Seconds from one trial of a size to its next. The first trials may all have been in bad moments, and say nothing."""
    cdef bint is_neighbour = size == fastest - 1 or size == fastest + 1
    if pace.trials < max(FIRST, 2 * sizes(pace.team)) or pace.least[size] < pace.step[fastest]:
        return pace.wait
    return max(LEAST if is_neighbour else RARE, pace.wait)


cdef int to_try(const Pace *pace, double now) noexcept nogil:
    """A size that is to be tried now, or -1."""
    cdef int last = sizes(pace.team) - 1, fastest = best(pace), size, found = -1
    for size in range(last, -1, -1):
        if pace.step[size] == 0:
            return size
    for size in range(last + 1):
        if size != fastest and now - pace.tried[size] > wait_of(pace, size, fastest):
            if found < 0 or pace.tried[size] < pace.tried[found]:
                found = size
    return found


cdef int choose(Pace *pace, int team, double now) noexcept nogil:
    """The threads of the next steps, at most `team`."""
    cdef int size
    if pace.team != team:
        memset(pace, 0, sizeof(Pace))
        pace.team = team
    if pace.state != SETTLED:
        return threads_of(pace.trial, team)
    size = to_try(pace, now)
    if size >= 0:
        pace.state, pace.trial, pace.measured, pace.steps = WARMS, size, 0, 0
        return threads_of(size, team)
    return threads_of(best(pace), team)


cdef Py_ssize_t stretch(const Pace *pace, int threads, Py_ssize_t left) noexcept nogil:
    """How many of the steps that are left to take before the next look."""
    cdef double usual = TEAMS if threads > 1 else STRETCH
    cdef double seconds = WARM if pace.state == WARMS else TRIAL if pace.state == MEASURES else usual
    cdef double step = pace.step[size_of(threads, pace.team)]
    cdef Py_ssize_t least = STEPS if pace.state == SETTLED else 1
    if pace.state == MEASURES and pace.steps > 0:
        step = pace.fastest
    if step == 0:
        return 1
    return min(left, max(least, <Py_ssize_t>min(seconds / step, 1e9)))


cdef void note(Pace *pace, int threads, Py_ssize_t steps, double seconds, double now) noexcept nogil:
    """So many steps took so long."""
    cdef int size = size_of(threads, pace.team), was_best = best(pace), fastest
    if pace.state != SETTLED:
        note_trial(pace, size, steps, seconds)
        if pace.state != SETTLED:
            return
    elif size > 0:
        pace.measured += seconds
        pace.steps += steps
        if pace.measured >= STRETCH:
            pace.step[size] = pace.measured / pace.steps
            pace.measured, pace.steps = 0, 0
    else:
        note_usual(pace, steps, seconds)
    pace.tried[size] = now
    if pace.least[size] == 0 or pace.step[size] < pace.least[size]:
        pace.least[size] = pace.step[size]
    fastest = best(pace)
    if fastest != was_best:
        pace.measured, pace.steps = 0, 0
        if fastest < was_best:
            pace.wait = min(2 * pace.wait, SELDOM) if now - pace.since < SOON else AGAIN
        pace.since = now


cdef double fastest_other(const Pace *pace, int size) noexcept nogil:
    """Seconds of a step of the fastest of all other sizes, or 0."""
    cdef double found = 0
    cdef int other
    for other in range(sizes(pace.team)):
        if other != size and pace.step[other] > 0 and (found == 0 or pace.step[other] < found):
            found = pace.step[other]
    return found


cdef void note_trial(Pace *pace, int size, Py_ssize_t steps, double seconds) noexcept nogil:
    cdef double step = seconds / steps, other = fastest_other(pace, size), fair
    if pace.state == WARMS and (step < LONG or pace.step[size] == 0):
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
    pace.step[size] = max(1e-9, pace.measured / pace.steps if size > 0 else pace.fastest)     # 0 is "not known"
    if pace.wait < AGAIN or step > LONG:
        pace.wait = AGAIN
    if step > LONG and other > 0:
        fair = pace.steps * other
        # of two neighbours by turns; a pause of hours is no price
        pace.wait += PRICE * min(2, sizes(pace.team) - 1) * min(max(0, pace.measured - fair), 2 * fair)
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
        return choose(&self.pace, team, now)

    def stretch(self, int threads, Py_ssize_t left):
        return stretch(&self.pace, threads, left)

    def note(self, int threads, Py_ssize_t steps, double seconds, double now):
        note(&self.pace, threads, steps, seconds, now)
