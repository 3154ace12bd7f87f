/* SPDX-License-Identifier: MIT
 *
 * peers.c - starts helper processes, tells them what to do, and reads their answers.
 */
#include "peers.h"

#include "peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PEERS 512

struct peer {
    struct process process;
    int adopted;
    int gone;
    char text[8192];
    size_t length;
    char line[REPLY_SIZE];
    char asked[256];
};

static struct peer *peers[MOST_PEERS];
static int peers_used;

static struct peer *add_peer(void)
{
    struct peer *peer = calloc(1, sizeof *peer);
    ck_assert_ptr_nonnull(peer);
    ck_assert_int_lt(peers_used, MOST_PEERS);
    peers[peers_used++] = peer;
    return peer;
}

struct peer *peer_start_program(const char *const argv[])
{
    struct peer *peer = add_peer();
    ck_assert_msg(process_start(&peer->process, argv) == 0, "cannot start %s", argv[0]);
    return peer;
}

struct peer *peer_start(void)
{
    const char *argv[PEER_WORDS];
    peer_command_line(argv, peer_program, "--peer", NULL);
    return peer_start_program(argv);
}

struct peer *peer_adopt(int64_t pid, int to, int from)
{
    struct peer *peer = add_peer();
    peer->process.pid = pid;
    peer->process.to = to;
    peer->process.from = from;
    peer->adopted = 1;
    return peer;
}

struct peer *peer_with(const struct kind *kind, const char *path, unsigned flags)
{
    struct peer *peer = peer_start();
    PEER_SAYS(peer, "0", "new a kind=%d flags=%u path=%s", kind->kind, flags, path);
    return peer;
}

/* ---- Saying and hearing --------------------------------------------------------------------- */

static void send_line(struct peer *peer, const char *format, va_list arguments)
{
    char line[REPLY_SIZE];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    ck_assert_int_lt(length, (int) sizeof line - 1);
    snprintf(peer->asked, sizeof peer->asked, "%.200s", line);
    strcat(line, "\n");
    ck_assert_msg(write_all(peer->process.to, line, strlen(line)) == 0, "a peer is gone when asked: %s", peer->asked);
}

void peer_send(struct peer *peer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    send_line(peer, format, arguments);
    va_end(arguments);
}

const char *peer_ask(struct peer *peer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    send_line(peer, format, arguments);
    va_end(arguments);
    return peer_answer(peer);
}

static void hear_more(struct peer *peer)
{
    ck_assert_msg(readable_within(peer->process.from, PATIENCE_MS), "no answer within %d s to: %s", PATIENCE_MS / 1000,
                  peer->asked);
    long length = read_some(peer->process.from, peer->text + peer->length, sizeof peer->text - peer->length);
    ck_assert_msg(length > 0, "a peer ended when asked: %s", peer->asked);
    peer->length += (size_t) length;
}

const char *peer_answer(struct peer *peer)
{
    char *end;
    while ((end = memchr(peer->text, '\n', peer->length)) == NULL)
        hear_more(peer);
    size_t length = (size_t) (end - peer->text);
    snprintf(peer->line, sizeof peer->line, "%.*s", (int) length, peer->text);
    peer->length -= length + 1;
    memmove(peer->text, end + 1, peer->length);
    return peer->line;
}

int peer_silent(struct peer *peer)
{
    return peer->length == 0 && !readable_within(peer->process.from, 0);
}

const char *peer_asked(const struct peer *peer)
{
    return peer->asked;
}

int64_t peer_pid(const struct peer *peer)
{
    return peer->process.pid;
}

/* ---- Ending --------------------------------------------------------------------------------- */

/*
 * Waits for the end of the peer, and returns its exit status.
 * A peer that was adopted is no child of this process: the end of its output tells that it is gone.
 */
static int wait_until_gone(struct peer *peer)
{
    int status = -1;
    if (peer->adopted) {
        while (readable_within(peer->process.from, PATIENCE_MS))
            if (read_some(peer->process.from, peer->text, sizeof peer->text) <= 0)
                return 0;
    } else {
        status = process_wait(&peer->process, PATIENCE_MS);
    }
    ck_assert_msg(status >= 0, "a peer did not end within %d s", PATIENCE_MS / 1000);
    return status;
}

static int bury(struct peer *peer)
{
    int status = wait_until_gone(peer);
    close_fd(peer->process.from);
    peer->gone = 1;
    return status;
}

void peer_kill(struct peer *peer)
{
    process_kill(&peer->process);
    close_fd(peer->process.to);
    bury(peer);
}

int peer_end(struct peer *peer)
{
    close_fd(peer->process.to);
    return bury(peer);
}

int peer_status(struct peer *peer)
{
    int status = wait_until_gone(peer);
    close_fd(peer->process.to);
    close_fd(peer->process.from);
    peer->gone = 1;
    return status;
}

void peers_end(void)
{
    for (int i = 0; i < peers_used; i++) {
        if (!peers[i]->gone)
            peer_kill(peers[i]);
        free(peers[i]);
    }
    peers_used = 0;
}
