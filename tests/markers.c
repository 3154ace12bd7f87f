/* SPDX-License-Identifier: MIT
 *
 * markers.c - markers built by hand, as other programs would write them, and threads that wait for them.
 *
 * Nothing here is taken from the library, because what the library writes and how it judges is compared with this.
 */
#include "markers.h"

#include <stdio.h>
#include <stdlib.h>

const struct kind *soft_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_SOFT)
            return kind_at(i);
    return NULL;
}

struct filelock *new_soft(const char *path, unsigned flags)
{
    return new_lock(soft_kind(), path, flags);
}

int under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

int counts_threads(void)
{
    return thread_count() >= 0 && !UNDER_TSAN && !under_valgrind() && !getenv("FILELOCK_TEST_EMULATOR");
}

/* ---- Hosts ---------------------------------------------------------------------------------- */

void marker_escape(const char *name, char *host)
{
    if (!*name)
        strcpy(host, "?");
    for (; *name; name++) {
        unsigned char byte = (unsigned char) *name;
        if (byte > 0x20 && byte < 0x7f && byte != '?')
            host += sprintf(host, "%c", byte);
        else
            host += sprintf(host, "?%02x", byte);
        *host = '\0';
    }
}

/* ---- Markers --------------------------------------------------------------------------------- */

const char *marker_record(int64_t pid)
{
    static char record[MARKER_SIZE];
    const char *token = marker_token(pid);
    const char *end = *token ? "\n" : "";
    snprintf(record, sizeof record, "%lld\n%s\n%s%s", (long long) pid, marker_host(), token, end);
    return record;
}

const char *marker_disowned(void)
{
    static char record[MARKER_SIZE];
    snprintf(record, sizeof record, "filelock/2\npid=2147483647\nhost=%s\nmode=lease\ntoken=0\nduration=2.0\n",
             marker_host());
    return record;
}

void put_marker_bytes(const char *path, const void *bytes, size_t size)
{
    ck_assert_msg(write_file(path, bytes, size) == 0, "cannot write %s", path);
}

void put_marker(const char *path, const char *text)
{
    put_marker_bytes(path, text, strlen(text));
}

static char found[256];

static void look_beside(const char *entry, void *arg)
{
    const char *name = arg;
    if (!strncmp(entry, name, strlen(name)) && strcmp(entry, name) != 0)
        snprintf(found, sizeof found, "%.255s", entry);
}

const char *file_beside(const char *path)
{
    char folder[2048];
    const char *name = strrchr(path, '/') + 1;
    snprintf(folder, sizeof folder, "%.*s", (int) (name - path), path);
    found[0] = '\0';
    ck_assert_int_eq(each_entry(folder, look_beside, (void *) (uintptr_t) name), 0);
    return *found ? found : NULL;
}

void expect_nothing_beside(const char *path)
{
    const char *name = file_beside(path);
    ck_assert_msg(!name, "left behind: %s", name);
}

void expect_nothing_at(const char *path)
{
    ck_assert_msg(!path_exists(path), "left behind: %s", path);
    expect_nothing_beside(path);
}

void fill_marker(const char *format, char *text)
{
    char own[32], dead[32], system[32], token[128];
    snprintf(own, sizeof own, "%lld", (long long) own_pid());
    snprintf(dead, sizeof dead, "%lld", (long long) dead_pid());
    snprintf(system, sizeof system, "%lld", (long long) system_pid());
    snprintf(token, sizeof token, "%s", marker_token(own_pid()));
    const char *values[] = { own, dead, marker_host(), token, marker_token(other_pid()), system };
    char *end = text;
    for (; *format; format++) {
        if (*format == '%' && format[1] >= '1' && format[1] <= '6') {
            end += sprintf(end, "%s", values[*++format - '1']);
        } else {
            *end++ = *format;
        }
    }
    *end = '\0';
}

void waiter_on(struct waiter *waiter, const char *name, unsigned flags, int64_t timeout_ms)
{
    snprintf(waiter->path, sizeof waiter->path, "%s.%s", scratch("lock"), name);
    caller_start(&waiter->caller);
    waiter->lock = new_soft(waiter->path, flags);
    begin_acquire(&waiter->caller, waiter->lock, FILELOCK_EXCLUSIVE, timeout_ms);
}

int waiter_end(struct waiter *waiter)
{
    int result = end_call(&waiter->caller);
    caller_end(&waiter->caller);
    filelock_free(waiter->lock);
    return result;
}

const char *patient_path(const char *name)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s.%s", scratch("lock"), name);
    return path;
}

void put_patient(const char *name, const char *format)
{
    char text[MARKER_SIZE];
    fill_marker(format, text);
    put_marker(patient_path(name), text);
}

void begin_patient(struct waiter *waiter, const struct patient *patient)
{
    waiter_on(waiter, patient->name, patient->flags, patient->expires_ms ? PATIENCE_MS : 3500);
}

void end_patient(struct waiter *waiter, const struct patient *patient)
{
    int result = end_call(&waiter->caller);
    long long took = waiter->caller.took_ns / 1000000, least = patient->expires_ms;
    if (patient->expires_ms) {
        ck_assert_msg(result == 0, "%s: %s", patient->name, result_name(result));
        ck_assert_msg(took >= least, "%s after %lld ms already", patient->name, took);
        ck_assert_msg(took < least + GRACE_MS + LATENESS_MS, "%s after %lld ms only", patient->name, took);
    } else {
        ck_assert_msg(result == -ETIMEDOUT, "%s: %s", patient->name, result_name(result));
        ck_assert_msg(path_exists(waiter->path), "%s was taken", patient->name);
    }
    waiter_end(waiter);
    if (patient->expires_ms)
        expect_nothing_at(waiter->path);
    else
        expect_nothing_beside(waiter->path);
}

int try_soft(const char *path, int64_t timeout_ms)
{
    struct filelock *lock = new_soft(path, 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms);
    filelock_free(lock);
    return result;
}

void expect_usable(const char *path)
{
    int64_t start = now_ns();
    EXPECT(try_soft(path, PATIENCE_MS), 0);
    ck_assert_int_lt((now_ns() - start) / 1000000, 2 * GRACE_MS + LATENESS_MS);
    expect_nothing_at(path);
}
