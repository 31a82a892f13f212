# What shell scripts are made of: subshells, pipes, jobs, traps, substitutions, here-documents.
# Prints only what is the same in every run.
set -u

section() { printf '== %s\n' "$1"; }

section subshells
outer=kept
(outer=changed; echo "inside: $outer"; exit 3)
echo "status $? and outside: $outer"
echo "nested: $(echo "one $(echo "two $(echo three)")")"
value=0
for i in {1..40}; do value=$(( value + $(echo "$i") )); done
echo "sum over 40 command substitutions: $value"

section pipes
seq 1 20000 | sed 's/$/ line/' | grep -v 7 | sort -k1,1nr | tee numbers | sha256sum
seq 1 5 | while read -r n; do echo "read $n"; done
set -o pipefail
true | false | true; echo "pipefail $? of ${PIPESTATUS[*]}"
(exit 2) | (exit 5) | true; echo "statuses ${PIPESTATUS[*]}"
set +o pipefail
yes | head -n 3
seq 1 60 | xargs -P 3 -n 5 sh -c 'echo $(( $1 + $2 + $3 + $4 + $5 ))' sum | sort -n

section here-documents
name=world
cat <<TEXT
hello $name, $(( 6 * 7 ))
TEXT
cat <<'TEXT'
hello $name, $(( 6 * 7 ))
TEXT
tr a-z A-Z <<<"a here string"
awk '{ total += $1 } END { print "long here-document:", total }' <<TEXT
$(seq 1 30000)
TEXT

section process-substitution
diff <(seq 1 5) <(seq 1 2 9); echo "diff said $?"
paste <(echo left) <(echo right)
while read -r line; do echo "got $line"; done < <(printf 'x\ny\n')

section coproc
coproc UPPER { while read -r line; do echo "${line^^}"; done; }
upper_pid=$UPPER_PID  # bash forgets it once the coproc is reaped
echo "through a coproc" >&"${UPPER[1]}"
read -r answer <&"${UPPER[0]}"; echo "$answer"
exec {UPPER[1]}>&-
wait "$upper_pid"; echo "coproc ended with $?"

section jobs
set -m
for i in 1 2 3; do (exit $(( i * 10 ))) & pids[i]=$!; done
for i in 1 2 3; do wait "${pids[i]}"; echo "job $i ended with $?"; done
mkfifo gate
cat gate >through-gate & cat_pid=$!
kill -STOP "$cat_pid"
until [[ $(jobs -s) ]]; do sleep 0.01; done
echo "stopped: $(jobs -sp | wc -l)"
bg %% >/dev/null
echo "passed the gate" >gate
wait "$cat_pid"; echo "resumed job ended with $?: $(cat through-gate)"
sleep 1000 & kill -TERM $!; wait $! 2>/dev/null; echo "killed job: $?"
set +m
(exit 4) & (exit 4) & wait -n; echo "wait -n: $?"; wait

section traps
trap 'echo "trapped USR1"' USR1
kill -USR1 $$; kill -USR1 $$
(trap 'echo "subshell TERM"; exit 9' TERM; kill -TERM "$BASHPID"; echo unreachable)
echo "status $?"
trap 'echo "failed with $?"' ERR
false
trap - ERR
hits=0
trap 'hits=$(( hits + 1 ))' USR2
for i in {1..20}; do kill -USR2 $$; done
echo "20 signals, $hits handled"
children=0
trap 'children=$(( children + 1 ))' CHLD
set -m; for i in 1 2 3; do (exit 0) & wait $!; done; set +m
trap - CHLD
[[ $children -ge 1 ]] && echo "children were noticed"

section functions-and-data
fibonacci() {
  if (( $1 < 2 )); then echo "$1"; return; fi
  echo $(( $(fibonacci $(( $1 - 1 ))) + $(fibonacci $(( $1 - 2 ))) ))
}
echo "fibonacci 8: $(fibonacci 8)"
declare -A ages=([ann]=31 [bob]=27)
for key in $(printf '%s\n' "${!ages[@]}" | sort); do echo "$key is ${ages[$key]}"; done
printf '%s\n' "errors go to stderr" >&2
bash -c 'echo "a child shell with $# arguments"; exit 12' child a b; echo "ended with $?"
env | grep -c '^HOME='
find . -type f | sort
exec 5<numbers; read -ru 5 first; exec 5<&-; echo "first of numbers: $first"
/nonexistent/program; echo "not found: $?"

trap 'echo "exit trap, status $?"' EXIT
exit 6
