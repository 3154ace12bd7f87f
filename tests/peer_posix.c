/* SPDX-License-Identifier: MIT
 *
 * peer_posix.c - a peer's commands that only POSIX has.
 *
 *   fork IN OUT          forks; the child answers commands on these FIFOs; the answer is its pid
 *   exec                 becomes a new image of this program, which has nothing but its descriptors, and
 *                        answers "again"
 *   storm A B N WHAT     forks N times, while two threads acquire and release A and B for ever.  The answer
 *                        is how many children found that they have no lock (and, if WHAT is "descriptors",
 *                        no descriptor), and a letter for what another child found
 *   lost HANDLE MS       says "lost" if filelock_lost() is ready within that time, else "not lost"; "none": there is none
 *   reap PID             waits for a child; the answer is its exit status, or 128 plus the signal's number
 */
#include "peer.h"

#include "names.h"
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int take_over(const char *path, int flags, int target)
{
    int fd = open(path, flags);
    if (fd < 0 || dup2(fd, target) < 0)
        return -1;
    close(fd);
    return 0;
}

static void do_fork(char *words, char *reply)
{
    const char *in = peer_word(&words);
    const char *out = peer_word(&words);
    peer_pause();
    pid_t pid = fork();
    peer_resume();
    if (pid == 0) {
        if (take_over(in, O_RDONLY, 0) != 0 || take_over(out, O_WRONLY, 1) != 0)
            _exit(70);
        exit(peer_main_in_child());
    }
    peer_reply(reply, "%lld", (long long) pid);
}

static void do_exec(char *words, char *reply)
{
    const char *argv[PEER_WORDS];
    (void) words;
    peer_command_line(argv, peer_program, "--peer-again", NULL);
    execv(argv[0], (char *const *) (uintptr_t) argv);
    peer_reply(reply, "%s", result_name(-errno));
}

static void do_reap(char *words, char *reply)
{
    struct process child = { atoll(peer_word(&words)), -1, -1 };
    peer_reply(reply, "%d", process_wait(&child, 60000));
}

/* Says whether the loss of the lock is told within the time. */
static void do_lost(char *words, char *reply)
{
    filelock_waitable lost = filelock_lost(peer_handle(peer_word(&words)));
    int64_t timeout_ms = atoll(peer_word(&words));
    peer_reply(reply, "%s",
               lost == FILELOCK_NO_WAITABLE        ? "none"
               : readable_within(lost, timeout_ms) ? "lost"
                                                   : "not lost");
}

/* ---- The storm ------------------------------------------------------------------------------ */

static void *acquire_for_ever(void *arg)
{
    struct filelock *lock = arg;
    for (int i = 0;; i++)
        if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, i % 2 ? FILELOCK_FOREVER : 60000) == 0)
            filelock_release(lock);
    return NULL;
}

/* Returns a letter for what is wrong with a handle in the child, or NUL. */
static char wrong_with(struct filelock *lock, int descriptors)
{
    if (filelock_held(lock) || filelock_depth(lock) || filelock_release(lock) != -EPERM)
        return 'h'; /* the handle is held */
    return descriptors && descriptors_on(filelock_path(lock)) != 0 ? 'd' : '\0';
}

static char wrong_when_used(struct filelock *lock)
{
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (result == -ETIMEDOUT)
        return '\0';
    return result != 0 ? 'a' : filelock_release(lock) != 0 ? 'r' : '\0';
}

static char find_wrong(struct filelock *one, struct filelock *other, int descriptors)
{
    char wrong = wrong_with(one, descriptors);
    wrong = wrong ? wrong : wrong_with(other, descriptors);
    wrong = wrong ? wrong : wrong_when_used(one);
    wrong = wrong ? wrong : wrong_when_used(other);
    return wrong ? wrong : 'y';
}

/* Says what the child found, and lives on until the input of the peer ends, which the child inherited. */
static void storm_child(struct filelock *one, struct filelock *other, int descriptors, int report)
{
    char byte = find_wrong(one, other, descriptors);
    write_all(report, &byte, 1);
    close(report);
    while (read_some(0, &byte, 1) > 0)
        ;
    _exit(0);
}

static void do_storm(char *words, char *reply)
{
    struct filelock *one = peer_handle(peer_word(&words));
    struct filelock *other = peer_handle(peer_word(&words));
    int forks = atoi(peer_word(&words)), clean = 0, reports[2];
    int descriptors = !strcmp(peer_word(&words), "descriptors");
    pthread_t threads[2];
    char byte, wrong = '-';

    /* Opens the files first: a fork waits for a thread that is opening a file, but not for long. */
    for (int i = 0; i < 2; i++)
        if (filelock_acquire(i ? other : one, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) == 0)
            filelock_release(i ? other : one);
    if (pipe(reports) != 0 || pthread_create(&threads[0], NULL, acquire_for_ever, one) ||
        pthread_create(&threads[1], NULL, acquire_for_ever, other)) {
        peer_reply(reply, "cannot begin");
        return;
    }
    for (int i = 0; i < forks; i++) {
        pid_t pid = fork();
        if (pid == 0)
            storm_child(one, other, descriptors, reports[1]);
    }
    close(reports[1]);
    while (read_some(reports[0], &byte, 1) > 0)
        if (byte == 'y')
            clean++;
        else
            wrong = byte;
    peer_reply(reply, "%d %c", clean, wrong);
}

const struct peer_verb peer_platform_verbs[] = {
    { "fork", do_fork }, { "exec", do_exec },   { "reap", do_reap },
    { "lost", do_lost }, { "storm", do_storm }, { NULL, NULL },
};
