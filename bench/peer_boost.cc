/* SPDX-License-Identifier: MIT
 *
 * peer_boost.cc - boost::interprocess::file_lock, on an open file (POSIX record locks)
 */
#include <config.h>

#include "subject.h"

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/sync/file_lock.hpp>
#include <fcntl.h>
#include <unistd.h>

using boost::interprocess::file_lock;

static void *open_file(const struct subject *, const char *path) {
    close(open(path, O_RDWR | O_CREAT, 0666));
    try {
        return new file_lock(path);
    } catch (...) {
        return nullptr;
    }
}

static bool take(file_lock *lock, int64_t timeout_ms) {
    namespace time = boost::posix_time;

    if (timeout_ms == 0)
        return lock->try_lock();
    if (timeout_ms > 0)
        return lock->timed_lock(time::microsec_clock::universal_time() + time::milliseconds(timeout_ms));
    lock->lock();
    return true;
}

static int acquire(void *handle, int64_t timeout_ms) {
    try {
        return take(static_cast<file_lock *>(handle), timeout_ms) ? 0 : -1;
    } catch (...) {
        return -1;
    }
}

static int release(void *handle) {
    try {
        static_cast<file_lock *>(handle)->unlock();
        return 0;
    } catch (...) {
        return -1;
    }
}

static void close_file(void *handle) {
    delete static_cast<file_lock *>(handle);
}

extern "C" const struct subject subjects_peer_boost[];
const struct subject subjects_peer_boost[] = {
    { "Boost", open_file, acquire, release, close_file, nullptr, nullptr, nullptr },
    { nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr },
};
