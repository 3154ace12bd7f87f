/* SPDX-License-Identifier: MIT
 *
 * imports.h - replaces a function of Windows by another, for the suite and for the library that is linked into it
 * statically.
 */
#ifndef IMPORTS_H
#define IMPORTS_H

/*
 * Functions are called through pointers of these names.  The linker takes them from import libraries unless the suite
 * has them.
 */
#ifdef _WIN64
#define IMPORTED(name, bytes) __asm__("__imp_" #name)
#else
#define IMPORTED(name, bytes) __asm__("__imp__" #name "@" #bytes)
#endif

/* Replaces a function of Windows.  bytes: the size of its arguments on 32-bit systems, where its name ends with it. */
#define REPLACE(name, bytes, by)                                        \
    extern __typeof__(&by) const imported_##name IMPORTED(name, bytes); \
    __typeof__(&by) const imported_##name = by

/* Replaces a function of the C library: its name has no number of bytes. */
#ifdef _WIN64
#define IMPORTED_C(name) __asm__("__imp_" #name)
#else
#define IMPORTED_C(name) __asm__("__imp__" #name)
#endif

#define REPLACE_C(name, by)                                        \
    extern __typeof__(&by) const imported_##name IMPORTED_C(name); \
    __typeof__(&by) const imported_##name = by

#endif
