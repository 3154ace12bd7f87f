/* SPDX-License-Identifier: MIT
 *
 * Leaving a lock that was shared by fork: the record is made to name a process that goes on holding it.
 */
#include "config.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "owner/life.h"
#include "owner/openers.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "owner/sharing.h"

/* Give up after naming this many heirs.  That all of them left just while they were named is not to be expected. */
#define MAX_ROUNDS 100

/*
 * Tells whether the record names a holder other than this process.  A process whose open files cannot be seen is
 * trusted to hold: HOLDS_UNSEEN.  Returns enum holds or -errno.
 */
static int names_holder(const struct record *record, const struct shared_lock *lock)
{
    if (record->pid == flk_process_pid() || !flk_process_local(record) || flk_process_life_here(record) == LIFE_DEAD)
        return HOLDS_NOT;
    return flk_shared_lock_held_by(lock, record->pid);
}

/*
 * Finds a process that can be named.  That is the last forker, if it is still this process's parent: else its pid may
 * belong to another process by now.  If the parent does not hold the lock, any holder will do.  Returns enum holds or
 * -errno.
 */
static int find_heir(const struct shared_lock *lock, int64_t last_forker, int64_t *heir)
{
    int holds = last_forker == getppid() ? flk_shared_lock_held_by(lock, last_forker) : HOLDS_NOT;

    *heir = last_forker;
    return holds != HOLDS_NOT ? holds : flk_shared_lock_find(lock, heir);
}

static void wait_for_exec(void)
{
    const struct timespec nap = { 0, FLK_PASSING_MS * 1000000L };

    (void) nanosleep(&nap, NULL);
}

/*
 * Looks at each heir once more after it was named.  The heir may be leaving at that moment, and may have read the
 * record before its name was there.  If it still holds the lock after it was named, it will find its name when it
 * leaves.
 *
 * A holder that was found by search has not named itself when it was forked, which a child that shares the lock does.
 * Such a process may be about to execute a program, and then it holds the lock no more.  So the second look comes
 * FLK_PASSING_MS later, unless the heir is the last forker.
 */
int flk_sharing_name_holder(int fd, int writable, const struct shared_lock *lock, int64_t last_forker)
{
    struct record record;
    int64_t heir;
    int rc;

    for (int round = 0; round < MAX_ROUNDS; round++) {
        rc = flk_owner_read(fd, &record) ? names_holder(&record, lock) : HOLDS_NOT;
        if (rc != HOLDS_NOT)
            return rc;
        rc = find_heir(lock, last_forker, &heir);
        if (rc == HOLDS_NOT || rc < 0 || writable < 0)
            return rc;
        if (flk_owner_name(writable, heir) == 0 && heir != last_forker)
            wait_for_exec();
    }
    return HOLDS_NOT;
}
