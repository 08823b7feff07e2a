/* threads_check.c - a team as fastbp/_core/teams.pyx keeps one, over csrc/queue.c alone: for ThreadSanitizer, which sees what a
 * queue of atomic words leaves unordered. Each task reads what tasks of the phase before it wrote, without any atomic of its
 * own, so that a phase which is not over for somebody is a race. Exit 1: a wrong number.
 *
 *     threads_check [jobs]      2000 of each kind by default */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "fastbp.h"

enum { TEAM = 5, TASKS = 7, PHASES = 6, BLOCK = 8 };

static fbp_queue queue;
static int busy; /* as in teams.pyx: who finds the team at work does his own work alone */

typedef struct {
    int phase, tasks;              /* of the phase at hand; written by whoever finished the last one */
    long rows[PHASES + 1][TASKS + 1][BLOCK]; /* what each task of a phase has written */
    long entered[FBP_BITS + 1];    /* by each thread before its first task */
} Job;

static int tasks_of(const Job *job, int phase) { return phase < PHASES ? 1 + (job->tasks + 3 * phase) % TASKS : 0; }

/* A task: the sum of all that the phase before has written, and 1 more. */
static void run(Job *job, int member, int task)
{
    long sum = 1;
    if (job->phase > 0)
        for (int other = 0; other < tasks_of(job, job->phase - 1); other++)
            for (int i = 0; i < BLOCK; i++) sum += job->rows[job->phase - 1][other][i];
    for (int i = 0; i < BLOCK; i++) job->rows[job->phase][task][i] = sum;
    job->entered[member]++;
}

static int advance(Job *job) { return tasks_of(job, ++job->phase); }

static void serve(int member)
{
    uint64_t number = 0;
    for (;;) {
        int task = fbp_take(&queue, member, &number);
        if (task < 0) return;
        Job *job = (Job *)queue.job;
        run(job, member, task);
        if (fbp_finish(&queue)) fbp_open(&queue, advance(job));
    }
}

static void *work(void *member)
{
    serve((int)(size_t)member);
    return NULL;
}

/* What a job's rows must hold: 1 if they do, and if as many tasks were run as there were. */
static int is_right(const Job *job)
{
    long sum = 0, count = 0, run = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        int tasks = tasks_of(job, phase);
        for (int task = 0; task < tasks; task++)
            for (int i = 0; i < BLOCK; i++)
                if (job->rows[phase][task][i] != sum + 1) return 0;
        sum = (sum + 1) * tasks * BLOCK;
        count += tasks;
    }
    for (int member = 0; member <= FBP_BITS; member++) run += job->entered[member];
    return run == count;
}

/* Jobs on the caller's stack, one after another; alone where another caller has the team. Returns how many went wrong. */
static long post_jobs(int jobs, int first)
{
    long wrong = 0;
    for (int i = 0; i < jobs; i++) {
        Job job = {.tasks = i + first};
        int tasks = tasks_of(&job, 0);
        if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE) == 0) {
            fbp_post(&queue, &job, 2 + i % (TEAM - 1), i % 3 > 0, tasks);
            serve(0);
            __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
        } else {
            for (; tasks > 0; tasks = advance(&job))
                for (int task = 0; task < tasks; task++) run(&job, 0, task);
        }
        wrong += !is_right(&job);
    }
    return wrong;
}

static int jobs_of_a_caller;

static void *call(void *first) { return (void *)post_jobs(jobs_of_a_caller, (int)(size_t)first); }

/* `callers` threads at once post to a team of `team`, which leaves afterwards, as before it is formed anew. */
static long with_team(int team, int callers)
{
    pthread_t workers[TEAM], others[TEAM];
    long wrong = 0;
    fbp_start(&queue);
    for (size_t i = 1; i < (size_t)team; i++) pthread_create(&workers[i], NULL, work, (void *)i);
    for (size_t i = 1; i < (size_t)callers; i++) pthread_create(&others[i], NULL, call, (void *)i);
    wrong += (long)call(NULL);
    for (int i = 1; i < callers; i++) {
        void *found;
        pthread_join(others[i], &found);
        wrong += (long)found;
    }
    fbp_end(&queue);
    for (int i = 1; i < team; i++) pthread_join(workers[i], NULL);
    return wrong;
}

int main(int argc, char **argv)
{
    long wrong = 0;
    jobs_of_a_caller = argc > 1 ? atoi(argv[1]) : 2000;
    for (int team = 2; team <= TEAM; team++)
        for (int callers = 1; callers <= 3; callers++) wrong += with_team(team, callers);
    printf("threads_check: teams of 2 to %d, 1 to 3 callers, %d jobs each: %s\n", TEAM, jobs_of_a_caller, wrong ? "WRONG" : "ok");
    return wrong > 0;
}
