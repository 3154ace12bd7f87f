/* SPDX-License-Identifier: MIT
 *
 * filelock.hpp - filelock.h for C++11 and later
 *
 * filelock::file_lock is a mutex as in the standard library, and its other side may be another process.  It works with
 * std::lock_guard, std::unique_lock, std::shared_lock, std::scoped_lock, std::lock and std::condition_variable_any.
 *
 *   filelock::file_lock mutex("/run/app.lock");
 *   std::lock_guard<filelock::file_lock> guard(mutex);
 *
 * It differs from std::mutex in two ways:
 *   A thread that holds the lock may lock it again, and must unlock it as many times.
 *   Locking can fail, because the lock is in a file.  A failure throws filelock::error.  A lock that another holder has
 *   is no failure of a try_ function, which returns false.
 *
 * A lock belongs to the thread that locked it.  To unlock it in another thread, as a std::unique_lock that is moved
 * there does, set FILELOCK_ANY_THREAD in options.flags.
 */
#ifndef FILELOCK_HPP
#define FILELOCK_HPP

#include <filelock.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

/*
 * The scope of filelock::file_lock and filelock::error.  A namespace cannot have the name of a struct, so the struct of
 * filelock.h is their scope.  It has no other member: only filelock_new() makes a handle.
 */
struct filelock {
    class error;
    class file_lock;

    filelock() = delete;
    ~filelock() = delete;
    filelock(const filelock &) = delete;
    filelock &operator=(const filelock &) = delete;
};

/* An error of the library.  code() has the errno value in std::generic_category(). */
class filelock::error : public std::system_error {
public:
    /* number is a negative errno value.  what() returns the sentence. */
    error(int number, const std::string &sentence)
        : std::system_error(std::error_code(-number, std::generic_category())), sentence_(sentence)
    {
    }

    /* Returns one sentence, as filelock_describe() writes it. */
    const char *what() const noexcept override
    {
        return sentence_.c_str();
    }

private:
    std::string sentence_;
};

/*
 * A handle: Lockable, TimedLockable, SharedLockable and SharedTimedLockable.  Several threads may call its functions at
 * once, except the constructors, the destructor, assignment and release().
 */
class filelock::file_lock {
public:
    using native_handle_type = struct filelock *;

    /* Makes a handle on a path (UTF-8 on Windows).  Touches no file. */
    explicit file_lock(const char *path)
    {
        create(path, nullptr);
    }
    explicit file_lock(const std::string &path)
    {
        create(path.c_str(), nullptr);
    }
    file_lock(const char *path, const filelock_options &options)
    {
        create(path, &options);
    }
    file_lock(const std::string &path, const filelock_options &options)
    {
        create(path.c_str(), &options);
    }

    /* Adopts a handle: from now on this object frees it. */
    explicit file_lock(native_handle_type handle) noexcept : handle_(handle)
    {
    }

    /* Releases the lock if it is held, then frees the handle. */
    ~file_lock()
    {
        ::filelock_free(handle_);
    }

    file_lock(const file_lock &) = delete;
    file_lock &operator=(const file_lock &) = delete;

    /* Takes the handle of the other object, which then has none: locking it fails with EINVAL. */
    file_lock(file_lock &&other) noexcept : handle_(other.release())
    {
    }
    file_lock &operator=(file_lock &&other) noexcept
    {
        file_lock moved(std::move(other));

        std::swap(handle_, moved.handle_);
        return *this;
    }

    /* Gives the handle to the caller, which must free it. */
    native_handle_type release() noexcept
    {
        native_handle_type handle = handle_;

        handle_ = nullptr;
        return handle;
    }

    /* Returns the handle, which this object still owns. */
    native_handle_type native_handle() const noexcept
    {
        return handle_;
    }

    /* Waits as long as it takes.  Throws error. */
    void lock()
    {
        demand(::filelock_acquire(handle_, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    }
    void lock_shared()
    {
        demand(::filelock_acquire(handle_, FILELOCK_SHARED, FILELOCK_FOREVER));
    }

    /* False if another holder has the lock.  Throws error for a failure that a later try alone would not change. */
    bool try_lock()
    {
        return succeeds(::filelock_acquire(handle_, FILELOCK_EXCLUSIVE, FILELOCK_TRY));
    }
    bool try_lock_shared()
    {
        return succeeds(::filelock_acquire(handle_, FILELOCK_SHARED, FILELOCK_TRY));
    }

    /* False if another holder had the lock until the time was up. */
    template <class Rep, class Period> bool try_lock_for(const std::chrono::duration<Rep, Period> &duration)
    {
        return succeeds(::filelock_acquire(handle_, FILELOCK_EXCLUSIVE, milliseconds(duration)));
    }
    template <class Rep, class Period> bool try_lock_shared_for(const std::chrono::duration<Rep, Period> &duration)
    {
        return succeeds(::filelock_acquire(handle_, FILELOCK_SHARED, milliseconds(duration)));
    }

    /* Reads the clock once: a wait does not follow a clock that is set meanwhile. */
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &time)
    {
        return try_lock_for(time - Clock::now());
    }
    template <class Clock, class Duration>
    bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration> &time)
    {
        return try_lock_shared_for(time - Clock::now());
    }

    /* Releases one level.  Errors are lost: filelock_release(native_handle()) returns them. */
    void unlock() noexcept
    {
        (void) ::filelock_release(handle_);
    }
    void unlock_shared() noexcept
    {
        (void) ::filelock_release(handle_);
    }

private:
    native_handle_type handle_ = nullptr;

    void create(const char *path, const filelock_options *options)
    {
        int result = ::filelock_new(&handle_, path, options);

        if (result != 0)
            throw error(result, std::string("cannot make a lock: ") + ::filelock_strerror(result));
    }

    /* Asks again if the sentence did not fit.  It may still not fit, because its length changes with the holder. */
    std::string sentence(int number) const
    {
        std::string text(512, '\0');
        std::size_t length = ::filelock_describe(handle_, number, &text[0], text.size());

        if (length >= text.size()) {
            text.resize(length + 1);
            length = ::filelock_describe(handle_, number, &text[0], text.size());
        }
        text.resize(length < text.size() ? length : text.size() - 1);
        return text;
    }

    void demand(int result) const
    {
        if (result != 0)
            throw error(result, sentence(result));
    }

    bool succeeds(int result) const
    {
        if (result != -ETIMEDOUT)
            demand(result);
        return result == 0;
    }

    /* Rounds up: no timeout is early.  A duration beyond int64_t is cut: no caller waits that long. */
    template <class Rep, class Period> static std::int64_t milliseconds(const std::chrono::duration<Rep, Period> &duration)
    {
        using exact = std::chrono::duration<double, std::milli>;
        using whole = std::chrono::duration<std::int64_t, std::milli>;

        if (duration <= duration.zero())
            return FILELOCK_TRY;
        if (exact(duration).count() >= 9e18)
            return (std::numeric_limits<std::int64_t>::max)();
        whole floor = std::chrono::duration_cast<whole>(duration);
        return floor.count() + (floor < duration);
    }
};

#endif
