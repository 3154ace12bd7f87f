/* SPDX-License-Identifier: MIT
 *
 * The thread of a handle.
 *
 * The lease is kept between two locks of a handle, but it is renewed only while a lock is held or waited for.  A write
 * whose answer got lost may still be done at any time later.  The lease is then tainted: it is revoked, not used again,
 * and what the late write puts goes with it.
 *
 * The lock counts as held until a time on this host's own clock: nine tenths of the time to live after the moment
 * before the last renewal that succeeded was sent.  A leader of the past, which was paused and does not know its
 * successor yet, renews a lease for itself alone.  So a renewal succeeds only if a majority answers in the same raft term
 * after it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "etcd/client.h"
#include "etcd/queue.h"
#include "etcd/session.h"
#include "system/boot_clock.h"

#define NS_PER_MS 1000000
#define NS_PER_S INT64_C(1000000000)
#define RETRY_MS 200    /* poll interval while no endpoint answers, or a watch ends again and again */
#define IDLE_MS 3600000 /* wake-up interval without anything to do */
#define MAX_TRIES 100   /* give up a lock without waiting after so many other contenders have come in between */

enum job { JOB_NONE, JOB_TRY, JOB_WAIT, JOB_RELEASE, JOB_OWNER, JOB_END };
enum loss { LOSS_NONE, LOSS_REMOVED, LOSS_EXPIRED, LOSS_UNREACHED };

struct session {
    /* These never change. */
    const struct settings *settings;
    const char *prefix;
    int64_t asked_seconds;
    pthread_t thread;
    int done_fd[2], lost_fd[2]; /* pipes */
    struct client *client;

    /* These are under the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t done;
    enum job job; /* NONE: the last one is done */
    enum filelock_mode mode;
    struct filelock_owner *owner;
    bool aborted; /* the caller of JOB_WAIT has given up */
    int result;
    bool held;
    enum loss loss;
    int64_t deadline; /* ns of flk_boot_now(): the lease is certain until then */
    int64_t token;
    uint64_t cluster;
    char complaint[600];

    /* These are the thread's own. */
    int64_t lease;   /* 0: none */
    int64_t seconds; /* the lease's time to live */
    bool tainted;
    bool renewing;
    int64_t kept_in;  /* the raft term of the last renewal; 0: a majority has answered after it in that term */
    bool unreached;   /* no endpoint has answered the last renewal, or not yet */
    int64_t renew_at; /* ns of flk_boot_now() */
    int64_t rewatch_at;
    int64_t seen; /* the revision at which the held key was read last */
    char *key;
};

/* ---- Small parts ---------------------------------------------------------------------------- */

static void lock(struct session *s)
{
    (void) pthread_mutex_lock(&s->mutex);
}

static void unlock(struct session *s)
{
    (void) pthread_mutex_unlock(&s->mutex);
}

static void send_byte(int fd)
{
    (void) !write(fd, "", 1);
}

static void drain(int fd)
{
    char bytes[16];

    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
}

static bool is_aborted(struct session *s)
{
    bool aborted;

    lock(s);
    aborted = s->aborted;
    unlock(s);
    return aborted;
}

static void set_deadline(struct session *s, int64_t deadline)
{
    lock(s);
    s->deadline = deadline;
    unlock(s);
}

/* Sets a later deadline, unless this one has passed: a caller may have been told so. */
static bool extend_deadline(struct session *s, int64_t deadline)
{
    bool in_time;

    lock(s);
    in_time = flk_boot_now() < s->deadline;
    if (in_time)
        s->deadline = deadline;
    unlock(s);
    return in_time;
}

static bool has_expired(const struct session *s)
{
    return flk_boot_now() >= s->deadline;
}

/* The lock is lost, and stays so until the release. */
static void lose(struct session *s, enum loss loss)
{
    lock(s);
    if (s->held && s->loss == LOSS_NONE) {
        s->loss = loss;
        send_byte(s->lost_fd[1]);
    }
    unlock(s);
    s->renewing = false;
}

