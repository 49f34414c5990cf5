#!/bin/sh
# First process of a local sandbox: notes who it is, enters its control groups, then becomes bubblewrap.
# $1 file for "pid starttime generation", $2 generation, $3 file with bubblewrap's NUL-separated options,
# $4 the bubblewrap executable, $5 how many cgroup.procs files to join follow, then the command to run inside
note=$1 generation=$2 options=$3 bwrap=$4 groups=$5
shift 5
while [ "$groups" -gt 0 ]; do
  echo $$ > "$1" || exit 1
  shift
  groups=$((groups - 1))
done
stat=$(cat /proc/$$/stat)
start=$(set -- ${stat##*) }; printf '%s' "${20}")
printf '%s %s %s\n' "$$" "$start" "$generation" > "$note.new" && mv "$note.new" "$note"
exec "$bwrap" --args 3 -- "$@" 3< "$options"
