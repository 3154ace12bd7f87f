/* SPDX-License-Identifier: MIT
 *
 * run_win32.c - runs commands by CreateProcess and a wait.
 */
#include <config.h>

#include "run.h"

#include "report.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <shellapi.h>

const char *const run_lacks = "-o, -F, -u, --fd and descriptors do not exist on Windows, where no command inherits a "
                              "lock";

/* Returns 0: on Windows a lock belongs to the process that took it, even if other processes have its handle. */
unsigned run_sharing_flags(int is_file)
{
    (void) is_file;
    return 0;
}

int64_t run_clock(void)
{
    LARGE_INTEGER count, frequency;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    return count.QuadPart / frequency.QuadPart * 1000000 +
           count.QuadPart % frequency.QuadPart * 1000000 / frequency.QuadPart;
}

/* Does nothing: a file that is opened never gets the handle of a closed standard stream. */
void run_guard_streams(void)
{
}

/* ---- UTF-8 and UTF-16 ----------------------------------------------------------------------- */

/* Returns the text in UTF-8, which the caller frees, or NULL: no memory. */
static char *to_utf8(const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = n > 0 ? malloc((size_t) n) : NULL;

    if (text != NULL)
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, n, NULL, NULL);
    return text;
}

static wchar_t *to_wide(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t) n * sizeof *wide) : NULL;

    if (wide != NULL)
        MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
    return wide;
}

/* Asks the system for the command line: the C library gives it in the code page, which lacks most characters that a
 * path can have. */
enum outcome run_arguments(int *argc, char ***argv)
{
    int count;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **words = wide != NULL ? calloc((size_t) count + 1, sizeof *words) : NULL;
    int i;

    for (i = 0; words != NULL && i < count; i++) {
        words[i] = to_utf8(wide[i]);
        if (words[i] == NULL)
            break;
    }
    LocalFree(wide);
    if (words == NULL || i < count) {
        complain("no memory for the command line");
        return OUTCOME_OSERR;
    }
    *argc = count;
    *argv = words;
    return OUTCOME_DONE;
}

/* ---- Command lines -------------------------------------------------------------------------- */

static char shell_option[] = "/c";

void run_set_variable(const char *name, const char *value)
{
    (void) SetEnvironmentVariableA(name, value);
}

void run_shell_command(const char *line, char *command[4])
{
    static char usual_shell[] = "cmd.exe";
    const wchar_t *wide = _wgetenv(L"COMSPEC");
    char *shell = wide != NULL && *wide != L'\0' ? to_utf8(wide) : NULL;

    command[0] = shell != NULL ? shell : usual_shell;
    command[1] = shell_option;
    command[2] = (char *) line;
    command[3] = NULL;
}

struct line {
    char *text;
    size_t length, size;
    int failed;
};

static void put(struct line *line, char c)
{
    if (line->length == line->size) {
        size_t size = line->size * 2 + 64;
        char *more = line->failed ? NULL : realloc(line->text, size);

        if (more == NULL) {
            line->failed = 1;
            return;
        }
        line->text = more;
        line->size = size;
    }
    line->text[line->length++] = c;
}

static void put_many(struct line *line, char c, size_t count)
{
    while (count-- > 0)
        put(line, c);
}

/* Quotes a word for CommandLineToArgvW, which takes backslashes literally except before a quotation mark: each of those
 * is doubled. */
static void put_quoted(struct line *line, const char *word)
{
    size_t backslashes = 0;

    put(line, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"')
            put_many(line, '\\', backslashes + 1);
        backslashes = *word == '\\' ? backslashes + 1 : 0;
        put(line, *word);
    }
    put_many(line, '\\', backslashes);
    put(line, '"');
}

static void put_word(struct line *line, const char *word)
{
    if (*word != '\0' && word[strcspn(word, " \t\n\v\"")] == '\0')
        while (*word != '\0')
            put(line, *word++);
    else
        put_quoted(line, word);
}

/* Appends a line for cmd.exe, which has its own rules for quotation marks: with /s it takes the text between the
 * outermost two as it is. */
static void put_shell_line(struct line *line, const char *text)
{
    static const char options[] = " /d /s /c \"";
    const char *c;

    for (c = options; *c != '\0'; c++)
        put(line, *c);
    for (c = text; *c != '\0'; c++)
        put(line, *c);
    put(line, '"');
}

