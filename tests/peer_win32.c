/* SPDX-License-Identifier: MIT
 *
 * peer_win32.c - Windows has no commands of a peer that POSIX lacks.
 */
#include "peer.h"

const struct peer_verb peer_platform_verbs[] = {
    { NULL, NULL },
};
