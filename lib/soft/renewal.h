/* SPDX-License-Identifier: MIT
 *
 * Renewals: a thread gives the markers of the leases that this process holds a new time, again and again, and finds out
 * when a lease is lost.
 */
#ifndef FLK_RENEWAL_H
#define FLK_RENEWAL_H

#include <stdint.h>

#include <filelock.h>

#include "system/file.h"
#include "system/lifetime.h"

/* Why a lease was lost. */
enum loss {
    LOSS_NONE,       /* it was not lost */
    LOSS_REMOVED,    /* its marker was removed */
    LOSS_TAKEN_OVER, /* the path names another file */
    LOSS_NOT_RENEWED /* its time has passed, or will before it can be renewed */
};

/* What is to be renewed. */
struct lease_terms {
    const char *path; /* good until flk_renewal_end() */
    int fd;           /* the marker; open until flk_renewal_pause() */
    struct identity id;
    int64_t modified; /* ns; the marker's time of writing */
    int64_t duration; /* ns */
    int64_t began;    /* ns of flk_boot_now(), before the marker was made */
};

/*
 * Begins to renew a lease.  *number, which is never 0, tells it from all others of this process.  Returns 0, or
 * -EAGAIN, -EMFILE, -ENFILE or -ENOMEM.  A forked child renews nothing.
 */
int flk_renewal_begin(const struct lease_terms *terms, uint64_t *number);

/* Stops renewing.  No thread uses the path and the descriptor afterwards.  Returns whether the lease was lost. */
enum loss flk_renewal_pause(uint64_t number);

/* Goes on after flk_renewal_pause(). */
void flk_renewal_resume(uint64_t number);

/* Caller has called flk_renewal_pause().  Forgets the lease, and closes its waitable. */
void flk_renewal_end(uint64_t number);

/*
 * These never wait, and any thread may call them.  A lease that was forgotten meanwhile counts as lost, for no reason.
 * flk_renewal_left() returns for how many ns the lease is certain to be held; 0: it is lost.
 */
enum loss flk_renewal_loss(uint64_t number);
int64_t flk_renewal_left(uint64_t number);
filelock_waitable flk_renewal_waitable(uint64_t number);

/* Ends the thread at the end of the process.  Closes the copies that a child has. */
extern const struct subscriber flk_renewals_subscriber;

#endif
