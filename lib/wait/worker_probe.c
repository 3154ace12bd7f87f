/* SPDX-License-Identifier: MIT
 *
 * Stacks of the library's threads, as small as possible.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "wait/worker.h"

/*
 * Give a thread no larger stack than this, since a program may lock all its memory (mlockall(2)).  Some thread
 * libraries, as that of glibc, also put the program's thread-local storage on the stack.  STACK_ROOM has to be left
 * beside that.
 */
#define STACK_SIZE (256 * 1024)
#define STACK_ROOM (64 * 1024)

static void *end_at_once(void *arg)
{
    return arg;
}

/*
 * Tries a stack that is smaller by STACK_ROOM: if it is accepted, STACK_SIZE leaves that room.  No interface tells what
 * the thread library itself puts on a stack, but it refuses a stack that has no room beside that.  The stack is memory
 * of this function, since the thread library would keep memory of its own for a next thread.
 */
bool flk_worker_stack_size(size_t *size)
{
    pthread_t thread;
    void *stack;
    int error = posix_memalign(&stack, (size_t) sysconf(_SC_PAGESIZE), STACK_SIZE - STACK_ROOM);

    if (error != 0)
        return false;
    error = flk_worker_start(&thread, stack, STACK_SIZE - STACK_ROOM, end_at_once, NULL);
    if (error == 0)
        (void) pthread_join(thread, NULL);
    free(stack);
    *size = error == 0 ? STACK_SIZE : 0;
    return error == 0 || error == EINVAL;
}
