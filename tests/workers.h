/* SPDX-License-Identifier: MIT
 *
 * workers.h - threads that do one thing after the other when they are told to.
 *
 * A lock belongs to the thread that acquired it, so tests of threads need some that stay.
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
    void (*task)(void *arg); /* what it is doing or about to; NULL: nothing */
    void *arg;
    int at_it; /* it has begun the task */
    int ending;
    int64_t id; /* of the thread, for task_asleep() */
};

/* 0, or -1 when no thread can be had. */
int worker_start(struct worker *worker);

/* Tells it to do task(arg); it must not be doing anything. */
void worker_send(struct worker *worker, void (*task)(void *), void *arg);

/* 1 once it has done it, 0 if it still is at it after that time. */
int worker_done(struct worker *worker, int64_t timeout_ms);

/* 1 once it sleeps in the middle of its task (or that cannot be seen), 0 if it does not in that time. */
int worker_asleep(struct worker *worker, int64_t timeout_ms);

/* Lets it finish, then ends the thread. */
void worker_end(struct worker *worker);

#endif
