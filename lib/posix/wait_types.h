/* SPDX-License-Identifier: MIT
 *
 * The types that wait/ leaves to the platform, on POSIX systems: wake-ups and watches.
 */
#ifndef FLK_POSIX_WAIT_TYPES_H
#define FLK_POSIX_WAIT_TYPES_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "system/list.h"
#include "system_types.h"

/* The two ends of a wake-up.  Both may be the same descriptor, or -1. */
struct wakeup_fd {
    int fd[2];             /* the descriptor that is polled, and the descriptor that is written */
    struct identity id[2]; /* which files they are, where the system has no marks (system/mark.h) */
};

/* A wake-up is a semaphore, or a descriptor if the waiter has to poll other descriptors at the same time. */
struct wakeup {
    struct link link; /* in the list of open wake-ups, whose copies a forked child closes */
    enum { WAKEUP_NAPS, WAKEUP_POLLS, WAKEUP_SLEEPS } way;
    struct wakeup_fd ends; /* POLLS */
    int64_t nap;           /* NAPS: ns; the length of the next nap, which grows */
    sem_t semaphore;       /* SLEEPS */
};

struct waker {
    sem_t *semaphore; /* NULL: the descriptors are used, if there are any */
    struct wakeup_fd ends;
};

/* A call for a helper.  It belongs to the thread that has it made, or that has it made later. */
struct job {
    int (*call)(void *arg);
    void *arg;
    int result;
    bool done;      /* result is set */
    bool abandoned; /* the helper is to end, and will be joined */
    pthread_t helper;
    struct wakeup *wakeup; /* is signalled when the call is done */
};

/* The thread that attends to errands. */
struct attendant {
    pthread_t thread;
};

/* What is kept of a watch for the next one. */
struct kept {
    int events, process; /* descriptors, or -1 */
    int directory;       /* the number of the directory's watch among the events; -1: none */
    int64_t pid;         /* the process that is watched; 0: none */
    char token[64];      /* the token of that process */
};

struct watch {
    struct link link; /* in the list of open watches, whose copies a forked child closes */
    int fd[2];        /* descriptors for the events of the directory and for the process; -1: none */
    int64_t nap;      /* ns; the length of the next nap, which grows */
    const char *name; /* the last component of the path: the name in the directory */
    struct kept kept; /* what can be kept for the next watch; its descriptors are in fd meanwhile */

    /* These are for watch_kqueue.c alone. */
    struct identity folder; /* of the directory, which is open as fd[1] */
    bool follows;           /* the end of the process will be told */
    bool changed, ended;    /* told, and no wait has returned it: the directory has changed, the process has ended */
    int64_t looked, pause;  /* ns: when the last wait returned because of a change, and how long to rest after it */
};

#endif
