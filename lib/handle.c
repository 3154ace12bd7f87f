/* SPDX-License-Identifier: MIT
 *
 * The life of a handle: options checked, memory had and given back.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "registry.h"

#define FLAGS_KNOWN                                                                                \
    (FILELOCK_ANY_THREAD | FILELOCK_FORK_SHARE | FILELOCK_KEEP_ON_EXEC | FILELOCK_UNLINK |         \
     FILELOCK_MAKE_PARENTS | FILELOCK_FOLLOW_SYMLINK | FILELOCK_INTERRUPTIBLE |                    \
     FILELOCK_RECORD_OWNER | FILELOCK_NEVER_BREAK)

#define FLAGS_OF_PATHS                                                                             \
    (FILELOCK_UNLINK | FILELOCK_MAKE_PARENTS | FILELOCK_FOLLOW_SYMLINK | FILELOCK_KEEP_ON_EXEC)

/* ---- What the mutex-holding parts share ----------------------------------------------------- */

struct mutex *flk_mutex_of(const struct filelock *lock)
{
    return &((struct filelock *) lock)->mutex;
}

bool flk_any_thread(const struct filelock *lock)
{
    return (lock->target.flags & FILELOCK_ANY_THREAD) != 0;
}

bool flk_is_mine(const struct filelock *lock)
{
    return lock->turns.turn == TURN_HELD &&
           (flk_any_thread(lock) || flk_thread_equal(lock->turns.owner, flk_thread_self()));
}

void flk_asked(struct filelock *lock, enum asked what)
{
    flk_mutex_lock(&lock->mutex);
    lock->request.what = what;
    flk_mutex_unlock(&lock->mutex);
}

/* ---- Options -------------------------------------------------------------------------------- */

static bool all_zero(const unsigned char *bytes, size_t size)
{
    while (size > 0 && *bytes == 0)
        bytes++, size--;
    return size == 0;
}

/* A later version's struct will do as long as it says nothing that is not known here. */
static int read_options(const struct filelock_options *given, struct filelock_options *options)
{
    static const struct filelock_options defaults = FILELOCK_OPTIONS_INIT;

    *options = defaults;
    if (given == NULL)
        return 0;
    if (given->size < sizeof(*options))
        return -EINVAL;
    if (!all_zero((const unsigned char *) given + sizeof(*options), given->size - sizeof(*options)))
        return -EINVAL;
    *options = *given;
    return 0;
}

static bool valid_options(const struct filelock_options *o)
{
    return (o->flags & ~FLAGS_KNOWN) == 0 && (o->timeout_ms >= 0 || o->timeout_ms == FILELOCK_FOREVER) &&
           o->file_mode <= 07777 && flk_waitable_valid(o->cancel) && o->range_start >= 0 &&
           o->range_length >= 0 && o->range_length <= INT64_MAX - o->range_start;
}

static bool fits_kind(const struct filelock_options *o, const struct kind *kind)
{
    return (kind->abilities & CAN_RANGE) != 0 || (o->range_start == 0 && o->range_length == 0);
}

static bool fits_descriptor(const struct filelock_options *o, const struct kind *kind)
{
    return (kind->abilities & CAN_LOCK_DESCRIPTOR) != 0 && (o->flags & FLAGS_OF_PATHS) == 0 && o->file_mode == 0;
}

/* ---- Life ----------------------------------------------------------------------------------- */

/* One block: the handle, the kind's state, the path. */
static struct filelock *allocate(const struct kind *kind, const char *path)
{
    size_t state = (kind->state_size + sizeof(int64_t) - 1) / sizeof(int64_t) * sizeof(int64_t);
    size_t length = path != NULL ? strlen(path) + 1 : 0;
    struct filelock *lock = calloc(1, sizeof(*lock) + state + length);

    if (lock != NULL && path != NULL)
        lock->target.path = memcpy((char *) lock->state + state, path, length);
    return lock;
}

/* descriptor and file: the caller's, as he and as the platform number it; or -1. */
static int create(struct filelock **lock, const char *path, int descriptor, int file,
                  const struct filelock_options *o, const struct kind *kind)
{
    struct filelock *made;
    int rc = flk_platform_start(&flk_registry_events);

    if (rc != 0)
        return rc;
    made = allocate(kind, path);
    if (made == NULL)
        return -ENOMEM;
    made->target.kind = kind;
    made->target.descriptor = descriptor;
    made->target.fd = file;
    made->target.flags = o->flags;
    made->target.file_mode = o->file_mode;
    made->target.range.start = o->range_start;
    made->target.range.length = o->range_length != 0 ? o->range_length : kind->default_range_length;
    made->timeout_ms = o->timeout_ms;
    made->cancel = o->cancel;
    flk_mutex_init(&made->mutex);
    kind->init(&made->target, made->state);
    flk_registry_add(made);
    *lock = made;
    return 0;
}

/* What both constructors check. */
static int prepare(const struct filelock_options *given, bool descriptor, struct filelock_options *o,
                   const struct kind **kind)
{
    int rc = read_options(given, o);

    if (rc != 0)
        return rc;
    if (!valid_options(o) || filelock_kind_name(o->kind) == NULL)
        return -EINVAL;
    *kind = flk_kind_find(o->kind);
    if (*kind == NULL)
        return -ENOTSUP;
    if (!fits_kind(o, *kind) || (descriptor && !fits_descriptor(o, *kind)))
        return -EINVAL;
    return 0;
}

int filelock_new(struct filelock **lock, const char *path, const struct filelock_options *options)
{
    struct filelock_options o;
    const struct kind *kind;
    int rc;

    if (lock == NULL || path == NULL || *path == '\0')
        return -EINVAL;
    rc = prepare(options, false, &o, &kind);
    return rc != 0 ? rc : create(lock, path, -1, -1, &o, kind);
}

int filelock_new_from_fd(struct filelock **lock, int fd, const struct filelock_options *options)
{
    struct filelock_options o;
    const struct kind *kind;
    int rc, file;

    if (lock == NULL)
        return -EINVAL;
    rc = prepare(options, true, &o, &kind);
    if (rc != 0)
        return rc;
    file = flk_file_of_descriptor(fd);
    return file < 0 ? file : create(lock, NULL, fd, file, &o, kind);
}

/* Waits for what may still be going on: a thread that held the lock may just be ending. */
static void take_final_turn(struct filelock *lock)
{
    struct limits forever = { .timeout_ms = FILELOCK_FOREVER, .cancel = FILELOCK_NO_WAITABLE };

    while (lock->turns.turn != TURN_HELD && !flk_turn_try(lock) && flk_turn_wait(lock, &forever) != 0)
        ;
}

void filelock_free(struct filelock *lock)
{
    bool held;
    int shield;

    if (lock == NULL)
        return;
    shield = flk_thread_shield();
    flk_mutex_lock(&lock->mutex);
    take_final_turn(lock);
    held = lock->turns.turn == TURN_HELD;
    lock->turns.turn = TURN_BUSY;
    flk_mutex_unlock(&lock->mutex);
    if (held)
        (void) lock->target.kind->release(&lock->target, lock->state, lock->mode);
    /* In this order: a child that is forked in between knows of every descriptor. */
    lock->target.kind->close(&lock->target, lock->state);
    flk_registry_remove(lock);
    flk_mutex_destroy(&lock->mutex);
    free(lock);
    flk_thread_unshield(shield);
}
