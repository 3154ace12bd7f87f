/* SPDX-License-Identifier: MIT
 *
 * What a kind of lock is to the handle: a row in a table.  A new kind is one source file that
 * defines flk_kind_NAME, and one FILELOCK_KIND line in configure.ac.
 */
#ifndef FLK_KIND_H
#define FLK_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <filelock.h>

#include "deadline.h"
#include "platform.h"

struct backend;
struct kind;

/* Bytes of a file; a length of 0 is all from start on. */
struct range {
    int64_t start, length;
};

/* What a handle is asked to lock, the same all its life. */
struct target {
    const struct kind *kind;
    const char *path; /* NULL: the descriptor */
    int descriptor;   /* the caller's, or -1 */
    int fd;           /* what that is to the platform, or -1 */
    unsigned flags;
    unsigned file_mode;
    struct range range;
};

enum ability {
    CAN_SHARE = 1,          /* FILELOCK_SHARED */
    CAN_RANGE = 2,          /* range_start, range_length */
    CAN_LOCK_DESCRIPTOR = 4, /* filelock_new_from_fd() */
    OUTLIVES_PROCESS = 8     /* a lock that is held at exit stays behind, unless it is released */
};

/* What try and wait answer, beside 0 and a negative errno value: somebody else holds it. */
#define FLK_CONTENDED 1

/*
 * Functions are called by one thread of a process at a time for a given
 * state, except where it says otherwise.  Functions return 0 or a negative errno value.
 */
struct kind {
    int id; /* enum filelock_kind */
    const char *name;
    unsigned abilities;             /* enum ability */
    int64_t default_range_length;   /* what a range_length of 0 means */
    const struct backend *backend;  /* what kinds of the same class differ in; NULL: nothing */
    size_t state_size;              /* of what the kind keeps in each handle */

    /* Prepares the state of a new handle; touches no file. */
    void (*init)(const struct target *target, void *state);

    /*
     * Locks without waiting: 0, FLK_CONTENDED or an error.  The lock is not held before.  waits: wait() is next,
     * so that a lock which looks held need not be looked into.
     */
    int (*try)(const struct target *target, void *state, enum filelock_mode mode, bool waits);

    /* Locks within limits: 0, -ETIMEDOUT, -ECANCELED, -EINTR or an error. */
    int (*wait)(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits);

    /* Unlocks; after an error the lock is held as before. */
    int (*release)(const struct target *target, void *state, enum filelock_mode mode);

    /* Gives back what the state still has; the lock is not held, or its release has failed. */
    void (*close)(const struct target *target, void *state);

    /*
     * In a forked child, for every handle, with the guard taken; only what is async-signal-safe.
     * holds: the parent holds the lock and shares it (FILELOCK_FORK_SHARE).  Else the child must
     * end up with nothing that keeps the parent's lock alive or could unlock it.
     */
    void (*forked)(const struct target *target, void *state, bool holds);

    /* In the parent of a fork that shares the lock, beforehand. */
    void (*sharing)(const struct target *target, void *state);

    /* What the target names now.  From any thread. */
    int (*identify)(const struct target *target, struct identity *id);

    /* What the state has locked.  Of a held lock, from any thread under the handle's mutex. */
    void (*locked)(const void *state, struct identity *id);

    /* The open file that is locked, or -1.  As locked(). */
    int (*descriptor)(const void *state);

    /* As filelock_owner(); owner is zeroed but for its size.  From any thread. */
    int (*owner)(const struct target *target, struct filelock_owner *owner);

    /* As filelock_break(); NULL: -ENOTSUP.  From any thread. */
    int (*break_marker)(const struct target *target);
};

/* By enum filelock_kind, DEFAULT included; NULL: not linked. */
const struct kind *flk_kind_find(int id);

#endif
