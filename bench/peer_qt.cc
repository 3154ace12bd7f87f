/* SPDX-License-Identifier: MIT
 *
 * peer_qt.cc - QLockFile of Qt, which locks by the existence of a file, and syncs that file to disk
 */
#include <config.h>

#include "subject.h"

#include <QLockFile>
#include <QString>

static void *open_file(const struct subject *, const char *path) {
    return new QLockFile(QString::fromUtf8(path));
}

static int acquire(void *handle, int64_t timeout_ms) {
    return static_cast<QLockFile *>(handle)->tryLock(static_cast<int>(timeout_ms)) ? 0 : -1;
}

static int release(void *handle) {
    static_cast<QLockFile *>(handle)->unlock();
    return 0;
}

static void close_file(void *handle) {
    delete static_cast<QLockFile *>(handle);
}

extern "C" const struct subject subjects_peer_qt[];
const struct subject subjects_peer_qt[] = {
    { "Qt", open_file, acquire, release, close_file, nullptr, nullptr, nullptr },
    { nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr },
};
