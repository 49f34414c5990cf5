#!/bin/sh
# First process of a local sandbox: notes who it is, enters its control groups, then becomes bubblewrap.
# $1 file for "pid starttime generation", $2 generation, $3 file with bubblewrap's NUL-separated arguments,
# $4 the bubblewrap executable, further arguments: cgroup.procs files to join
note=$1 generation=$2 arguments=$3 bwrap=$4
shift 4
for group in "$@"; do echo $$ > "$group" || exit 1; done
stat=$(cat /proc/$$/stat)
set -- ${stat##*) }
printf '%s %s %s\n' "$$" "${20}" "$generation" > "$note.new" && mv "$note.new" "$note"
exec "$bwrap" --args 3 3< "$arguments"
