/* SPDX-License-Identifier: MIT
 *
 * Looking by the functions of the kind.
 */
#include "config.h"

#include "handle/handle.h"
#include "handle/look.h"
#include "kind.h"
#include "outcome.h"
#include "wait/await.h"
#include "wait/limits.h"
#include "wait/lookout.h"

enum outcome flk_look(struct filelock *lock, enum filelock_mode mode, struct lookout *lookout)
{
    const struct target *target = &lock->target;
    enum outcome rc;

    if (target->kind->look != NULL)
        return target->kind->look(target, lock->state, mode, lookout);
    rc = target->kind->try(target, lock->state, mode, false);
    if (rc == CONTENDED || rc == UNREACHED)
        flk_lookout_nap(lookout);
    return rc;
}

struct looking {
    struct filelock *lock;
    enum filelock_mode mode;
};

static enum outcome look(void *arg, struct lookout *lookout)
{
    const struct looking *looking = arg;

    return flk_look(looking->lock, looking->mode, lookout);
}

static void withdraw(void *arg)
{
    const struct looking *looking = arg;
    const struct target *target = &looking->lock->target;

    if (target->kind->withdraw != NULL)
        target->kind->withdraw(target, looking->lock->state);
}

int flk_look_within(struct filelock *lock, enum filelock_mode mode, const struct limits *limits)
{
    static const struct awaited awaited = { .look = look, .withdraw = withdraw, .tried = true };
    struct looking looking = { lock, mode };

    return flk_await(&awaited, &looking, limits);
}
