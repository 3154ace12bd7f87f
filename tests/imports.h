/* SPDX-License-Identifier: MIT
 *
 * imports.h - what a suite puts in the place of a function of Windows, for itself and for the library that it is
 * linked with statically.
 */
#ifndef IMPORTS_H
#define IMPORTS_H

/* Functions are called through pointers of these names, which the linker looks for in import libraries else. */
#ifdef _WIN64
#define IMPORTED(name, bytes) __asm__("__imp_" #name)
#else
#define IMPORTED(name, bytes) __asm__("__imp__" #name "@" #bytes)
#endif

/* bytes: of the arguments where they are of 32 bits. */
#define REPLACE(name, bytes, by)                                                                   \
    extern __typeof__(&by) const imported_##name IMPORTED(name, bytes);                            \
    __typeof__(&by) const imported_##name = by

/* The same of a function of the C library, whose names have no number of bytes. */
#ifdef _WIN64
#define IMPORTED_C(name) __asm__("__imp_" #name)
#else
#define IMPORTED_C(name) __asm__("__imp__" #name)
#endif

#define REPLACE_C(name, by)                                                                        \
    extern __typeof__(&by) const imported_##name IMPORTED_C(name);                                 \
    __typeof__(&by) const imported_##name = by

#endif
