/* SPDX-License-Identifier: MIT
 *
 * posix.c - what suites that run on POSIX only use: permissions, users, forks.
 */
#include "posix.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>

unsigned mode_of(const char *path)
{
    struct stat status;
    ck_assert_msg(lstat(path, &status) == 0, "there is no %s", path);
    return (unsigned) status.st_mode & 07777;
}

void make_file(const char *path, unsigned mode, const char *text)
{
    ck_assert_int_eq(write_file(path, text, strlen(text)), 0);
    ck_assert_int_eq(chmod(path, (mode_t) mode), 0);
}

void open_scratch(void)
{
    char path[2048];
    snprintf(path, sizeof path, "%s", scratch(""));
    ck_assert_int_eq(chmod(path, 0777), 0);
    path[strlen(path) - 1] = '\0';
    *strrchr(path, '/') = '\0'; /* the directory of the whole program */
    ck_assert_int_eq(chmod(path, 0711), 0);
}

void become_nobody(void)
{
    open_scratch();
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setgid(NOBODY), 0);
    ck_assert_int_eq(setuid(NOBODY), 0);
}

/* Opens the FIFOs in the same order as the child, so that neither waits for ever. */
struct peer *peer_fork(struct peer *peer, const char *worker)
{
    static int forks;
    char name[32];
    const char *in, *out;
    snprintf(name, sizeof name, "in%d", forks);
    in = scratch(name);
    snprintf(name, sizeof name, "out%d", forks++);
    out = scratch(name);
    ck_assert_int_eq(mkfifo(in, 0600), 0);
    ck_assert_int_eq(mkfifo(out, 0600), 0);
    const char *answer;
    if (worker) {
        PEER_SAYS(peer, "0", "on %s fork %s %s", worker, in, out);
        answer = peer_ask(peer, "answer %s", worker);
    } else {
        answer = peer_ask(peer, "fork %s %s", in, out);
    }
    int64_t pid = atoll(answer);
    ck_assert_msg(pid > 0, "the fork failed: %s", answer);
    int to = open(in, O_WRONLY | O_CLOEXEC);
    int from = open(out, O_RDONLY | O_CLOEXEC);
    ck_assert(to >= 0 && from >= 0);
    return peer_adopt(pid, to, from);
}
