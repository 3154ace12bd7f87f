/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4), for the host names of owner records that are too long to be written out.
 */
#ifndef FLK_SHA256_H
#define FLK_SHA256_H

#include <stddef.h>
#include <stdint.h>

void flk_sha256(const void *bytes, size_t size, uint8_t digest[32]);

#endif
