/* SPDX-License-Identifier: MIT
 *
 * cxx.cc - <filelock.hpp> with what the standard library has for mutexes.  tests/cxx.sh compiles it in each dialect,
 * and runs it in an empty directory.
 */
#include <filelock.hpp>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>
#if __cplusplus >= 201402L
#include <shared_mutex>
#endif

using filelock_lock = filelock::file_lock;

static void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    std::fprintf(stderr, "cxx.cc:%d: %s\n", line, what);
    std::exit(1);
}

#define CHECK(condition) check(condition, #condition, __LINE__)

/* True if another handle gets the lock, in a thread of its own, without waiting. */
static bool is_free(const char *path, enum filelock_mode mode = FILELOCK_EXCLUSIVE)
{
    bool got = false;
    std::thread([&] {
        filelock_lock other(path);
        got = mode == FILELOCK_SHARED ? other.try_lock_shared() : other.try_lock();
    }).join();
    return got;
}

static void test_lock()
{
    filelock_lock mutex("a");
    {
        std::lock_guard<filelock_lock> guard(mutex);
        CHECK(!is_free("a"));
        CHECK(mutex.try_lock());
        mutex.unlock();
        CHECK(filelock_held(mutex.native_handle()) == 1);
    }
    CHECK(is_free("a"));
    {
        filelock_lock freed("a");
        freed.lock();
    }
    CHECK(is_free("a"));
}

static void test_shared()
{
    filelock_lock mutex(std::string("a"));
    mutex.lock_shared();
    CHECK(!is_free("a"));
    CHECK(is_free("a", FILELOCK_SHARED));
    mutex.unlock_shared();
    CHECK(mutex.try_lock_shared());
    mutex.unlock_shared();
    CHECK(mutex.try_lock_shared_for(std::chrono::milliseconds(1)));
    mutex.unlock_shared();
#if __cplusplus >= 201402L
    std::shared_lock<filelock_lock> shared(mutex, std::chrono::system_clock::now() + std::chrono::seconds(1));
    CHECK(shared.owns_lock());
    CHECK(!is_free("a"));
#endif
}

static void test_times()
{
    filelock_lock holder("a"), waiter("a");
    holder.lock();
    auto begin = std::chrono::steady_clock::now();
    CHECK(!waiter.try_lock());
    CHECK(!waiter.try_lock_for(std::chrono::microseconds(20001)));
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::microseconds(20001));
    CHECK(!waiter.try_lock_for(std::chrono::hours(-1)));
    CHECK(!waiter.try_lock_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(20)));
    CHECK(!waiter.try_lock_until(std::chrono::system_clock::time_point::min()));
    std::unique_lock<filelock_lock> timed(waiter, std::chrono::milliseconds(1));
    CHECK(!timed.owns_lock());
    holder.unlock();
    CHECK(timed.try_lock_for(std::chrono::duration<double>(1e300)));
    CHECK(!is_free("a"));
}

static void test_errors()
{
    filelock_lock mutex("missing/a");
    for (int i = 0; i < 2; i++)
        try {
            i ? static_cast<void>(mutex.try_lock()) : mutex.lock();
            CHECK(!"an error");
        } catch (const std::system_error &error) {
            CHECK(error.code() == std::errc::no_such_file_or_directory);
            CHECK(std::strncmp(error.what(), "cannot acquire missing/a", 24) == 0);
            CHECK(std::strstr(error.what(), ": its directory does not exist") != nullptr);
        }
    try {
        filelock_lock nameless("");
        CHECK(!"an error");
    } catch (const filelock::error &error) {
        CHECK(error.code().value() == EINVAL);
    }
    std::string path(1000, 'x');
    try {
        filelock_lock(path).lock();
        CHECK(!"an error");
    } catch (const std::system_error &error) {
        CHECK(std::strstr(error.what(), path.c_str()) != nullptr); /* the message is not cut */
        CHECK(error.code() == std::errc::filename_too_long);
    }
}

static void test_moves()
{
    struct filelock *handle = nullptr;
    CHECK(filelock_new(&handle, "a", nullptr) == 0);
    filelock_lock adopted(handle);
    adopted.lock();
    filelock_lock moved(std::move(adopted));
    CHECK(adopted.native_handle() == nullptr);
    CHECK(moved.native_handle() == handle);
    CHECK(!is_free("a"));
    moved = filelock_lock("b");
    CHECK(is_free("a"));
    struct filelock *given = moved.release();
    CHECK(moved.native_handle() == nullptr);
    filelock_free(given);
    try {
        moved.lock();
        CHECK(!"an error");
    } catch (const std::system_error &error) {
        CHECK(error.code().value() == EINVAL);
    }
}

/* Two threads lock in different orders, without a deadlock. */
static void test_several()
{
    std::vector<std::thread> threads;
    int inside = 0;
    for (int i = 0; i < 2; i++)
        threads.emplace_back([&inside, i] {
            filelock_lock a("a"), b("b");
            for (int round = 0; round < 50; round++) {
#if __cplusplus >= 201703L
                std::scoped_lock<filelock_lock, filelock_lock> both(i ? a : b, i ? b : a);
#else
                std::lock(i ? a : b, i ? b : a);
                std::lock_guard<filelock_lock> one(a, std::adopt_lock), other(b, std::adopt_lock);
#endif
                inside++;
            }
        });
    for (auto &thread : threads)
        thread.join();
    CHECK(inside == 100);
}

static void test_condition()
{
    filelock_lock mutex("a");
    std::condition_variable_any changed;
    bool ready = false;
    std::unique_lock<filelock_lock> held(mutex);
    std::thread other([&] {
        std::lock_guard<filelock_lock> guard(mutex);
        ready = true;
        changed.notify_one();
    });
    changed.wait(held, [&] { return ready; });
    CHECK(held.owns_lock());
    other.join();
}

/* A lock is released by a thread other than the thread that acquired it. */
static void test_thread_to_thread()
{
    filelock_options options = FILELOCK_OPTIONS_INIT;
    options.flags = FILELOCK_ANY_THREAD;
    filelock_lock mutex(std::string("a"), options);
    std::unique_lock<filelock_lock> here(mutex);
    std::thread([](std::unique_lock<filelock_lock> there) { CHECK(there.owns_lock()); }, std::move(here)).join();
    CHECK(is_free("a"));
}

int main()
{
    test_lock();
    test_shared();
    test_times();
    test_errors();
    test_moves();
    test_several();
    test_condition();
    test_thread_to_thread();
    return 0;
}
