/* SPDX-License-Identifier: MIT
 *
 * run_posix.c - runs commands by fork, exec and wait.
 */
#include <config.h>

#include "run.h"

#include "report.h"

#include <filelock.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *const run_lacks = NULL;

enum outcome run_arguments(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    return OUTCOME_DONE;
}

unsigned run_sharing_flags(int is_file)
{
    return is_file ? FILELOCK_FORK_SHARE | FILELOCK_KEEP_ON_EXEC : FILELOCK_FORK_SHARE;
}

int64_t run_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void run_guard_streams(void)
{
    int fd;

    /* O_RDONLY: output to a closed stream must still fail.  O_CLOEXEC: the command must find the streams closed. */
    do
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void run_set_variable(const char *name, const char *value)
{
    if (setenv(name, value, 1) != 0)
        complain("cannot set %s: %s", name, strerror(errno));
}

void run_shell_command(const char *line, char *command[4])
{
    static char bourne_shell[] = "/bin/sh", option[] = "-c";
    char *shell = getenv("SHELL");

    command[0] = shell != NULL && *shell != '\0' ? shell : bourne_shell;
    command[1] = option;
    command[2] = (char *) line;
    command[3] = NULL;
}

enum outcome run_instead(char *const command[])
{
    int error;

    /* The command would inherit an ignored SIGCHLD, and then could not wait for its own children. */
    signal(SIGCHLD, SIG_DFL);
    execvp(command[0], command);
    error = errno;
    complain("cannot run %s: %s", command[0], strerror(error));
    return error == ENOMEM ? OUTCOME_OSERR : OUTCOME_UNAVAILABLE;
}

/* ---- Watching for the loss of the lock ---------------------------------------------------- */

/* The seconds that a command has after SIGTERM. */
#define GRACE_S 5

static void wake_up(int signal)
{
    (void) signal;
}

/*
 * Blocks SIGCHLD until a wait lets it in, and gives it a handler that does nothing.  So the end of the child always
 * ends that wait.  Stores the signals that were blocked before.
 */
static void watch_children(sigset_t *before)
{
    struct sigaction action = { .sa_handler = wake_up };
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, before);
    sigemptyset(&action.sa_mask);
    sigaction(SIGCHLD, &action, NULL);
}

/* True once the child has ended.  It can still be waited for. */
static int has_ended(pid_t child)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, (id_t) child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == child;
}

/* Sleeps until the descriptor (-1: none) is ready, for `left` microseconds at most (-1: no end), or until a signal. */
static int is_ready(int fd, int64_t left, const sigset_t *signals)
{
    struct timespec time = { (time_t) (left / 1000000), (long) (left % 1000000 * 1000) };
    fd_set set;

    FD_ZERO(&set);
    if (fd >= 0)
        FD_SET(fd, &set);
    return pselect(fd + 1, &set, NULL, NULL, left < 0 ? NULL : &time, signals) > 0;
}

/* Ends the command of a lost lock: SIGTERM, and SIGKILL if it has not ended some time after that. */
static void end_command(pid_t child, const sigset_t *signals)
{
    int64_t until = run_clock() + (int64_t) GRACE_S * 1000000, left;

    kill(child, SIGTERM);
    while (!has_ended(child) && (left = until - run_clock()) > 0)
        (void) is_ready(-1, left, signals);
    if (!has_ended(child))
        kill(child, SIGKILL);
}

/* Waits for the end of the child or the loss of the lock, which ends the child.  A descriptor that pselect(2) cannot
 * bear is not watched; there are a thousand below it. */
static void watch(pid_t child, filelock_waitable lost, const sigset_t *signals)
{
    int fd = lost < FD_SETSIZE ? lost : -1;

    while (!has_ended(child))
        if (is_ready(fd, -1, signals)) {
            end_command(child, signals);
            return;
        }
}

/* ---- Running a command --------------------------------------------------------------------- */

static enum outcome wait_for(pid_t child, int *status)
{
    int how;

    while (waitpid(child, &how, 0) < 0)
        if (errno != EINTR) {
            complain("cannot wait for the command: %s", strerror(errno));
            return OUTCOME_FAILURE;
        }
    *status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    return OUTCOME_DONE;
}

/* Runs the command in the child.  If that fails, exits with the status of the failure, which is never a conflict: the
 * conflict status given here is not used. */
static void become(char *const command[], int close_fd)
{
    if (close_fd >= 0)
        close(close_fd);
    _exit(report_status(run_instead(command), EXIT_FAILURE));
}

enum outcome run_command(char *const command[], int close_fd, filelock_waitable lost, int *status)
{
    sigset_t before;
    pid_t child;

    /* If SIGCHLD were ignored when the child ends, there would be no status to wait for. */
    signal(SIGCHLD, SIG_DFL);
    if (lost != FILELOCK_NO_WAITABLE)
        watch_children(&before);
    child = fork();
    if (child < 0) {
        complain("cannot fork: %s", strerror(errno));
        return OUTCOME_OSERR;
    }
    if (child == 0 && lost != FILELOCK_NO_WAITABLE)
        sigprocmask(SIG_SETMASK, &before, NULL);
    if (child == 0)
        become(command, close_fd);
    if (lost != FILELOCK_NO_WAITABLE) {
        sigdelset(&before, SIGCHLD); /* the caller of the tool may have blocked it */
        watch(child, lost, &before);
    }
    return wait_for(child, status);
}
