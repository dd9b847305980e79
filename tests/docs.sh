# Helpers for the tests of documents: source this first, in place of lib.sh, which it brings.
#
#   clean_copy                the tree's files, as they are now, in $copy, with the program that was built
#   run_document FILE COUNT   runs what FILE tells a reader to type, COUNT commands, in $copy, and checks their ends:
#
# In a block that is fenced ```sh each line is a command; \ at its end and <<'END' go on with the next lines. In a block fenced ```console
# `$ COMMAND` is one, and what stands below it stands in its output, in that order; `...`, within a line or as one, is anything.
# `# exit code N`, behind a command or behind what it prints, says what it ends with, otherwise 0. All other blocks are to be read.
#
# A script that sources this has a function
#
#   special COMMAND NAME      where the command cannot be run here: passes, fails or skips, NAME, and returns 0. Otherwise 1, and it may
#                             set $settings, words of env for the command, and $quoted, which of the two below compares its output
#   literal LINE              prints the extended regular expression that an output line must match: the line, but for `...`
#   numbers_aside LINE        the same, with any number, hash, processor and number of the run where the line has one
# shellcheck shell=bash
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

copy=$tmp/copy
clean_copy() {
    mkdir "$copy" "$tmp/bin"
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -c -T - 2>/dev/null | tar -x -C "$copy"
    else
        tar -c --exclude=./build --exclude=./runs --exclude=./.git . | tar -x -C "$copy"
    fi
    ln -s "$(realpath "$BUILD")" "$copy/build"
    unset BUILD
    # The program is built: of make only what follows after that is wanted here.
    cat >"$tmp/bin/make" <<'END'
#!/bin/bash
case " $* " in *' all '*) exit 0 ;; *' run '*) exec scripts/run.sh ;; esac
exec /usr/bin/make "$@"
END
    chmod +x "$tmp/bin/make"
    export PATH=$tmp/bin:$PATH SETUP=0
}

literal() { sed -E 's/[][\\.^$*+?(){}|]/\\&/g; s/(\\\.){3}/.*/g' <<<"$1"; }
numbers_aside() {
    local hash='state_hash [0-9a-f]{16}'
    case $1 in
        'device auto: takes '*) echo 'device auto: takes .+' ;;
        *) literal "$1" | sed -E "s/$hash/@/; s/[0-9]+(\\\\\.[0-9]+)?/[0-9]+(\\\\.[0-9]+)?/g; s/@/$hash/" ;;
    esac
}

# shown NAME OUTPUT: the lines stand in $log, in this order.
shown() {
    local line pattern at=0 found
    while read -r line; do
        [ -n "$line" ] && [ "$line" != ... ] || continue
        pattern=$($quoted "$line")
        found=$(tail -n +$((at + 1)) "$log" | grep -nE -m 1 -- "^$pattern\$" | cut -d : -f 1)
        if [ -z "$found" ]; then
            fail "$1" "below line $at of its output there is no line: $line" "as: $pattern" "$(tail -n 15 "$log")"
            return
        fi
        at=$((at + found))
    done <<<"$2"
    pass "$1"
}

# run_command FILE COMMAND CODE [OUTPUT]
run_command() {
    local file=$1 command=$2 want=$3 output=${4:-} name settings=() quoted=literal
    name="$file: $(head -n 1 <<<"$command" | sed 's/ *#.*//')"
    special "$command" "$name" && return
    (cd "$copy" && timeout -k 5 100 env "${settings[@]}" bash -c "$command") >"$log" 2>&1 </dev/null
    code=$?
    if [ $code = "$want" ]; then
        shown "$name" "$output"
    else
        fail "$name" "exit code $code, not $want:" "$(tail -n 15 "$log")"
    fi
}

run_document() {
    local file=$1 expected=$2 commands=0 line block='' command='' output='' ends='' want=0
    # End of a command, with what it printed.
    run() {
        [ -z "$command" ] || { commands=$((commands + 1)) && run_command "$file" "$command" "$want" "$output"; }
        command='' output='' want=0
    }
    while IFS= read -r line <&3; do
        if [[ $line = '```'* ]]; then
            if [ -n "$block" ]; then run && block=; else block=${line#'```'} && block=${block:-none}; fi
        elif [ "$block" = sh ]; then
            command+=${command:+$'\n'}$line
            [ -n "$ends" ] || [[ $line != *"<<'END'"* ]] || { ends=END && continue; }
            if [ -n "$ends" ]; then [ "$line" = "$ends" ] && ends='' || continue; fi
            [[ $line != *\\ ]] || continue
            if [[ $line =~ '# exit code '([0-9]+) ]]; then want=${BASH_REMATCH[1]}; fi
            run
        elif [ "$block" = console ]; then
            if [[ $line = '$ '* ]]; then
                run
                command=${line#'$ '}
            else
                if [[ $line =~ (.*[^ ])' '+'# exit code '([0-9]+)$ ]]; then line=${BASH_REMATCH[1]} want=${BASH_REMATCH[2]}; fi
                output+=${output:+$'\n'}$line
            fi
        fi
    done 3<"$file"
    check "$file: $expected commands" test "$commands" = "$expected"
}

# Whether the program was built with cairo.
draws() { grep -q 'libcairo\.so' "$program"; }

# What is the same in all documents. $1: the command, $2: the name of its check.
anywhere() {
    case $1 in
        sbatch*)
            # The script is there, and what stands behind it is a command line of train.
            local words=${1#*.sbatch } script
            words=${words%%#*}
            script=$(grep -o 'scripts/slurm/[a-z-]*\.sbatch' <<<"$1")
            if (cd "$copy" && bash "$script" --help && eval "build/lockstep train $words --dump-config") >"$log" 2>&1; then
                skip "$2" "no Slurm here, tests/slurm has such jobs; its script and options are good"
            else
                fail "$2" "$(tail -n 5 "$log")"
            fi
            ;;
        *'lockstep report '* | *'lockstep predict '*)
            draws && return 1
            skip "$2" "lockstep was built without cairo"
            ;;
        tensorboard*) skip "$2" "a server that does not end; tests/e2e/tensorboard.sh reads the files" ;;
        *) return 1 ;;
    esac
}
