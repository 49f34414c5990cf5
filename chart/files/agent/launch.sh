#!/bin/sh
# First process of a local sandbox: notes who it is, enters its control groups, then becomes the rest of its words.
# $1 file for "pid starttime generation", $2 generation, $3 how many cgroup.procs files to join follow, then the command
note=$1 generation=$2 groups=$3
shift 3
while [ "$groups" -gt 0 ]; do
  echo $$ > "$1" || exit 1
  shift
  groups=$((groups - 1))
done
stat=$(cat /proc/$$/stat)
start=$(set -- ${stat##*) }; printf '%s' "${20}")
printf '%s %s %s\n' "$$" "$start" "$generation" > "$note.new" && mv "$note.new" "$note"
exec "$@"
