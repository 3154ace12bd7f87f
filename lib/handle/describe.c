/* SPDX-License-Identifier: MIT
 *
 * A sentence for the user: the request, the path, why it failed, and which process is in the way.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "kind.h"
#include "system/thread.h"

/* A text that is cut where its room ends; length counts on. */
struct sentence {
    char *text;
    size_t size, length;
};

static void add(struct sentence *sentence, const char *format, ...)
{
    bool fits = sentence->length < sentence->size;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(fits ? sentence->text + sentence->length : NULL, fits ? sentence->size - sentence->length : 0, format,
                  args);
    va_end(args);
    if (n > 0)
        sentence->length += (size_t) n;
}

static void add_seconds(struct sentence *sentence, int64_t ms)
{
    int digits = ms % 1000 == 0 ? 0 : ms % 100 == 0 ? 1 : ms % 10 == 0 ? 2 : 3;
    int64_t fraction = ms % 1000;

    for (int i = digits; i > 0 && i < 3; i++)
        fraction /= 10;
    add(sentence, " within %" PRId64, ms / 1000);
    if (digits > 0)
        add(sentence, ".%0*" PRId64, digits, fraction);
    add(sentence, " s");
}

static void add_target(struct sentence *sentence, const struct target *target)
{
    if (target->path != NULL)
        add(sentence, "%s", target->path);
    else
        add(sentence, "descriptor %d", target->descriptor);
}

/* The timeout belongs to a sentence only if it is the reason. */
static void add_request(struct sentence *sentence, const struct filelock *lock, const struct request *request,
                        int error)
{
    static const char *const verbs[] = {
        [ASKED_NOTHING] = "use",
        [ASKED_ACQUIRE] = "acquire",
        [ASKED_RELEASE] = "release",
        [ASKED_CHECK] = "check",
        [ASKED_OWNER] = "tell who holds",
        [ASKED_BREAK] = "break",
        [ASKED_CONVERT] = "convert",
        [ASKED_FINISH] = "end the attempt to acquire",
        [ASKED_REMAINING] = "tell how long it stays held:",
        [ASKED_TOKEN] = "tell the fencing token of",
    };

    add(sentence, "cannot %s ", verbs[request->what]);
    add_target(sentence, &lock->target);
    if (request->what == ASKED_CONVERT)
        add(sentence, request->mode == FILELOCK_SHARED ? " to shared" : " to exclusive");
    else if (request->what != ASKED_ACQUIRE)
        return;
    else if (request->mode == FILELOCK_SHARED)
        add(sentence, " shared");
    if (error != -ETIMEDOUT)
        return;
    if (request->timeout_ms > 0)
        add_seconds(sentence, request->timeout_ms);
    else if (request->timeout_ms == FILELOCK_TRY)
        add(sentence, " at once");
}

static void add_unnamed(struct sentence *sentence, const struct target *target)
{
    const char *reason = target->kind->unnamed != NULL ? target->kind->unnamed(target) : NULL;

    add(sentence, "held by another process");
    if (reason != NULL)
        add(sentence, ", as far as can be seen; %s with filelock_break() or filelock --break", reason);
}

static void add_holder(struct sentence *sentence, const struct filelock *lock)
{
    struct filelock_owner owner = { .size = sizeof(owner), .alive = -1 };

    if (lock->target.kind->owner(&lock->target, &owner) != 0 || owner.pid == 0) {
        add_unnamed(sentence, &lock->target);
        return;
    }
    /* The kernel ends the lock of a dead holder: if this process has ended, another has the lock that it took. */
    add(sentence, owner.alive == 0 && (lock->target.kind->abilities & NAMES_TAKER) != 0 ? "taken" : "held");
    add(sentence, " by pid %" PRId64, owner.pid);
    if (owner.command[0] != '\0')
        add(sentence, " (%s)", owner.command);
    if (!owner.local)
        add(sentence, " on %s", owner.host);
    else if (owner.alive == 0)
        add(sentence, ", which has ended");
}

/* True if the request is to share a lock whose kind cannot be shared. */
static bool asks_to_share(const struct filelock *lock, const struct request *request)
{
    return request->what == ASKED_ACQUIRE && request->mode == FILELOCK_SHARED &&
           (lock->target.kind->abilities & CAN_SHARE) == 0;
}

/* True if the request is about a lock that is held. */
static bool wants_held(enum asked what)
{
    return what == ASKED_RELEASE || what == ASKED_CHECK || what == ASKED_CONVERT || what == ASKED_REMAINING;
}

