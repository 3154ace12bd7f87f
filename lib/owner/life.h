/* SPDX-License-Identifier: MIT
 *
 * Whether a process is alive, as far as that is known.
 */
#ifndef FLK_LIFE_H
#define FLK_LIFE_H

enum life { LIFE_UNKNOWN = -1, LIFE_DEAD = 0, LIFE_ALIVE = 1 };

#endif
