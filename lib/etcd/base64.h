/* SPDX-License-Identifier: MIT
 *
 * Base64 (RFC 4648), in which the JSON of etcd has its keys and values.
 */
#ifndef FLK_BASE64_H
#define FLK_BASE64_H

#include <stddef.h>

/* Returns a new string, or NULL: out of memory. */
char *flk_base64_encode(const char *bytes, size_t size);

/* Returns a new string with a NUL at its end, and its length.  NULL: out of memory, or the text is not Base64. */
char *flk_base64_decode(const char *text, size_t *size);

#endif
