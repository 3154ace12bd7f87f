/* SPDX-License-Identifier: MIT
 *
 * scenario.h - the scenarios: each measures, prints its table and records its goals
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include "harness.h"

void scenario_uncontended(const struct settings *settings);
void scenario_handoff(const struct settings *settings);
void scenario_kill(const struct settings *settings);
void scenario_contended(const struct settings *settings);
void scenario_memory(const struct settings *settings);
void scenario_many(const struct settings *settings);
void scenario_rest(const struct settings *settings);
void scenario_under_way(const struct settings *settings);
void scenario_deadlines(const struct settings *settings);
void scenario_etcd(const struct settings *settings);
void scenario_drain(const struct settings *settings);

#endif
