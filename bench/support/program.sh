#!/bin/bash
# The program in the terminals of the benches. Its keys: e echoes for ever, s sends the file `source`, f floods for ever,
# c floods until Ctrl-C, which it reads as a key like every full-screen program, and then leaves the file `ended`.
stty raw -echo
printf ready
while key=$(head -c 1) && [ -n "$key" ]; do
  case $key in
  e) exec cat ;;
  s) cat source ;;
  f) exec yes 'a line of a flood' ;;
  c)
    yes 'a line of a flood' &
    until [ "$(head -c 1)" = $'\003' ]; do :; done
    kill $!
    wait $! 2> /dev/null
    touch ended
    ;;
  esac
done
