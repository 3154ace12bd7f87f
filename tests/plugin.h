/* SPDX-License-Identifier: MIT
 *
 * plugin.h - a library with libfilelock inside, which programs load and unload.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdint.h>

/* Acquires a lock, and unless `keep`, releases and frees it.  Returns the result of the acquire. */
typedef int plugin_use_function(const char *path, int kind, int64_t timeout_ms, int keep);

/* Names the environment variable with the address of a function that is called while the plugin is loaded. */
#define PLUGIN_CALLS "FILELOCK_TEST_PLUGIN_CALLS"

#endif