/* The time of the lock has passed. */
static void expire(struct session *s)
{
    lose(s, s->unreached ? LOSS_UNREACHED : LOSS_EXPIRED);
}

/* Returns how many ns the lease is certain for after a call that was sent at that time. */
static int64_t certain_after(const struct session *s, int64_t sent)
{
    return sent + s->seconds * (NS_PER_S / 10 * 9);
}

/* ---- The lease ------------------------------------------------------------------------------ */

static void forget_lease(struct session *s)
{
    free(s->key);
    s->key = NULL;
    s->lease = 0;
    s->renewing = false;
    s->tainted = false;
    flk_client_unwatch(s->client);
}

/* Revokes the lease, or leaves it to expire. */
static void give_up_lease(struct session *s)
{
    if (s->lease != 0)
        (void) flk_lease_revoke(s->client, s->lease);
    forget_lease(s);
}

/* Makes sure that there is a lease that is certain for half of its time, and confirmed.  Returns 0 or -errno. */
static int ensure_lease(struct session *s)
{
    int64_t sent = flk_boot_now(), lease, seconds = s->asked_seconds;
    size_t size = strlen(s->prefix) + 20;
    int rc;

    if (s->lease != 0 && !s->tainted && s->kept_in == 0 && s->deadline - sent > s->seconds * (NS_PER_S / 2))
        return 0;
    give_up_lease(s);
    rc = flk_lease_grant(s->client, &lease, &seconds);
    if (rc != 0)
        return rc;
    s->key = malloc(size);
    if (s->key == NULL)
        return -ENOMEM;
    (void) snprintf(s->key, size, "%s%" PRIx64, s->prefix, (uint64_t) lease);
    s->lease = lease;
    s->seconds = seconds;
    s->kept_in = 0; /* a majority has granted it */
    s->renew_at = sent + seconds * (NS_PER_S / 3);
    set_deadline(s, certain_after(s, sent));
    return 0;
}

/* True if a majority has answered the last call, in the raft term of the last renewal. */
static bool is_confirmed(const struct session *s)
{
    return s->kept_in == 0 || s->kept_in == flk_client_term(s->client);
}

/*
 * Keeps the lease alive.  A holder also looks whether its key is still there, which a majority answers.  A waiter does
 * not, and its renewal is confirmed when it reads the queue.  Returns as flk_client_call() does.
 */
static int keep_alive(struct session *s, int64_t *seconds, int64_t *created)
{
    int rc = flk_lease_keep_alive(s->client, s->lease, seconds);

    if (rc != 0 || *seconds == 0)
        return rc;
    s->kept_in = flk_client_term(s->client);
    if (!s->held)
        return 0;
    rc = flk_etcd_queue_find(s->client, s->key, created, &s->seen);
    if (rc == 0 && !is_confirmed(s))
        return -EAGAIN;
    s->kept_in = 0;
    return rc;
}

/* Renews, and says when to renew again. */
static void renew(struct session *s)
{
    int64_t sent = flk_boot_now(), seconds = 0, created = s->token;
    int rc;

    s->unreached = true; /* until an endpoint has answered: the time of the lock may pass before */
    rc = keep_alive(s, &seconds, &created);
    s->renew_at = flk_boot_now() + RETRY_MS * NS_PER_MS;
    s->unreached = rc == -EHOSTUNREACH;
    if (rc != 0)
        return;
    if (seconds == 0) {
        s->renewing = false;
        set_deadline(s, 0);
        lose(s, LOSS_EXPIRED);
    } else if (created != s->token) {
        lose(s, LOSS_REMOVED);
    } else if (extend_deadline(s, certain_after(s, sent))) {
        s->renew_at = sent + s->seconds * (NS_PER_S / 3);
    }
}

