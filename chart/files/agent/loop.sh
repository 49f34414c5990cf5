#!/bin/sh
# Keeps Claude Code running in this terminal: an ended CLI comes back after two seconds and goes on where it was.
# $1 the claude executable, $2 the folder to work in
cd "$2" || exit 1
quick=0
# A conversation of this folder is there when the CLI has kept a transcript of it.
resumable() {
  folder=$(printf '%s' "$2" | tr -c 'A-Za-z0-9' '-')
  for transcript in "$HOME/.claude/projects/$folder"/*.jsonl; do [ -s "$transcript" ] && return 0; done
  return 1
}
trap '' TSTP
while :; do
  began=$(date +%s)
  if resumable "$@"; then "$1" --continue; else "$1"; fi
  code=$?
  [ $(($(date +%s) - began)) -lt 2 ] && quick=$((quick + 1)) || quick=0
  if [ "$quick" -ge 5 ]; then
    printf '\r\nClaude Code ended at once five times in a row (exit code %s). Trying again in 30 seconds.\r\n' "$code"
    sleep 30
    quick=0
    # The last conversation may be what breaks it: begin a new one this time.
    "$1"
  else
    printf '\r\n\033[2mClaude Code ended. It starts again in 2 seconds.\033[0m\r\n'
    sleep 2
  fi
done
