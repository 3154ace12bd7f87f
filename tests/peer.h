/* SPDX-License-Identifier: MIT
 *
 * peer.h - the helper process: every test program is one when it is run with --peer.
 *
 * A peer reads commands from its standard input, one a line, and answers each with one line on its
 * standard output.  Results are names, as in names.h.
 *
 *   new HANDLE [kind=N] [flags=N] [timeout=N] [mode=N] [start=N] [length=N] path=PATH
 *   acquire HANDLE exclusive|shared TIMEOUT      release, release_all, free HANDLE
 *   held, depth, check, kind HANDLE              owner HANDLE: RESULT PID ALIVE LOCAL COMMAND
 *   describe HANDLE RESULT                       on WORKER COMMAND...: in another thread;
 *   work ... (see peer_work.c)                   answer WORKER: what it answered
 *   descriptors PATH: how many are open on that file
 *   spawned PATH: the same of a program that this one starts
 *   enter, leave WITNESS SLOT writing|reading    ping, switches, exit STATUS
 */
#ifndef PEER_H
#define PEER_H

#include <filelock.h>
#include <stddef.h>

#define REPLY_SIZE 2048

/* What is left of a command line, and where the answer goes. */
typedef void peer_command(char *words, char *reply);

struct peer_verb {
    const char *name;
    peer_command *run;
};

/* The commands of this platform; the name is NULL after the last. */
extern const struct peer_verb peer_platform_verbs[];

peer_command peer_work;
peer_command peer_enter;
peer_command peer_leave;

/* Answers commands until the end of the input; then the exit status. */
int peer_main(void);

/* Starts over as the child of a fork: nothing read so far counts, and no other thread is there. */
int peer_main_in_child(void);

/* Takes the next word off a command line: "" when there is none. */
char *peer_word(char **words);

/* The number after `key`= in a command line, else the value given; and the text, else "". */
long long peer_number(const char *words, const char *key, long long otherwise);
const char *peer_text(const char *words, const char *key, char *text, size_t size);

struct filelock *peer_handle(const char *name);

/* Held around a fork, so that the child finds the peer's own state whole. */
void peer_pause(void);
void peer_resume(void);

void peer_reply(char *reply, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* The path of this program. */
extern char peer_program[];

/*
 * The command that runs a program of this build, such as this one again, with up to two arguments (or
 * NULL): through the words of FILELOCK_TEST_EMULATOR where the kernel cannot.  Valid until the next call.
 */
#define PEER_WORDS 16
void peer_command_line(const char *argv[PEER_WORDS], const char *program, const char *one, const char *other);

/* The directory that it is in. */
void peer_directory(char *path, size_t size);

#endif
