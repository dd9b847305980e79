# Source this where a script makes a folder that somebody named.
#
#   plain_path PATH   ends the script, with code 2, where PATH holds a ~ or a variable that no shell has expanded: in quotes,
#                     or behind an = ("--out=~/x"), they arrive as they stand, and would become a folder of that name
# shellcheck shell=bash

plain_path() {
    # shellcheck disable=SC2088 # the very point
    case $1 in
        '~'* | *'$'*)
            echo "${0##*/}: '$1': ~ and variables are for a shell to expand; write the path out, as in $HOME/x" >&2
            exit 2
            ;;
    esac
}
