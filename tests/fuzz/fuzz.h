/* SPDX-License-Identifier: MIT
 *
 * fuzz.h - what libFuzzer and replay.c call.  Each program has one target.
 *
 * A target ends the program if the tested code breaks a promise.  The sanitizers find what breaks the language's rules.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Returns the input as a string, to be freed.  It is a copy of just the right size, so that a read behind its end is
 * found.
 */
char *fuzz_string(const uint8_t *data, size_t size);

#define PROMISE(condition)                                                                  \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

#endif