/* Called whenever the client waits.  Returns in how many ms it has something to do. */
static int64_t tick(void *arg)
{
    struct session *s = arg;
    int64_t now = flk_boot_now(), next;

    if (!s->renewing)
        return IDLE_MS;
    if (now >= s->deadline) {
        s->renewing = false;
        expire(s);
        return IDLE_MS;
    }
    next = s->renew_at > now && s->renew_at < s->deadline ? s->renew_at : s->deadline;
    return (next - now) / NS_PER_MS + 1;
}

/*
 * Renews if it is time, or else waits for an event.  A watch that has ended counts as fired.  Does not wait after a
 * call of the cluster: a wake-up that came during the call would not end the wait.
 */
static bool wait_for_event(struct session *s, int64_t ms)
{
    if (s->renewing && flk_boot_now() >= s->renew_at)
        renew(s);
    else
        flk_client_pump(s->client, ms);
    return flk_client_watch_fired(s->client);
}

/* ---- Acquiring ------------------------------------------------------------------------------ */

static void become_holder(struct session *s, int64_t created)
{
    lock(s);
    s->held = true;
    s->loss = LOSS_NONE;
    s->token = created;
    drain(s->lost_fd[0]);
    unlock(s);
    s->renewing = true;
    s->rewatch_at = flk_boot_now() + RETRY_MS * NS_PER_MS;
    s->seen = created;
    s->kept_in = 0;
    s->unreached = false;
    flk_client_unwatch(s->client);
}

/* Leaves the queue, if it is there (created is not 0).  If that is not certain, gives up the lease. */
static void leave(struct session *s, int64_t created)
{
    bool deleted;

    s->renewing = false;
    flk_client_unwatch(s->client);
    if (s->lease == 0 || (!s->tainted && created == 0))
        return;
    if (s->tainted || flk_etcd_queue_leave(s->client, s->key, created, &deleted, NULL) != 0)
        give_up_lease(s);
}

/* Returns 0, -ETIMEDOUT or -errno. */
static int try_lock(struct session *s)
{
    struct place place = { 0, false, NULL, 0 };
    int rc = -ETIMEDOUT;

    for (int i = 0; i < MAX_TRIES; i++) {
        rc = ensure_lease(s);
        if (rc == 0)
            rc = flk_etcd_queue_enter(s->client, s->prefix, s->key, s->lease, s->mode, place.revision, &place,
                                      &s->tainted);
        if (rc == -ENOENT && i + 1 < MAX_TRIES) { /* the lease has expired */
            forget_lease(s);
            continue;
        }
        if (rc != 0) {
            give_up_lease(s);
            break;
        }
        rc = place.free ? 0 : -ETIMEDOUT;
        if (rc != 0 || place.created != 0)
            break;
        rc = -ETIMEDOUT; /* only other readers are there, or others have left: once more */
    }
    if (rc == 0 && has_expired(s))
        rc = -EHOSTUNREACH;
    if (rc == 0)
        become_holder(s, place.created);
    else
        leave(s, place.created);
    flk_place_clear(&place);
    return rc;
}

/* Waits for a moment.  True if the caller has given up. */
static bool pause_or_abort(struct session *s)
{
    int64_t until = flk_boot_now() + RETRY_MS * NS_PER_MS, now;

    while ((now = flk_boot_now()) < until && !is_aborted(s))
        (void) wait_for_event(s, (until - now) / NS_PER_MS + 1);
    return is_aborted(s);
}

/* Waits until the queue may have changed.  False: the caller has given up, or the lease has expired. */
static bool wait_for_change(struct session *s, const struct place *place)
{
    bool fired = flk_client_watch(s->client, place->in_the_way, place->revision + 1) != 0;

    while (!fired && !is_aborted(s) && !has_expired(s))
        fired = wait_for_event(s, IDLE_MS);
    if (fired && !flk_client_watches(s->client))
        (void) pause_or_abort(s); /* the watch has ended, and the next may end at once too */
    flk_client_unwatch(s->client);
    return fired;
}

