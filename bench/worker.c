/* SPDX-License-Identifier: MIT
 *
 * worker.c - starting worker processes, talking to them, ending them
 */
#include <config.h>

#include "harness.h"
#include "worker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct worker *running;

/*
 * Turns the forked child into the worker.  Closes the child's copies of the parent's ends of the other workers' pipes:
 * a worker ends when its pipe closes, so only the parent may have that end open.
 */
static void become(const struct subject *subject, const char *path, int in, int out)
{
    for (struct worker *other = running; other; other = other->next) {
        close(other->to);
        close(fileno(other->from));
    }
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(1);
    close(in);
    close(out);
    if (subject->serve)
        subject->serve(subject, path);
    else
        worker_serve(subject, path);
    _exit(0);
}

void worker_start(struct worker *worker, const struct subject *subject, const char *path)
{
    int command[2], answer[2];

    fflush(stdout);
    if (pipe(command) != 0 || pipe(answer) != 0)
        die("no pipe for a worker");
    worker->name = subject->name;
    worker->pid = fork();
    if (worker->pid < 0)
        die("no process for a worker");
    if (worker->pid == 0) {
        close(command[1]);
        close(answer[0]);
        become(subject, path, command[0], answer[1]);
    }
    close(command[0]);
    close(answer[1]);
    worker->to = command[1];
    worker->from = fdopen(answer[0], "r");
    if (!worker->from)
        die("out of memory");
    worker->next = running;
    running = worker;
}

void worker_ask(struct worker *worker, const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    if (write(worker->to, line, (size_t) length) != length)
        die("the worker of %s has ended", worker->name);
}

void worker_answer(struct worker *worker, int64_t *value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fscanf(worker->from, "%" SCNd64, &value[i]) != 1)
            die("the worker of %s has ended without an answer", worker->name);
}

static void worker_end(struct worker *worker)
{
    struct worker **link = &running;

    close(worker->to);
    fclose(worker->from);
    while (waitpid(worker->pid, NULL, 0) < 0)
        ;
    while (*link != worker)
        link = &(*link)->next;
    *link = worker->next;
}

void worker_stop(struct worker *worker)
{
    worker_end(worker);
}

/* Kills the worker and reaps it at once: a program that asks whether the holder lives may take a zombie for alive. */
void worker_kill(struct worker *worker)
{
    kill(worker->pid, SIGKILL);
    worker_end(worker);
}
