/* SPDX-License-Identifier: MIT
 *
 * workers.h - threads that do tasks, one after the other, when they are told to.
 *
 * A lock belongs to the thread that acquired it, so tests of threads need threads that stay.
 */
#ifndef WORKERS_H
#define WORKERS_H

#include <filelock.h>
#include <pthread.h>
#include <stdint.h>

struct worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*task)(void *arg); /* the task at hand, begun or not; NULL: none */
    void *arg;
    int at_it; /* it has begun the task */
    int ending;
    int64_t id; /* of the thread, for task_asleep() */
};

/* Starts a worker.  Returns 0, or -1 if there can be no thread. */
int worker_start(struct worker *worker);

/* Tells a worker to do task(arg).  It must not be doing anything. */
void worker_send(struct worker *worker, void (*task)(void *), void *arg);

/* True once the worker has done its task; false if it has not within that time. */
int worker_done(struct worker *worker, int64_t timeout_ms);

/*
 * True once the worker sleeps in the middle of its task, or where that cannot be seen; false if it does not within that
 * time.
 */
int worker_asleep(struct worker *worker, int64_t timeout_ms);

/* Lets the worker finish its task, then ends the thread. */
void worker_end(struct worker *worker);

#endif
