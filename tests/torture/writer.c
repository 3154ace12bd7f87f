/* SPDX-License-Identifier: MIT
 *
 * writer.c - a process that is tortured by etcd.py: it takes locks of a cluster, and updates the resource of each.
 *
 * Usage: writer SOCKET ENDPOINTS SEED MUTANT.  The witness keeps the resources, at the other end of the socket, and
 * learns from the writer what each call has returned and when.  MUTANT "deaf" never says that a lock was lost.
 * "greedy" goes on as if it had the lock of another.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <filelock-etcd.h>

#define NAMES 3
#define LEASE_MS 2000 /* as the witness has it */

static int witness;
static const char *mutant;

/* Returns the time in ns, on a clock that all processes of this host share. */
static int64_t now(void)
{
    struct timespec time;

    (void) clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int is_mutant(const char *kind)
{
    return strcmp(mutant, kind) == 0;
}

static void nap_up_to(int ms)
{
    int64_t ns = (int64_t) (rand() % (ms + 1)) * 1000000;
    struct timespec time = { ns / 1000000000, ns % 1000000000 };

    (void) nanosleep(&time, NULL);
}

/* Tells the witness something, and returns the number that it answers; -1: the resource has refused the token. */
static int64_t tell(const char *what, int name, uint64_t token, int64_t first, int64_t second)
{
    char text[200];
    ssize_t n;

    (void) snprintf(text, sizeof(text), "%s %d %" PRIu64 " %" PRId64 " %" PRId64, what, name, token, first, second);
    if (send(witness, text, strlen(text), MSG_NOSIGNAL) < 0)
        exit(0); /* the torture is over */
    n = recv(witness, text, sizeof(text) - 1, 0);
    if (n <= 0)
        exit(0);
    text[n] = '\0';
    return strtoll(text, NULL, 10);
}

/* Says that the lock is held, if the library says so.  The time is from before the question. */
static void claim(struct filelock *lock, int name, uint64_t token)
{
    int64_t asked = now();

    if (filelock_check(lock) == 0 || is_mutant("greedy"))
        (void) tell("claim", name, token, asked, 0);
}

/* Adds one to the number in the resource; reads it only, with a shared lock.  Returns 0 if the resource has refused. */
static int update(struct filelock *lock, int name, uint64_t token, enum filelock_mode mode)
{
    int64_t value = tell("read", name, token, 0, 0);

    if (value < 0)
        return 0;
    nap_up_to(rand() % 4 == 0 ? 300 : 20);
    claim(lock, name, token);
    return mode == FILELOCK_SHARED || tell("write", name, token, value, value + 1) >= 0;
}

static void use(struct filelock *lock, int name, enum filelock_mode mode, int64_t called)
{
    int64_t returned = now(), began;
    uint64_t token = 0;
    int rc;

    if (filelock_token(lock, &token) != 0)
        token = (uint64_t) called; /* a greedy mutant holds nothing */
    (void) tell(mode == FILELOCK_SHARED ? "share" : "grant", name, token, called, returned);
    claim(lock, name, token);
    for (int updates = 1 + rand() % 4; updates > 0 && update(lock, name, token, mode); updates--)
        ;
    began = now();
    rc = filelock_release(lock);
    for (int tries = 0; rc == -EHOSTUNREACH && tries < 50; tries++)
        rc = filelock_release(lock);
    if (rc != 0 && (is_mutant("deaf") || is_mutant("greedy")))
        rc = 0;
    (void) tell("release", name, token, began, rc);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    static const int64_t timeouts[] = { FILELOCK_TRY, 500, 4000, 20000, 20000 };
    struct filelock *locks[NAMES];
    char name[16];

    if (argc != 5 || strlen(argv[1]) >= sizeof(address.sun_path))
        return 64;
    strcpy(address.sun_path, argv[1]);
    etcd.endpoints = argv[2];
    srand((unsigned) atoi(argv[3]));
    mutant = argv[4];
    options.lease_ms = LEASE_MS;
    witness = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (witness < 0 || connect(witness, (struct sockaddr *) &address, sizeof(address)) != 0)
        return 69;
    for (int i = 0; i < NAMES; i++) {
        (void) snprintf(name, sizeof(name), "resource%d", i);
        if (filelock_etcd_new(&locks[i], name, &options, &etcd) != 0)
            return 70;
    }
    for (;;) {
        int i = rand() % NAMES, rc;
        enum filelock_mode mode = rand() % 4 == 0 ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE;
        int64_t called = now();

        rc = filelock_acquire(locks[i], mode, timeouts[rand() % 5]);
        if (rc == 0 || (rc == -ETIMEDOUT && is_mutant("greedy")))
            use(locks[i], i, mode, called);
        else
            (void) tell("none", i, 0, called, rc);
        nap_up_to(30);
    }
}
