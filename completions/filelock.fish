# SPDX-License-Identifier: MIT
#
# fish completion for filelock(1)

# The help lists the kinds that the build has.
function __filelock_kinds
    set -l words (commandline -opc)
    $words[1] --help 2>/dev/null | string match -r -g '^ *--kind <kind> *(.*)' | string split ', '
end

# Prints the words after the options, and their values, that stand before the cursor.
function __filelock_operands
    set -l words (commandline -opc)
    set -l i 2
    while test $i -le (count $words)
        if test $words[$i] = --
            set i (math $i + 1)
            break
        end
        string match -q -- '-*' $words[$i]; or break
        # The value of an option is the next word, unless it stands in the same word.
        if string match -q -r -- '^(--(wait|timeout|conflict-exit-code|command|kind|lease|etcd|start|length|fd|break)|-[a-zA-Z]*[wEc])$' $words[$i]
            set i (math $i + 1)
        end
        set i (math $i + 1)
    end
    test $i -le (count $words); and printf '%s\n' $words[$i..-1]
end

# True if an option names what is locked or asked about, so that no file to lock follows.
function __filelock_has
    string match -q -r -- "^--($argv[1])(=|\$)" (commandline -opc)
end

# True at the file to lock or to ask about.
function __filelock_at_file
    not __filelock_has 'fd|break|list|doctor'; and test (count (__filelock_operands)) -eq 0
end

# True in the command, or where it begins.
function __filelock_in_command
    set -l operands (__filelock_operands)
    __filelock_has 'who|break|list|doctor'; and return 1
    __filelock_has fd; or test (count $operands) -gt 0
end

# Completes the command as if it stood alone.
function __filelock_command
    set -l operands (__filelock_operands)
    __filelock_has fd; or set -e operands[1]
    if contains -- "$operands[1]" -c --command
        set -e operands[1]
    end
    complete -C (string join ' ' -- (string escape -- $operands) (commandline -ct))
end

complete -c filelock -f
complete -c filelock -n __filelock_at_file -F
complete -c filelock -n __filelock_in_command -a '(__filelock_command)'
complete -c filelock -n 'not __filelock_in_command' -s s -l shared -d 'Acquire a shared lock'
complete -c filelock -n 'not __filelock_in_command' -s x -s e -l exclusive -d 'Acquire an exclusive lock (default)'
complete -c filelock -n 'not __filelock_in_command' -s n -l nb -l nonblock -l nonblocking -d 'Fail at once if the lock is held'
complete -c filelock -n 'not __filelock_in_command' -s w -l wait -l timeout -x -d 'Fail after these seconds'
complete -c filelock -n 'not __filelock_in_command' -s E -l conflict-exit-code -x -d 'Exit status of a conflict'
complete -c filelock -n 'not __filelock_in_command' -s o -l close -d 'Run the command without the descriptor of the lock'
complete -c filelock -n 'not __filelock_in_command' -s F -l no-fork -d 'Run the command in place of filelock'
complete -c filelock -n 'not __filelock_in_command' -s c -l command -x -d 'Run a command line by the shell'
complete -c filelock -n 'not __filelock_in_command' -s u -l unlock -d 'Drop the lock of a descriptor'
complete -c filelock -n 'not __filelock_in_command' -l fd -x -d 'Lock this descriptor'
complete -c filelock -n 'not __filelock_in_command' -l kind -x -a '(__filelock_kinds)' -d 'How to lock'
complete -c filelock -n 'not __filelock_in_command' -l fcntl -d 'Lock by fcntl(2)'
complete -c filelock -n 'not __filelock_in_command' -l soft -d 'Lock by the existence of the file'
complete -c filelock -n 'not __filelock_in_command' -l lease -x -d 'Lock until it is not renewed for these seconds'
complete -c filelock -n 'not __filelock_in_command' -l etcd -x -d 'Lock a name in a cluster'
complete -c filelock -n 'not __filelock_in_command' -l start -x -d 'First byte to lock'
complete -c filelock -n 'not __filelock_in_command' -l length -x -d 'Number of bytes to lock'
complete -c filelock -n 'not __filelock_in_command' -l who -d 'Tell who holds a lock'
complete -c filelock -n 'not __filelock_in_command' -l all -d 'With --who: tell each holder, and who waits'
complete -c filelock -n 'not __filelock_in_command' -l list -d 'Tell who holds which lock, and who waits'
complete -c filelock -n 'not __filelock_in_command' -l doctor -d 'Try which kinds of lock work in a directory'
complete -c filelock -n 'not __filelock_in_command' -l meet -d 'With --doctor: try it together with another machine'
complete -c filelock -n 'not __filelock_in_command' -l json -d 'Write JSON'
complete -c filelock -n 'not __filelock_in_command' -l break -r -F -d 'Remove the marker of a soft lock'
complete -c filelock -n 'not __filelock_in_command' -l record -d 'Write the holder into the lock file'
complete -c filelock -n 'not __filelock_in_command' -l announce -d 'Say who holds the lock when it has to be waited for'
complete -c filelock -n 'not __filelock_in_command' -l verbose -d 'Tell how long it took, or why it failed'
complete -c filelock -n 'not __filelock_in_command' -s h -l help -d 'Show the help'
complete -c filelock -n 'not __filelock_in_command' -s V -l version -d 'Show the version'
complete -c filelock -n '__filelock_has "list|doctor"' -a '(__fish_complete_directories)'
