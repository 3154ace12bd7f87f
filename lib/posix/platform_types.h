/* SPDX-License-Identifier: MIT
 *
 * What platform.h speaks of, in POSIX terms.
 */
#ifndef FLK_POSIX_PLATFORM_TYPES_H
#define FLK_POSIX_PLATFORM_TYPES_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/types.h>

struct mutex {
    pthread_mutex_t native;
};
#define MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }

typedef pthread_t thread_id;

struct identity {
    dev_t device;
    ino_t inode;
};

/*
 * By a semaphore, or by a descriptor where something else has to be polled as well.
 */
struct wakeup {
    struct wakeup *next, *previous; /* all that are open: a forked child closes its copies */
    enum { WAKEUP_NAPS, WAKEUP_POLLS, WAKEUP_SLEEPS } way;
    int fd[2];   /* POLLS: what is polled, what is written; else -1 */
    int64_t nap; /* NAPS: ns; grows */
    sem_t semaphore; /* SLEEPS */
};

struct waker {
    sem_t *semaphore; /* NULL: the descriptors, if any */
    int fd[2];
};

/* What one watch may leave to the next. */
struct kept {
    int events, process; /* descriptors; -1 */
    int directory;       /* which of the events are its; -1: none */
    int64_t pid;         /* of the process, 0: none */
    char token[64];      /* and its */
};

struct watch {
    struct wakeup wakeup; /* fd: the directory's events, the process; -1 */
    const char *name;     /* in the directory; of the path given */
    struct kept kept;     /* but for the descriptors */
};

#endif