/*
 * Waits in the queue, at this place.  Returns
 *   0              it is first
 *   -ETIMEDOUT     the caller has given up
 *   -EHOSTUNREACH  the same, and no endpoint answers
 *   -ENOENT        the key is gone, or the lease has expired
 *   -errno
 */
static int wait_in_queue(struct session *s, struct place *place)
{
    int rc = 0;

    s->renewing = true;
    for (;;) {
        if (has_expired(s) || (rc == 0 && place->created == 0))
            return -ENOENT;
        if (rc == 0 && place->free && is_confirmed(s))
            return 0;
        if (is_aborted(s))
            return rc == 0 ? -ETIMEDOUT : rc;
        if (rc == 0 && place->free)
            renew(s);
        else if (rc == 0 && !wait_for_change(s, place))
            continue;
        if (rc != 0 && pause_or_abort(s))
            return rc;
        rc = flk_etcd_queue_read(s->client, s->prefix, s->key, s->mode, place);
        if (rc != 0 && rc != -EHOSTUNREACH)
            return rc;
    }
}

/* Enters the queue, and waits there.  Returns as wait_in_queue() does. */
static int enter_and_wait(struct session *s, struct place *place)
{
    int rc = ensure_lease(s);

    if (rc == 0)
        rc = flk_etcd_queue_enter(s->client, s->prefix, s->key, s->lease, s->mode, INT64_MAX, place, &s->tainted);
    return rc == 0 ? wait_in_queue(s, place) : rc;
}

static int wait_for_lock(struct session *s)
{
    struct place place = { 0, false, NULL, 0 };
    int rc;

    for (;;) {
        rc = enter_and_wait(s, &place);
        if (rc == -ENOENT) /* it lost its place, and goes to the end of the queue */
            give_up_lease(s);
        else if (rc != -EHOSTUNREACH)
            break;
        if (rc == -EHOSTUNREACH ? pause_or_abort(s) : is_aborted(s))
            break;
    }
    if (rc == -ENOENT)
        rc = -ETIMEDOUT;
    if (rc == 0)
        become_holder(s, place.created);
    else
        leave(s, place.created);
    s->renewing = rc == 0;
    flk_place_clear(&place);
    return rc;
}

/* ---- Holding and releasing ------------------------------------------------------------------ */

/*
 * Watches the key of the held lock from when it was read last: the cluster forgets what is long ago.  A lock that is
 * held for a short time only needs no watch.
 */
static void watch_own_key(struct session *s)
{
    if (flk_client_watches(s->client) || flk_boot_now() < s->rewatch_at)
        return;
    s->rewatch_at = flk_boot_now() + RETRY_MS * NS_PER_MS;
    (void) flk_client_watch(s->client, s->key, s->seen + 1);
}

static void hold(struct session *s)
{
    int64_t created = s->token;
    bool fired = wait_for_event(s, flk_client_watches(s->client) ? IDLE_MS : RETRY_MS);

    if (fired && s->renewing && flk_etcd_queue_find(s->client, s->key, &created, &s->seen) == 0 && created != s->token)
        lose(s, LOSS_REMOVED);
}

static void end_holding(struct session *s)
{
    lock(s);
    s->held = false;
    drain(s->lost_fd[0]);
    unlock(s);
    s->renewing = false;
    flk_client_unwatch(s->client);
}

/*
 * Deletes the key, or revokes a lease that is tainted.  Returns
 *   0              that is done, or the lease is given up and will never be renewed
 *   -ESTALE        the key was gone
 *   -EHOSTUNREACH  nothing was sent
 *   -errno
 */
static int remove_key(struct session *s)
{
    bool deleted = false, unclear = false;
    int rc;

    if (s->tainted) {
        rc = flk_lease_revoke(s->client, s->lease);
        return rc == -EHOSTUNREACH ? 0 : rc;
    }
    rc = flk_etcd_queue_leave(s->client, s->key, s->token, &deleted, &unclear);
    if (rc != 0 && unclear)
        s->tainted = true; /* the delete may still come to be done */
    if (rc == -EHOSTUNREACH && unclear)
        return 0;
    return rc == 0 && !deleted && !unclear ? -ESTALE : rc;
}