/* Returns why a held lock cannot be converted.  NULL: nothing is known beside the error itself. */
static const char *conversion_fault(const struct filelock *lock, const struct request *request, int error)
{
    if (request->what != ASKED_CONVERT)
        return NULL;
    if (error == -EINVAL && request->timeout_ms == FILELOCK_FOREVER)
        return "two that convert to exclusive would wait for each other for ever: a timeout is needed";
    if (error == -EBUSY)
        return "another level, thread or process counts on it as it is";
    if (error == -ENOTSUP && (lock->target.kind->abilities & CAN_SHARE) == 0)
        return "locks of this kind are only exclusive";
    return error == -ENOTSUP ? "this kind would let others in: release it, and acquire it again" : NULL;
}

#define EXPLANATION_SIZE 256

/*
 * Writes what the kind knows about the error.  False: it knows no more.  A thread that has the turn may be changing the
 * state, and then the kind is not asked.
 */
static bool explain(const struct filelock *lock, int error, char text[EXPLANATION_SIZE])
{
    const struct kind *kind = lock->target.kind;
    int64_t state[FLK_MAX_STATE / sizeof(int64_t)];
    bool still;

    if (kind->explain == NULL)
        return false;
    flk_mutex_lock(&lock->shelf->mutex);
    still = lock->gate.state != GATE_BUSY;
    if (still)
        memcpy(state, lock->state, kind->state_size);
    flk_mutex_unlock(&lock->shelf->mutex);
    return still && kind->explain(&lock->target, state, error, text, EXPLANATION_SIZE);
}

static void add_reason(struct sentence *sentence, const struct filelock *lock, const struct request *request, int error)
{
    const char *fault = conversion_fault(lock, request, error);
    char explanation[EXPLANATION_SIZE];

    if (fault != NULL)
        add(sentence, "%s", fault);
    else if (error == -ETIMEDOUT)
        add_holder(sentence, lock);
    else if (error == -EPERM && wants_held(request->what))
        add(sentence, "not held%s", flk_any_thread(lock) ? "" : " by this thread");
    else if (error == -EPERM && request->what != ASKED_NOTHING)
        add(sentence, "the system does not permit it");
    else if (error == -ELOOP && (lock->target.flags & FILELOCK_FOLLOW_SYMLINK) != 0)
        add(sentence, "its path has too many symbolic links");
    else if (error == -EOVERFLOW && !filelock_held(lock))
        add(sentence, "its range ends beyond what can be locked here");
    else if (error == -EINVAL && asks_to_share(lock, request))
        add(sentence, "%s locks are only exclusive", lock->target.kind->name);
    else if (explain(lock, error, explanation))
        add(sentence, "%s", explanation);
    else if (error == -ENOTSUP && request->what == ASKED_BREAK)
        add(sentence, "%s locks have no marker to remove", lock->target.kind->name);
    else if (error == -ENOTSUP && request->what == ASKED_TOKEN)
        add(sentence, "%s locks have none", lock->target.kind->name);
    else if (error == -EDEADLK && request->mode == FILELOCK_EXCLUSIVE && filelock_held(lock))
        add(sentence, "it is held shared, which has to be released first");
    else if (error == -EDEADLK)
        add(sentence, "this thread holds it through another handle");
    else if (error == -EALREADY)
        add(sentence, "an acquire of it is under way");
    else if (error == -EINVAL && request->what == ASKED_FINISH)
        add(sentence, "no acquire of it is under way");
    else if (error == -EBUSY)
        add(sentence, "its on_wait is being called, or another thread converts it");
    else if (error == -EEXIST)
        add(sentence, "the file is not a lock file of this kind, and is left as it is");
    else if (error == -ENOENT && request->what == ASKED_ACQUIRE)
        add(sentence, "its directory does not exist");
    else
        add(sentence, "%s", filelock_strerror(error));
}

size_t filelock_describe(const struct filelock *lock, int error, char *text, size_t size)
{
    struct sentence sentence = { text, text != NULL ? size : 0, 0 };
    struct request request;
    int cancel_state;

    if (error > 0)
        error = -error;
    if (sentence.size > 0)
        text[0] = '\0';
    if (lock == NULL || error == 0) {
        add(&sentence, "%s", filelock_strerror(error));
        return sentence.length;
    }
    flk_mutex_lock(&lock->shelf->mutex);
    request = lock->request;
    flk_mutex_unlock(&lock->shelf->mutex);
    cancel_state = flk_cancel_disable();
    if (error == -EINPROGRESS) {
        add(&sentence, "waiting for ");
        add_target(&sentence, &lock->target);
        add(&sentence, ": ");
        add_holder(&sentence, lock);
    } else {
        add_request(&sentence, lock, &request, error);
        add(&sentence, ": ");
        add_reason(&sentence, lock, &request, error);
    }
    flk_cancel_restore(cancel_state);
    return sentence.length;
}
