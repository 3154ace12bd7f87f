/* SPDX-License-Identifier: MIT
 *
 * peer_win32.c - Windows has nothing that a peer is told to do and POSIX lacks.
 */
#include "peer.h"

const struct peer_verb peer_platform_verbs[] = {
    {NULL, NULL},
};
