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
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *const run_lacks = NULL;

enum outcome run_arguments(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
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
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
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

void run_shell_command(const char *line, char *command[4])
{
    static char bourne_shell[] = "/bin/sh", option[] = "-c";
    char *shell = getenv("SHELL");

    command[0] = shell != NULL && *shell != '\0' ? shell : bourne_shell;
    command[1] = option;
    command[2] = (char *)line;
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

enum outcome run_command(char *const command[], int close_fd, int *status)
{
    pid_t child;

    /* If SIGCHLD were ignored when the child ends, there would be no status to wait for. */
    signal(SIGCHLD, SIG_DFL);
    child = fork();
    if (child < 0) {
        complain("cannot fork: %s", strerror(errno));
        return OUTCOME_OSERR;
    }
    if (child == 0)
        become(command, close_fd);
    return wait_for(child, status);
}
