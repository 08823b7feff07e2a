/* queue.c - how a team of threads that stay together shares out its work; see fastbp.h. */
#include <string.h>
#if defined __linux__
#include <linux/futex.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include "threads.h"
#endif
#include "fastbp.h"

/* One atomic word holds a phase's number (PHASE bits) and a count of tasks (FIELD bits), so that both are read at one moment.
 * The numbers wrap around, after three days of a phase each half microsecond, so the later of two phases is told by the sign
 * of their difference. */
enum { FIELD = 24, PHASE = 63 - FIELD };
static const uint64_t TASKS = ((uint64_t)1 << FIELD) - 1, PHASES = ((uint64_t)1 << PHASE) - 1, CLOSED = (uint64_t)1 << 63;

static uint64_t phase_of(uint64_t word) { return word >> FIELD & PHASES; }
static int is_later(uint64_t a, uint64_t b) { return (int64_t)((a - b) << (64 - PHASE)) > 0; }

/* ---- sleep --------------------------------------------------------------------------------------------------- */

/* A thread that waits long sleeps on a futex. To yield instead would give its share of the processor to other programs.
 * `sleeps_on` returns at once where *word is not `seen` any more, and may return for no reason. No wake-up is lost: the waker
 * changes the word before it reads the count of sleepers, and a sleeper is counted before it reads the word. */
#if defined __linux__
static void sleeps_on(int32_t *word, int32_t seen, uint32_t bits)
{
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, NULL, NULL, bits);
}
static void wakes(int32_t *word, uint32_t bits)
{
    syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, bits);
}
void fbp_forked(void) {}
#else
static fbp_mutex lock = FBP_MUTEX_INIT;
static fbp_condition changed = FBP_CONDITION_INIT;
static void sleeps_on(int32_t *word, int32_t seen, uint32_t bits)
{
    (void)bits;
    fbp_mutex_lock(&lock);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == seen) fbp_condition_wait(&changed, &lock);
    fbp_mutex_unlock(&lock);
}
static void wakes(int32_t *word, uint32_t bits)
{
    (void)word, (void)bits;
    fbp_mutex_lock(&lock);
    fbp_condition_broadcast(&changed);
    fbp_mutex_unlock(&lock);
}
void fbp_forked(void)
{
    fbp_mutex_init(&lock);
    fbp_condition_init(&changed);
}
#endif

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* A thread of the job waits until another phase than `open` is open: spins, then sleeps. */
static void wait_for_phase(fbp_queue *queue, uint64_t open)
{
    for (int32_t i = __atomic_load_n(&queue->spins, __ATOMIC_RELAXED); i > 0; i--) {
        if (__atomic_load_n(&queue->open, __ATOMIC_ACQUIRE) != open) return;
        relax();
    }
    __atomic_add_fetch(&queue->asleep, 1, __ATOMIC_SEQ_CST);
    int32_t opened = __atomic_load_n(&queue->opened, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&queue->open, __ATOMIC_SEQ_CST) == open) sleeps_on(&queue->opened, opened, ~0u);
    __atomic_sub_fetch(&queue->asleep, 1, __ATOMIC_SEQ_CST);
}

static int bit_of(int member) { return member % FBP_BITS; }

/* A thread without a part in the current job waits until a job is posted after the `posted`-th: spins, then sleeps. */
static void wait_for_job(fbp_queue *queue, int member, int32_t posted)
{
    for (int32_t i = __atomic_load_n(&queue->rest, __ATOMIC_RELAXED); i > 0; i--) {
        if (__atomic_load_n(&queue->posted, __ATOMIC_ACQUIRE) != posted) return;
        relax();
    }
    __atomic_add_fetch(&queue->resting[bit_of(member)], 1, __ATOMIC_SEQ_CST);
    sleeps_on(&queue->posted, posted, (uint32_t)1 << bit_of(member));
    __atomic_sub_fetch(&queue->resting[bit_of(member)], 1, __ATOMIC_SEQ_CST);
}

static void wake_resting(fbp_queue *queue, int team)
{
    uint32_t bits = 0;
    __atomic_add_fetch(&queue->posted, 1, __ATOMIC_SEQ_CST);
    for (int member = 1; member < team && member <= FBP_BITS; member++)
        if (__atomic_load_n(&queue->resting[bit_of(member)], __ATOMIC_SEQ_CST) > 0) bits |= (uint32_t)1 << bit_of(member);
    if (bits) wakes(&queue->posted, bits);
}

/* ---- work ---------------------------------------------------------------------------------------------------- */

void fbp_start(fbp_queue *queue)
{
    memset(queue, 0, sizeof *queue);
    queue->open = CLOSED;
}

