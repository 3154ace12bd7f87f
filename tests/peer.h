/* SPDX-License-Identifier: MIT
 *
 * peer.h - the helper process: every test program becomes a peer when it is run with --peer.
 *
 * A peer reads commands from its standard input, each on a line, and answers each with a line on its standard output.
 * Results are names, as in names.h.
 *
 *   new HANDLE [kind=N] [flags=N] [timeout=N] [mode=N] [start=N] [length=N] path=PATH
 *   acquire HANDLE exclusive|shared TIMEOUT      release, release_all, free HANDLE
 *   held, depth, check, remaining, fd HANDLE                owner HANDLE: RESULT PID ALIVE LOCAL COMMAND
 *   describe HANDLE RESULT                       on WORKER COMMAND...: runs it in another thread
 *   work ... (see peer_work.c)                   answer WORKER: what that thread answered
 *   descriptors PATH: how many descriptors this peer has open on that file
 *   spawned PATH: how many of them a program has that this peer starts
 *   enter, leave WITNESS SLOT writing|reading    ping, switches, exit STATUS
 */
#ifndef PEER_H
#define PEER_H

#include <filelock.h>
#include <stddef.h>

#define REPLY_SIZE 2048

/* A command: takes the rest of the command line, and writes its answer. */
typedef void peer_command(char *words, char *reply);

struct peer_verb {
    const char *name;
    peer_command *run;
};

/* The commands of this platform; the last is followed by an entry whose name is NULL. */
extern const struct peer_verb peer_platform_verbs[];

peer_command peer_work;
peer_command peer_enter;
peer_command peer_leave;

/* Answers commands until the end of the input; then returns the exit status. */
int peer_main(void);

/* Starts over in the child of a fork, which has no other thread: input that was read before is dropped. */
int peer_main_in_child(void);

/* Takes the next word off a command line and returns it; "" when there is none. */
char *peer_word(char **words);

/* Returns the number, or the text, after `key`= in a command line; if there is none, `otherwise`, or "". */
long long peer_number(const char *words, const char *key, long long otherwise);
const char *peer_text(const char *words, const char *key, char *text, size_t size);

struct filelock *peer_handle(const char *name);

/* Hold the peer's own state still around a fork, so that the child finds it whole. */
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
 * Makes the command line that runs a program of this build, such as this program again.  It takes up to two arguments,
 * or NULL.  Where the kernel cannot run the program, the command begins with the words of FILELOCK_TEST_EMULATOR.
 * Valid until the next call.
 */
#define PEER_WORDS 16
void peer_command_line(const char *argv[PEER_WORDS], const char *program, const char *one, const char *other);

/* Stores the directory of this program. */
void peer_directory(char *path, size_t size);

#endif
