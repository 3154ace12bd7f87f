/* SPDX-License-Identifier: MIT
 *
 * etcd_none.c - in place of etcd.c, if libfilelock-etcd is not built
 */
#include "scenario.h"

#include <stdio.h>

void scenario_etcd(const struct settings *settings)
{
    (void) settings;
    printf("## Locks that a node of etcd keeps\n\nlibfilelock-etcd is not built here.\n\n");
}
