#!/bin/bash
# The program in the terminals of the benches. Its keys: e echoes for ever, s sends the file `source`, f floods for ever,
# c floods until Ctrl-C and then leaves the file `ended`.
# Ctrl-C is for the flood alone, not for what keeps this program running.
set -m
stty raw -echo
printf ready
while key=$(head -c 1) && [ -n "$key" ]; do
  case $key in
  e) exec cat ;;
  s) cat source ;;
  f) exec yes 'a line of a flood' ;;
  c)
    stty -raw -echo
    yes 'a line of a flood'
    touch ended
    stty raw -echo
    ;;
  esac
done
