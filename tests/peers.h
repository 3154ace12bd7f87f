/* SPDX-License-Identifier: MIT
 *
 * peers.h - the other side of peer.h: starts helper processes, tells them what to do, and reads their answers.
 *
 * Every wait is bounded, and fails the test with what it waited for.
 */
#ifndef PEERS_H
#define PEERS_H

#include "platform.h"
#include "testing.h"

#include <string.h>

struct peer;

/* Starts a process that runs this program again; peers_end() or the end of the test ends it. */
struct peer *peer_start(void);

/* Starts a process that runs another program; argv ends with NULL. */
struct peer *peer_start_program(const char *const argv[]);

/* Takes over a process that was started elsewhere, with pipes to it. */
struct peer *peer_adopt(int64_t pid, int to, int from);

/* Sends a command and does not wait for the answer. */
void peer_send(struct peer *peer, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Returns the next line that the peer says, without the newline; valid until the next call. */
const char *peer_answer(struct peer *peer);

/* Sends a command and returns its answer. */
const char *peer_ask(struct peer *peer, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* True while the peer has said nothing but what was read already. */
int peer_silent(struct peer *peer);

/* Returns the last command that the peer was sent. */
const char *peer_asked(const struct peer *peer);

int64_t peer_pid(const struct peer *peer);

/* Kills the peer as kill -9 does.  It is gone when this returns. */
void peer_kill(struct peer *peer);

/* Ends the peer's input; returns its exit status, or 128 plus the number of the signal that ended it. */
int peer_end(struct peer *peer);

/* Returns the peer's exit status once it ends by itself. */
int peer_status(struct peer *peer);

/* Ends and forgets all peers. */
void peers_end(void);

/* Fails the test unless the peer answers this command with `want`. */
#define PEER_SAYS(peer, want, ...)                                                                            \
    do {                                                                                                      \
        const char *said_ = peer_ask(peer, __VA_ARGS__);                                                      \
        ck_assert_msg(!strcmp(said_, want), "a peer says %s, not %s, to: %s", said_, want, peer_asked(peer)); \
    } while (0)

/* Fails the test unless the peer answers an earlier command with `want`. */
#define PEER_ANSWERS(peer, want)                                                                                 \
    do {                                                                                                         \
        const char *said_ = peer_answer(peer);                                                                   \
        ck_assert_msg(!strcmp(said_, want), "a peer answers %s, not %s, to: %s", said_, want, peer_asked(peer)); \
    } while (0)

/* Starts a peer that has a handle "a" of that kind on that path. */
struct peer *peer_with(const struct kind *kind, const char *path, unsigned flags);

#endif