/* A lane keeps the number of the phase that used it last. Once that lies half the range of numbers back, it would compare as
 * later than the phase at hand. So the lanes are set to the current phase now and then, when no thread can hold a task. */
static void keep_lanes_young(fbp_queue *queue)
{
    enum { ERA = 30 };
    uint64_t phase = phase_of(queue->open);
    if (phase >> ERA == queue->era) return;
    queue->era = phase >> ERA;
    for (int i = 0; i < FBP_LANES; i++) __atomic_store_n(&queue->lane[i].taken, phase << FIELD, __ATOMIC_RELAXED);
}

void fbp_post(fbp_queue *queue, const void *job, int team, int crowded, int tasks)
{
    /* Spins for about 2 ms, or 20 us where threads share CPUs: a sleeper wakes some 30 us late, as long as a small step. */
    enum { PATIENT = 100000, CROWDED = 1000, REST = 2500 };
    keep_lanes_young(queue);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* who sees what follows sees that the last job was closed */
    __atomic_store_n(&queue->job, job, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->number, queue->number + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->team, team, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->lanes, team < FBP_LANES ? team : FBP_LANES, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->spins, crowded ? CROWDED : PATIENT, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->rest, crowded ? CROWDED : REST, __ATOMIC_RELAXED);
    fbp_open(queue, tasks);
    wake_resting(queue, team);
}

void fbp_open(fbp_queue *queue, int tasks)
{
    /* Between two phases nobody but the caller writes: the last one is finished and the next one is not open. */
    uint64_t phase = (phase_of(queue->open) + 1) & PHASES;
    __atomic_store_n(&queue->left, tasks, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->open, phase << FIELD | (tasks > 0 ? (uint64_t)tasks : CLOSED), __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&queue->opened, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&queue->asleep, __ATOMIC_SEQ_CST) > 0) wakes(&queue->opened, ~0u);
}

/* The next of a lane's `count` tasks of a phase, or -1. Lanes are not reset for a new phase: a count of an older phase reads
 * as 0 taken. A thread that still has an old phase finds its tasks taken, or the lane's count of a newer phase: -1. */
static int64_t take_from(fbp_lane *lane, uint64_t phase, uint64_t count)
{
    uint64_t taken = __atomic_load_n(&lane->taken, __ATOMIC_ACQUIRE);
    for (;;) {
        uint64_t next = phase_of(taken) == phase ? taken & TASKS : 0;
        if (next >= count || is_later(phase_of(taken), phase)) return -1;
        if (__atomic_compare_exchange_n(&lane->taken, &taken, phase << FIELD | (next + 1), 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return (int64_t)next;
    }
}

static int take(fbp_queue *queue, int member, uint64_t open, int lanes)
{
    int tasks = (int)(open & TASKS);
    for (int i = 0; i < lanes; i++) {
        int lane = (member + i) % lanes;
        int count = tasks > lane ? (tasks - lane + lanes - 1) / lanes : 0;
        int64_t next = take_from(&queue->lane[lane], phase_of(open), (uint64_t)count);
        if (next >= 0) return lane + (int)next * lanes;
    }
    return -1;
}

int fbp_take(fbp_queue *queue, int member, uint64_t *number)
{
    for (;;) {
        int32_t posted = __atomic_load_n(&queue->posted, __ATOMIC_ACQUIRE); /* before `open`: a job that is missed counts */
        uint64_t open = __atomic_load_n(&queue->open, __ATOMIC_ACQUIRE);
        if (open & CLOSED && (member == 0 || __atomic_load_n(&queue->ended, __ATOMIC_ACQUIRE))) return -1;
        int lanes = __atomic_load_n(&queue->lanes, __ATOMIC_RELAXED), team = __atomic_load_n(&queue->team, __ATOMIC_RELAXED);
        *number = __atomic_load_n(&queue->number, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&queue->open, __ATOMIC_RELAXED) != open) continue; /* these may be the next job's */
        if (open & CLOSED || member >= team) {
            wait_for_job(queue, member, posted);
        } else {
            int task = take(queue, member, open, lanes);
            if (task >= 0) return task;
            wait_for_phase(queue, open);
        }
    }
}

int fbp_finish(fbp_queue *queue) { return __atomic_sub_fetch(&queue->left, 1, __ATOMIC_ACQ_REL) == 0; }

void fbp_end(fbp_queue *queue)
{
    __atomic_store_n(&queue->ended, 1, __ATOMIC_SEQ_CST);
    fbp_open(queue, 0);
    wake_resting(queue, FBP_BITS + 1);
}
