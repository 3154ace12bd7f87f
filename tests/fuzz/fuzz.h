/* SPDX-License-Identifier: MIT
 *
 * fuzz.h - what libFuzzer calls, and replay.c: one target a program.
 *
 * A target ends the program when what it tests breaks a promise; what breaks the language's rules is for
 * the sanitizers to find.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a string, to be freed: a copy of just its size, so that what is read behind its end is found. */
char *fuzz_string(const uint8_t *data, size_t size);

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