static int release_lock(struct session *s)
{
    int rc;

    if (has_expired(s))
        expire(s);
    rc = s->loss != LOSS_NONE ? -ESTALE : remove_key(s);
    if (rc != 0 && rc != -ESTALE)
        return rc;
    if (rc == -ESTALE)
        lose(s, LOSS_REMOVED);
    end_holding(s);
    if (s->tainted || rc == -ESTALE)
        give_up_lease(s);
    return rc;
}

/* ---- The thread ----------------------------------------------------------------------------- */

static int do_job(struct session *s, enum job job)
{
    switch (job) {
    case JOB_TRY:
        return try_lock(s);
    case JOB_WAIT:
        return wait_for_lock(s);
    case JOB_RELEASE:
        return release_lock(s);
    case JOB_OWNER:
        return flk_etcd_queue_owner(s->client, s->prefix, s->owner);
    case JOB_END:
    case JOB_NONE:
    default:
        give_up_lease(s);
        return 0;
    }
}

static void finish(struct session *s, int result)
{
    lock(s);
    s->job = JOB_NONE;
    s->result = result;
    s->cluster = flk_client_cluster(s->client);
    if (result != 0)
        (void) snprintf(s->complaint, sizeof(s->complaint), "%s", flk_client_complaint(s->client));
    (void) pthread_cond_signal(&s->done);
    send_byte(s->done_fd[1]);
    unlock(s);
}

static enum job next_job(struct session *s)
{
    enum job job;

    lock(s);
    job = s->job;
    unlock(s);
    return job;
}

static void *run(void *arg)
{
    struct session *s = arg;
    enum job job;

    do {
        job = next_job(s);
        if (job != JOB_NONE) {
            finish(s, do_job(s, job));
        } else if (s->held && s->renewing) {
            watch_own_key(s);
            hold(s);
        } else {
            flk_client_pump(s->client, IDLE_MS);
            (void) flk_client_watch_fired(s->client);
        }
    } while (job != JOB_END);
    return NULL;
}

/* Gives the thread a job, and does not wait for it. */
static void post(struct session *s, enum job job, enum filelock_mode mode)
{
    lock(s);
    s->job = job;
    s->mode = mode;
    s->aborted = false;
    drain(s->done_fd[0]);
    unlock(s);
    flk_client_wake(s->client);
}

static int result_of(struct session *s)
{
    int result;

    lock(s);
    while (s->job != JOB_NONE)
        (void) pthread_cond_wait(&s->done, &s->mutex);
    result = s->result;
    unlock(s);
    return result;
}

/* ---- For the caller ------------------------------------------------------------------------- */

int flk_session_try(struct session *session, enum filelock_mode mode)
{
    post(session, JOB_TRY, mode);
    return result_of(session);
}

/* A limit that is reached when the lock has just been granted is not told: the lock is the caller's. */
int flk_session_acquire(struct session *session, enum filelock_mode mode, const struct filelock_provider_limits *limits)
{
    int limit, result;

    post(session, JOB_WAIT, mode);
    limit = filelock_provider_wait(limits, session->done_fd[0], FILELOCK_FOREVER);
    lock(session);
    session->aborted = true;
    unlock(session);
    flk_client_wake(session->client);
    result = result_of(session);
    if (limit == 0 || (result != -ETIMEDOUT && (result != -EHOSTUNREACH || limit == -ETIMEDOUT)))
        return result;
    return limit;
}

int flk_session_release(struct session *session)
{
    post(session, JOB_RELEASE, FILELOCK_EXCLUSIVE);
    return result_of(session);
}