/* Returns the command line for CreateProcess, which the caller frees, or NULL: no memory. */
static wchar_t *command_line(char *const command[])
{
    struct line line = { NULL, 0, 0, 0 };
    wchar_t *wide;
    size_t i;

    put_quoted(&line, command[0]);
    if (command[1] == shell_option)
        put_shell_line(&line, command[2]);
    else
        for (i = 1; command[i] != NULL; i++) {
            put(&line, ' ');
            put_word(&line, command[i]);
        }
    put(&line, '\0');
    wide = line.failed ? NULL : to_wide(line.text);
    free(line.text);
    return wide;
}

/* ---- Running -------------------------------------------------------------------------------- */

static enum outcome explain(const char *name, DWORD error)
{
    wchar_t wide[512];
    DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, wide,
                             sizeof wide / sizeof *wide, NULL);
    char *text;

    while (n > 0 && (wide[n - 1] == '\r' || wide[n - 1] == '\n' || wide[n - 1] == '.' || wide[n - 1] == ' '))
        n--;
    wide[n] = '\0';
    text = n > 0 ? to_utf8(wide) : NULL;
    if (text != NULL)
        complain("cannot run %s: %s", name, text);
    else
        complain("cannot run %s: error %lu", name, (unsigned long) error);
    free(text);
    return error == ERROR_NOT_ENOUGH_MEMORY || error == ERROR_OUTOFMEMORY ? OUTCOME_OSERR : OUTCOME_UNAVAILABLE;
}

/* Leaves Ctrl-C and Ctrl-Break to the command.  This process goes on holding the lock until the command has ended. */
static BOOL WINAPI stay(DWORD event)
{
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

/*
 * Ends the command when this process is ended: otherwise it would go on without the lock.  Processes that the command
 * has started itself go on.
 */
static void tie(HANDLE process)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { 0 };
    HANDLE job = CreateJobObjectW(NULL, NULL);

    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    if (job != NULL && (!SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits) ||
                        !AssignProcessToJobObject(job, process)))
        CloseHandle(job);
    /* The job's handle stays open: when this process ends, the system closes it, and that ends the job. */
}

/* True for a batch file: CreateProcess runs it by cmd.exe, which reads a command line by its own rules. */
static int is_batch_file(const char *program)
{
    size_t length = strlen(program);

    while (length > 0 && (program[length - 1] == '.' || program[length - 1] == ' '))
        length--;
    program += length > 4 ? length - 4 : length;
    return _strnicmp(program, ".bat", 4) == 0 || _strnicmp(program, ".cmd", 4) == 0;
}

/* True if cmd.exe would take every argument literally.  Else complains of the first argument with a character that
 * cmd.exe gives a meaning, within quotation marks or without. */
static int takes_literally(char *const command[])
{
    size_t i;

    for (i = 1; command[i] != NULL; i++)
        if (strpbrk(command[i], "\"%!^&|<>()\r\n") != NULL) {
            complain("cannot run %s: cmd.exe would not take \"%s\" literally", command[0], command[i]);
            return 0;
        }
    return 1;
}

static enum outcome start(char *const command[], PROCESS_INFORMATION *process)
{
    STARTUPINFOW startup = { .cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES };
    wchar_t *line;
    BOOL started;
    DWORD error;

    if (command[1] != shell_option && is_batch_file(command[0]) && !takes_literally(command))
        return OUTCOME_UNAVAILABLE;
    line = command_line(command);

    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (line == NULL)
        return explain(command[0], ERROR_OUTOFMEMORY);
    started = CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, process);
    error = GetLastError();
    free(line);
    return started ? OUTCOME_DONE : explain(command[0], error);
}

enum outcome run_command(char *const command[], int close_fd, filelock_waitable lost, int *status)
{
    PROCESS_INFORMATION process;
    DWORD code;
    enum outcome outcome = start(command, &process);

    (void) close_fd;
    (void) lost; /* no kind that can be lost is built here */
    if (outcome != OUTCOME_DONE)
        return outcome;
    SetConsoleCtrlHandler(stay, TRUE);
    tie(process.hProcess);
    ResumeThread(process.hThread);
    if (WaitForSingleObject(process.hProcess, INFINITE) == WAIT_OBJECT_0 &&
        GetExitCodeProcess(process.hProcess, &code)) {
        *status = (int) code;
    } else {
        complain("cannot wait for the command: error %lu", (unsigned long) GetLastError());
        outcome = OUTCOME_FAILURE;
    }
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return outcome;
}

/* Never called on Windows: lock_and_run() refuses -F (run_lacks). */
enum outcome run_instead(char *const command[])
{
    complain("cannot run %s in the place of this process", command[0]);
    return OUTCOME_UNAVAILABLE;
}
