/* SPDX-License-Identifier: MIT
 *
 * Making and freeing handles.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle/announce.h"
#include "handle/attempt.h"
#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/options.h"
#include "handle/registry.h"
#include "handle/shelf.h"
#include "handle/start.h"
#include "kind.h"
#include "provider/provider.h"
#include "system/file.h"
#include "system/probes.h"
#include "system/thread.h"
#include "wait/limits.h"

/* Allocates a single block for the handle, the kind's state and the path. */
static struct filelock *allocate(const struct kind *kind, const char *path)
{
    size_t state = (kind->state_size + sizeof(int64_t) - 1) / sizeof(int64_t) * sizeof(int64_t);
    size_t length = path != NULL ? strlen(path) + 1 : 0;
    struct filelock *lock = calloc(1, sizeof(*lock) + state + length);

    if (lock != NULL && path != NULL)
        lock->target.path = memcpy((char *) lock->state + state, path, length);
    return lock;
}

/* What a new handle is for. */
struct object {
    const char *path; /* NULL: the descriptor is locked */
    int descriptor;   /* the caller's, or -1 */
    int file;         /* the number of the same file for system/file.h, or -1 */
    void *opened;     /* what a provider has opened, or NULL */
};

/* Makes a handle.  Returns 0 or -errno. */
static int create(struct filelock **lock, const struct object *object, const struct filelock_options *o,
                  const struct kind *kind)
{
    struct filelock *made;
    int rc = flk_start();

    if (rc != 0)
        return rc;
    made = allocate(kind, object->path);
    if (made == NULL)
        return -ENOMEM;
    made->target.kind = kind;
    made->target.descriptor = object->descriptor;
    made->target.fd = object->file;
    made->target.opened = object->opened;
    made->target.flags = o->flags;
    made->target.file_mode = o->file_mode;
    made->target.range.start = o->range_start;
    made->target.range.length = flk_options_range(o, kind);
    made->target.lease_ms = o->lease_ms != 0 ? o->lease_ms : kind->default_lease_ms;
    made->timeout_ms = o->timeout_ms;
    made->cancel = o->cancel;
    made->shelf = flk_shelf_for(made);
    made->on_wait = o->on_wait;
    made->on_wait_arg = o->on_wait_arg;
    rc = kind->init(&made->target, made->state);
    if (rc != 0) {
        free(made);
        return rc;
    }
    flk_registry_add(made);
    *lock = made;
    return 0;
}

int filelock_new(struct filelock **lock, const char *path, const struct filelock_options *options)
{
    struct filelock_options o;
    const struct kind *kind;
    int rc;

    if (lock == NULL || path == NULL || *path == '\0')
        return -EINVAL;
    rc = flk_options_read(options, false, &o, &kind);
    return rc != 0 ? rc : create(lock, &(struct object) { path, -1, -1, NULL }, &o, kind);
}

int filelock_new_from_fd(struct filelock **lock, int fd, const struct filelock_options *options)
{
    struct filelock_options o;
    const struct kind *kind;
    int rc, file;

    if (lock == NULL)
        return -EINVAL;
    rc = flk_options_read(options, true, &o, &kind);
    if (rc != 0)
        return rc;
    file = flk_file_of_descriptor(fd);
    return file < 0 ? file : create(lock, &(struct object) { NULL, fd, file, NULL }, &o, kind);
}

int filelock_new_from_provider(struct filelock **lock, const char *name, const struct filelock_options *options,
                               const struct filelock_provider *provider, void *arg)
{
    struct filelock_provider_lock what = { .size = sizeof(what), .name = name, .arg = arg };
    struct object object = { name, -1, -1, NULL };
    struct filelock_options o;
    const struct kind *kind;
    int rc;

    if (lock == NULL || name == NULL || *name == '\0')
        return -EINVAL;
    rc = flk_provider_kind(provider, &kind);
    if (rc == 0)
        rc = flk_options_read_for_provider(options, kind, &o);
    if (rc != 0)
        return rc;
    what.lease_ms = o.lease_ms;
    rc = provider->open(&object.opened, &what);
    if (rc != 0)
        return rc;
    rc = create(lock, &object, &o, kind);
    if (rc != 0)
        provider->close(object.opened);
    return rc;
}

/* Waits for the turn, unless the lock is held: a thread that held it may just be ending, and giving it up. */
static void take_final_turn(struct filelock *lock)
{
    struct limits forever = { .timeout_ms = FILELOCK_FOREVER, .cancel = FILELOCK_NO_WAITABLE };

    while (!flk_gate_is_held(lock) && !flk_gate_try(lock) && flk_gate_wait(lock, &forever) != 0)
        ;
}

void filelock_free(struct filelock *lock)
{
    bool held;
    int cancel_state;

    if (lock == NULL)
        return;
    cancel_state = flk_cancel_disable();
    flk_mutex_lock(&lock->shelf->mutex);
    if (flk_is_announcing(lock)) { /* the acquire that called on_wait still uses the handle */
        flk_mutex_unlock(&lock->shelf->mutex);
        flk_cancel_restore(cancel_state);
        return;
    }
    flk_mutex_unlock(&lock->shelf->mutex);
    (void) flk_attempt_abort(lock);
    flk_attempt_free_forgotten(lock);
    flk_mutex_lock(&lock->shelf->mutex);
    take_final_turn(lock);
    held = flk_gate_is_held(lock);
    flk_gate_reenter(lock);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (held) {
        flk_probe_released(lock, lock->target.path);
        (void) lock->target.kind->release(&lock->target, lock->state, lock->mode);
    }
    /* The handle is removed last: a child that is forked in between still knows of every descriptor. */
    lock->target.kind->close(&lock->target, lock->state);
    flk_registry_remove(lock);
    if (lock->target.kind->end != NULL)
        lock->target.kind->end(&lock->target);
    free(lock);
    flk_cancel_restore(cancel_state);
}
