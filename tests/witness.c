/* SPDX-License-Identifier: MIT
 *
 * witness.c - sees it when two participants are inside where only one may be.
 */
#include "witness.h"

#include "platform.h"

#include <stddef.h>
#include <string.h>

#define COUNTER_AT 4096

int witness_open(struct witness *witness, const char *path, int slot)
{
    memset(witness, 0, sizeof *witness);
    witness->slot = slot;
    witness->fd = open_fd(path);
    return witness->fd < 0 || slot < 0 || slot >= WITNESS_SLOTS ? -1 : 0;
}

void witness_close(struct witness *witness)
{
    close_fd(witness->fd);
}

static void look_around(struct witness *witness, int writing)
{
    char slots[WITNESS_SLOTS];
    long length = read_at(witness->fd, slots, sizeof slots, 0);
    for (long i = 0; i < length; i++) {
        if (i == witness->slot)
            continue;
        witness->overlaps += slots[i] == 'W' || (writing && slots[i] == 'R');
        witness->together += !writing && slots[i] == 'R';
    }
}

static int64_t read_counter(int fd)
{
    int64_t counter = 0;
    return read_at(fd, &counter, sizeof counter, COUNTER_AT) == sizeof counter ? counter : 0;
}

void witness_enter(struct witness *witness, int writing)
{
    char mark = writing ? 'W' : 'R';
    if (write_at(witness->fd, &mark, 1, witness->slot) != 1)
        witness->overlaps++;
    look_around(witness, writing);
    witness->counter = read_counter(witness->fd);
}

void witness_leave(struct witness *witness, int writing)
{
    char mark = '\0';
    int64_t next = witness->counter + 1;
    look_around(witness, writing);
    if (writing && write_at(witness->fd, &next, sizeof next, COUNTER_AT) != sizeof next)
        witness->overlaps++;
    write_at(witness->fd, &mark, 1, witness->slot);
}

int64_t witness_count(const char *path)
{
    int fd = open_fd(path);
    if (fd < 0)
        return -1;
    int64_t counter = read_counter(fd);
    close_fd(fd);
    return counter;
}
