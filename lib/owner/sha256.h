/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4).  It shortens long host names and file names, makes break names, and compares links.
 */
#ifndef FLK_SHA256_H
#define FLK_SHA256_H

#include <stddef.h>
#include <stdint.h>

void flk_sha256(const void *bytes, size_t size, uint8_t digest[32]);

#endif
