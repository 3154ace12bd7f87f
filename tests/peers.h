/* SPDX-License-Identifier: MIT
 *
 * peers.h - the other side of peer.h: starts helper processes, tells them what to do, hears them out.
 *
 * Every wait is bounded and fails the test with what it waited for.
 */
#ifndef PEERS_H
#define PEERS_H

#include "platform.h"
#include "testing.h"

#include <string.h>

struct peer;

/* A new process that is this program again; peers_end() or the end of the test ends it. */
struct peer *peer_start(void);

/* A process that is another program; argv ends with NULL. */
struct peer *peer_start_program(const char *const argv[]);

/* One that somebody else started, with pipes to it. */
struct peer *peer_adopt(int64_t pid, int to, int from);

/* Sends a command and does not wait for the answer. */
void peer_send(struct peer *peer, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* The next line that it says, without the newline; valid until the next one. */
const char *peer_answer(struct peer *peer);

/* Both. */
const char *peer_ask(struct peer *peer, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* 1 while it has said nothing that has not been read. */
int peer_silent(struct peer *peer);

/* The last command that it was sent. */
const char *peer_asked(const struct peer *peer);

int64_t peer_pid(const struct peer *peer);

/* kill -9, and the process is gone when this returns. */
void peer_kill(struct peer *peer);

/* Ends its input; its exit status, or 128 and the signal. */
int peer_end(struct peer *peer);

/* Its exit status once it ends by itself. */
int peer_status(struct peer *peer);

/* Ends and forgets all of them. */
void peers_end(void);

/* That a peer answers a command so. */
#define PEER_SAYS(peer, want, ...)                                                                 \
    do {                                                                                           \
        const char *said_ = peer_ask(peer, __VA_ARGS__);                                           \
        ck_assert_msg(!strcmp(said_, want), "a peer says %s, not %s, to: %s", said_, want,    \
                      peer_asked(peer)); \
    } while (0)

/* That it now answers an earlier command so. */
#define PEER_ANSWERS(peer, want)                                                                   \
    do {                                                                                           \
        const char *said_ = peer_answer(peer);                                                     \
        ck_assert_msg(!strcmp(said_, want), "a peer answers %s, not %s, to: %s", said_, want,      \
                      peer_asked(peer));                                                           \
    } while (0)

/* A peer with a handle "a" of that kind on that path. */
struct peer *peer_with(const struct kind *kind, const char *path, unsigned flags);

#endif
