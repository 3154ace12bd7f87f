/* SPDX-License-Identifier: MIT
 *
 * Threads that the library starts.
 */
#ifndef FLK_WORKER_H
#define FLK_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Starts a thread that handles no signal.  size: the size of its stack in bytes, or 0 for the default.  stack: memory
 * of the caller for the stack, or NULL.  Returns 0 or an errno value.
 */
int flk_worker_start(pthread_t *thread, void *stack, size_t size, void *(*run)(void *arg), void *arg);

/* Finds the stack size for a thread of the library; 0: the default.  False if no thread can be had. */
bool flk_worker_stack_size(size_t *size);

#endif
