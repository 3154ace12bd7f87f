/* SPDX-License-Identifier: MIT
 *
 * subject.h - a process that is experimented on: each of its system calls is told to the test, which lets
 * it be done, has it fail, or kills the process there.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "syscalls_linux.h"

#include <sys/syscall.h>
#include <sys/types.h>

#ifndef SYS_newfstatat
#define SYS_newfstatat SYS_fstatat64
#endif

/* What happens to one call. */
#define KILL (-1)
#define PAUSE (-2)
struct fault {
    int at;     /* which call since subject_go(); -1: none */
    int choice; /* it fails with that one of errors_of(); or KILL; or PAUSE: it is done, later */
};

extern const struct fault no_fault;

/* The number that stands for fcntl(2) where it locks. */
#define FCNTL_LOCK 100000

/* And for close(2) of no descriptor: a close that fails, of one that is gone all the same (test_faults.c). */
#define FAILING_CLOSE 100001

#define CALLS_MOST 512

struct subject {
    pid_t pid;
    int tracer;
    void (*doom)(void); /* called before it is killed, or goes on, at a call; NULL: nothing */
    int talking; /* it has said its word and waits for the answer */
    struct trace_call word;
    int calls;      /* since subject_go() */
    int hit;        /* the number of the call that the fault hit; -1: none */
    int error;      /* that it failed with */
    char what[160]; /* all this for messages */
};

/* For tests with markers.h: that there is nothing in a process that makes calls but the library. */
#define NEEDS_TRACES()                                                                             \
    do {                                                                                           \
        if (UNDER_TSAN || under_valgrind())                                                        \
            SKIP("its run-time makes system calls of its own");                                    \
    } while (0)

/* A new process that does body(arg) and ends; 0, or -1 where calls cannot be traced. */
int subject_start(struct subject *subject, void (*body)(void *arg), void *arg);

/* In the body: waits for the next subject_go(). */
void subject_ready(void);

/*
 * Lets it go on, with this fault, until it is ready again (1) or has ended (0).  `blocked` (NULL: nothing)
 * is called once, when it is about to wait for something, or does nothing for a while.
 */
int subject_go(struct subject *subject, const struct fault *fault, void (*blocked)(void));

/* kill -9; returns when it is gone. */
void subject_kill(struct subject *subject);

/* How many there are: seen from outside. */
int subject_descriptors(const struct subject *subject);
int subject_threads(const struct subject *subject);

/* 1: a program that it executes gets the file that it has open there; 0: no; -1: it has no such file open. */
int subject_keeps(const struct subject *subject, const char *path);

/* How many errors a system call may fail with, and which: documented ones that matter. */
int errors_count(int number);
int error_of(int number, int choice);

/* Whether the system call is one that removes a file. */
int removes(int number);

#endif
