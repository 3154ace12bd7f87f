/* SPDX-License-Identifier: MIT
 *
 * workers.c - threads that do tasks, one after the other, when they are told to.
 */
#include "workers.h"

#include "platform.h"

#include <errno.h>
#include <stddef.h>

static void *work(void *arg)
{
    struct worker *worker = arg;
    pthread_mutex_lock(&worker->mutex);
    worker->id = own_task();
    for (;;) {
        while (!worker->task && !worker->ending)
            pthread_cond_wait(&worker->changed, &worker->mutex);
        if (!worker->task)
            break;
        worker->at_it = 1;
        pthread_mutex_unlock(&worker->mutex);
        worker->task(worker->arg);
        pthread_mutex_lock(&worker->mutex);
        worker->task = NULL;
        worker->at_it = 0;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

int worker_start(struct worker *worker)
{
    worker->task = NULL;
    worker->at_it = 0;
    worker->ending = 0;
    worker->id = 0;
    pthread_mutex_init(&worker->mutex, NULL);
    condition_init(&worker->changed);
    return pthread_create(&worker->thread, NULL, work, worker) ? -1 : 0;
}

void worker_send(struct worker *worker, void (*task)(void *), void *arg)
{
    pthread_mutex_lock(&worker->mutex);
    worker->arg = arg;
    worker->task = task;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
}

int worker_done(struct worker *worker, int64_t timeout_ms)
{
    int64_t end = now_ns() + timeout_ms * 1000000;
    int error = 0;
    pthread_mutex_lock(&worker->mutex);
    while (worker->task && error != ETIMEDOUT)
        error = condition_wait(&worker->changed, &worker->mutex, end);
    int done = !worker->task;
    pthread_mutex_unlock(&worker->mutex);
    return done;
}

enum look { FINISHED, AWAY, ASLEEP, UNSEEN };

/* Looks at what a worker does.  AWAY: it is not yet at its task, or it is awake at it. */
static enum look look_at(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    enum look look = worker->task ? AWAY : FINISHED;
    int at_it = worker->at_it;
    int64_t id = worker->id;
    pthread_mutex_unlock(&worker->mutex);
    int asleep = at_it ? task_asleep(own_pid(), id) : 0;
    return asleep < 0 ? UNSEEN : asleep ? ASLEEP : look;
}

/* A worker counts as asleep if two looks in a row say so: a single look may catch it between two waits. */
int worker_asleep(struct worker *worker, int64_t timeout_ms)
{
    int64_t end = now_ns() + timeout_ms * 1000000;
    for (int seen = 0; seen < 2;) {
        enum look look = look_at(worker);
        if (look == FINISHED || now_ns() > end)
            return 0;
        seen = look == ASLEEP || look == UNSEEN ? seen + 1 : 0;
        nap_ms(look == UNSEEN ? 25 : 1); /* the test notices less, but stays right */
    }
    return 1;
}

void worker_end(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->ending = 1;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
}
