/* SPDX-License-Identifier: MIT
 *
 * peer_work.c - a peer at work under a lock, with a witness that sees whether the lock excludes others.
 *
 *   work HANDLE witness=PATH slot=N count=N [mode=exclusive|shared|mixed] [timeout=N]
 *        [threads=N] [own=1] [delete=N] [replace=N] [hold=N] lock=PATH [kind=N] [flags=N]
 *
 * Each thread acquires `count` times: through HANDLE, or if own=1, through a new handle on `lock` for each thread.
 * Every delete'th time, the thread deletes the lock file before it releases.  Every replace'th time, it renames another
 * file over it.  If hold=N, it stays inside for that many milliseconds.  The answer is: RESULT done=N overlaps=N
 * together=N
 */
#include "peer.h"

#include "names.h"
#include "platform.h"
#include "witness.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_THREADS 256

enum sharing { WRITES, READS, BOTH };

struct job {
    pthread_t thread;
    struct filelock *lock;
    const char *path;
    struct witness witness;
    enum sharing sharing;
    int64_t timeout_ms;
    long count, deletes, replaces;
    int hold_ms;
    long done;
    int result;
};

/*
 * Deletes or replaces the lock file.  Only the holder may do this, and only once: afterwards another process may hold
 * the file that is at the path.
 */
static void disturb(const struct job *job, long round)
{
    char other[REPLY_SIZE + 32];
    if (job->deletes && round % job->deletes == 0) {
        remove_file(job->path);
    } else if (job->replaces && round % job->replaces == 0) {
        snprintf(other, sizeof other, "%s.%lld.%d", job->path, (long long) own_pid(), job->witness.slot);
        if (write_file(other, "", 0) == 0)
            rename_over(other, job->path);
    }
}

static int one_round(struct job *job, long round)
{
    int writing = job->sharing == WRITES || (job->sharing == BOTH && round % 4 == 0);
    enum filelock_mode mode = writing ? FILELOCK_EXCLUSIVE : FILELOCK_SHARED;
    int result = filelock_acquire(job->lock, mode, job->timeout_ms);
    if (result != 0)
        return result;
    witness_enter(&job->witness, writing);
    if (job->hold_ms)
        nap_ms(job->hold_ms);
    else
        yield_processor();
    witness_leave(&job->witness, writing);
    if (writing)
        disturb(job, round);
    return filelock_release(job->lock);
}

static void *run_job(void *arg)
{
    struct job *job = arg;
    for (long round = 1; round <= job->count && job->result == 0; round++) {
        job->result = one_round(job, round);
        job->done += job->result == 0;
    }
    return NULL;
}

static int open_own(struct filelock **lock, const char *words, const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.kind = (int) peer_number(words, "kind", FILELOCK_KIND_DEFAULT);
    options.flags = (unsigned) peer_number(words, "flags", 0);
    return filelock_new(lock, path, &options);
}

static int prepare(struct job *job, const char *words, int index, struct filelock *lock, const char *path)
{
    char text[REPLY_SIZE];
    memset(job, 0, sizeof *job);
    job->lock = lock;
    job->path = path;
    job->count = (long) peer_number(words, "count", 1);
    job->deletes = (long) peer_number(words, "delete", 0);
    job->replaces = (long) peer_number(words, "replace", 0);
    job->hold_ms = (int) peer_number(words, "hold", 0);
    job->timeout_ms = peer_number(words, "timeout", FILELOCK_FOREVER);
    peer_text(words, "mode", text, sizeof text);
    job->sharing = !strcmp(text, "shared") ? READS : !strcmp(text, "mixed") ? BOTH : WRITES;
    peer_text(words, "witness", text, sizeof text);
    if (witness_open(&job->witness, text, (int) peer_number(words, "slot", 0) + index) != 0)
        return -EIO;
    return peer_number(words, "own", 0) ? open_own(&job->lock, words, path) : 0;
}

static void run_all(struct job *jobs, int threads)
{
    for (int i = 1; i < threads; i++)
        if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) != 0)
            abort();
    run_job(&jobs[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(jobs[i].thread, NULL);
}

void peer_work(char *words, char *reply)
{
    char path[REPLY_SIZE];
    struct filelock *lock = peer_handle(peer_word(&words));
    int threads = (int) peer_number(words, "threads", 1);
    int own = (int) peer_number(words, "own", 0);
    struct job *jobs = calloc(MOST_THREADS, sizeof *jobs);
    int result = jobs && threads <= MOST_THREADS ? 0 : -ENOMEM;
    long long done = 0, overlaps = 0, together = 0;

    peer_text(words, "lock", path, sizeof path);
    for (int i = 0; i < threads && result == 0; i++)
        result = prepare(&jobs[i], words, i, lock, path);
    if (result == 0)
        run_all(jobs, threads);
    for (int i = 0; i < threads && jobs; i++) {
        result = result ? result : jobs[i].result;
        done += jobs[i].done;
        overlaps += jobs[i].witness.overlaps;
        together += jobs[i].witness.together;
        witness_close(&jobs[i].witness);
        if (own)
            filelock_free(jobs[i].lock);
    }
    free(jobs);
    peer_reply(reply, "%s done=%lld overlaps=%lld together=%lld", result_name(result), done, overlaps, together);
}

/* ---- One step at a time, without a lock, to test the witness itself -------------------------- */

static struct witness step;

static int begin_step(char *words, int *writing)
{
    const char *path = peer_word(&words);
    int slot = atoi(peer_word(&words));
    *writing = !strcmp(peer_word(&words), "writing");
    return step.fd > 0 ? 0 : witness_open(&step, path, slot);
}

void peer_enter(char *words, char *reply)
{
    int writing;
    if (begin_step(words, &writing) == 0)
        witness_enter(&step, writing);
    peer_reply(reply, "overlaps=%lld together=%lld", (long long) step.overlaps, (long long) step.together);
}

void peer_leave(char *words, char *reply)
{
    int writing;
    if (begin_step(words, &writing) == 0)
        witness_leave(&step, writing);
    peer_reply(reply, "overlaps=%lld together=%lld", (long long) step.overlaps, (long long) step.together);
}