int flk_session_owner(struct session *session, struct filelock_owner *owner)
{
    session->owner = owner;
    post(session, JOB_OWNER, FILELOCK_EXCLUSIVE);
    return result_of(session);
}

int64_t flk_session_remaining(struct session *session)
{
    int64_t left;

    lock(session);
    left = session->loss == LOSS_NONE ? session->deadline - flk_boot_now() : 0;
    unlock(session);
    return left > 0 ? left / NS_PER_MS : 0;
}

filelock_waitable flk_session_lost(struct session *session)
{
    return session->lost_fd[0];
}

int flk_session_token(struct session *session, uint64_t *token)
{
    lock(session);
    *token = (uint64_t) session->token;
    unlock(session);
    return 0;
}

int flk_session_explain(struct session *session, int error, char *text, size_t size)
{
    static const char *const losses[] = {
        [LOSS_NONE] = "its lease was not renewed in time",
        [LOSS_REMOVED] = "its key was removed",
        [LOSS_EXPIRED] = "its lease was not renewed in time",
        [LOSS_UNREACHED] = "no endpoint answered, so that its lease was not renewed in time",
    };
    int known = 1;

    lock(session);
    if (error == -ESTALE)
        (void) snprintf(text, size, "%s", losses[session->loss]);
    else if ((error == -EHOSTUNREACH || error == -EACCES || error == -EIO || error == -ENOSPC) &&
             session->complaint[0] != '\0')
        (void) snprintf(text, size, "%s", session->complaint);
    else
        known = 0;
    unlock(session);
    return known;
}

uint64_t flk_session_cluster(struct session *session)
{
    uint64_t cluster;

    lock(session);
    cluster = session->cluster;
    unlock(session);
    return cluster;
}

/* ---- The session ---------------------------------------------------------------------------- */

static int start_thread(struct session *s)
{
    sigset_t all, before;
    int error;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&s->thread, NULL, run, s);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static void free_session(struct session *s)
{
    for (int i = 0; i < 2; i++) {
        if (s->done_fd[i] >= 0)
            (void) close(s->done_fd[i]);
        if (s->lost_fd[i] >= 0)
            (void) close(s->lost_fd[i]);
    }
    if (s->client != NULL)
        flk_client_free(s->client);
    (void) pthread_cond_destroy(&s->done);
    (void) pthread_mutex_destroy(&s->mutex);
    free(s->key);
    free(s);
}

int flk_session_start(struct session **session, const struct settings *settings, const char *prefix,
                      int64_t lease_seconds)
{
    struct session *made = calloc(1, sizeof(*made));
    int rc = 0;

    if (made == NULL)
        return -ENOMEM;
    made->settings = settings;
    made->prefix = prefix;
    made->asked_seconds = lease_seconds;
    made->done_fd[0] = made->done_fd[1] = made->lost_fd[0] = made->lost_fd[1] = -1;
    (void) pthread_mutex_init(&made->mutex, NULL);
    (void) pthread_cond_init(&made->done, NULL);
    if (pipe2(made->done_fd, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(made->lost_fd, O_CLOEXEC | O_NONBLOCK) != 0)
        rc = -errno;
    made->client = rc == 0 ? flk_client_new(settings) : NULL;
    if (rc == 0 && made->client == NULL)
        rc = -ENOMEM;
    if (rc == 0) {
        flk_client_set_tick(made->client, tick, made);
        rc = start_thread(made);
    }
    if (rc != 0)
        free_session(made);
    else
        *session = made;
    return rc;
}

void flk_session_end(struct session **session)
{
    struct session *ended = *session;

    post(ended, JOB_END, FILELOCK_EXCLUSIVE);
    (void) pthread_join(ended->thread, NULL);
    *session = NULL;
    free_session(ended);
}

void flk_session_forked(struct session *session)
{
    for (int i = 0; i < 2; i++) {
        (void) close(session->done_fd[i]);
        (void) close(session->lost_fd[i]);
    }
    flk_client_forked(session->client);
}
