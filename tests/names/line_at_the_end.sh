#!/bin/sh
# line_at_the_end.sh COMPILER SOURCE OBJECT
set -e
"$1" -g -O2 -S "$2" -o "$3.s"
# The second has the first written down, though no instruction follows.
printf '\t.section .text.startup\n\t.loc 1 1 1\n\t.loc 1 2 1\n' >> "$3.s"
"$1" -c "$3.s" -o "$3"
