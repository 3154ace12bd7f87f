/* SPDX-License-Identifier: MIT
 *
 * The types that system/ leaves to the platform, on POSIX systems.
 */
#ifndef FLK_POSIX_SYSTEM_TYPES_H
#define FLK_POSIX_SYSTEM_TYPES_H

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct mutex {
    pthread_mutex_t native;
};
/* clang-format off */
#define MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }
/* clang-format on */

typedef pthread_t thread_id;

struct signals {
    sigset_t mask; /* the caller's signal mask, to be restored */
};

struct identity {
    dev_t device;
    ino_t inode;
};

#endif
