/* SPDX-License-Identifier: MIT
 *
 * One sentence for the user: what was asked, of which path, why it failed, who is in the way.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "handle.h"

/* A text that is cut where there is no room left, and counts on. */
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
    n = vsnprintf(fits ? sentence->text + sentence->length : NULL, fits ? sentence->size - sentence->length : 0,
                  format, args);
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

static void add_request(struct sentence *sentence, const struct filelock *lock, const struct request *request)
{
    static const char *const verbs[] = {
        [ASKED_NOTHING] = "use", [ASKED_ACQUIRE] = "acquire",          [ASKED_RELEASE] = "release",
        [ASKED_CHECK] = "check", [ASKED_OWNER] = "tell who holds", [ASKED_BREAK] = "break",
    };

    add(sentence, "cannot %s ", verbs[request->what]);
    if (lock->target.path != NULL)
        add(sentence, "%s", lock->target.path);
    else
        add(sentence, "descriptor %d", lock->target.descriptor);
    if (request->what != ASKED_ACQUIRE)
        return;
    if (request->mode == FILELOCK_SHARED)
        add(sentence, " shared");
    if (request->timeout_ms > 0)
        add_seconds(sentence, request->timeout_ms);
    else if (request->timeout_ms == FILELOCK_TRY)
        add(sentence, " at once");
}

static void add_holder(struct sentence *sentence, const struct filelock *lock)
{
    struct filelock_owner owner = { .size = sizeof(owner), .alive = -1 };

    if (lock->target.kind->owner(&lock->target, &owner) != 0 || owner.pid == 0) {
        add(sentence, "held by another process");
        return;
    }
    add(sentence, "held by pid %" PRId64, owner.pid);
    if (owner.command[0] != '\0')
        add(sentence, " (%s)", owner.command);
    if (!owner.local)
        add(sentence, " on %s", owner.host);
    else if (owner.alive == 0)
        add(sentence, ", which has ended");
}

/* What this kind does not do. */
static bool asks_to_share(const struct filelock *lock, const struct request *request)
{
    return request->what == ASKED_ACQUIRE && request->mode == FILELOCK_SHARED &&
           (lock->target.kind->abilities & CAN_SHARE) == 0;
}

static void add_reason(struct sentence *sentence, const struct filelock *lock, const struct request *request, int error)
{
    if (error == -ETIMEDOUT)
        add_holder(sentence, lock);
    else if (error == -EPERM && (request->what == ASKED_RELEASE || request->what == ASKED_CHECK))
        add(sentence, "not held%s", flk_any_thread(lock) ? "" : " by this thread");
    else if (error == -EINVAL && asks_to_share(lock, request))
        add(sentence, "%s locks are only exclusive", lock->target.kind->name);
    else if (error == -ENOTSUP && request->what == ASKED_BREAK)
        add(sentence, "%s locks have no marker to remove", lock->target.kind->name);
    else if (error == -EDEADLK && request->mode == FILELOCK_EXCLUSIVE && filelock_held(lock))
        add(sentence, "it is held shared, which has to be released first");
    else if (error == -EDEADLK)
        add(sentence, "this thread holds it through another handle");
    else if (error == -ENOENT && request->what == ASKED_ACQUIRE)
        add(sentence, "its directory does not exist");
    else
        add(sentence, "%s", filelock_strerror(error));
}

size_t filelock_describe(const struct filelock *lock, int error, char *text, size_t size)
{
    struct sentence sentence = { text, text != NULL ? size : 0, 0 };
    struct request request;
    int shield;

    if (error > 0)
        error = -error;
    if (sentence.size > 0)
        text[0] = '\0';
    if (lock == NULL || error == 0) {
        add(&sentence, "%s", filelock_strerror(error));
        return sentence.length;
    }
    flk_mutex_lock(flk_mutex_of(lock));
    request = lock->request;
    flk_mutex_unlock(flk_mutex_of(lock));
    shield = flk_thread_shield();
    add_request(&sentence, lock, &request);
    add(&sentence, ": ");
    add_reason(&sentence, lock, &request, error);
    flk_thread_unshield(shield);
    return sentence.length;
}
