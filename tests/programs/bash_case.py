"""bash: subshells, pipes, job control, traps, process substitution and here-documents."""

from program_case import WORKLOADS, Run, main

# Builtins only: /proc/self is bash itself, and in the second half a forked subshell of it.
PRINT_OWN_MAPS = 'while IFS= read -r line; do printf "%s\\n" "$line"; done </proc/self/maps'


def workload(run: Run) -> None:
    script = str(WORKLOADS / "shell.sh")
    run.command(["bash", script], what="script", expect_status=6)
    run.command(["bash"], feed=b"echo $((1+1))\n(exit 7)\necho $?\nexit 3\n", expect_status=3)
    run.command(["bash", "-c", 'kill -TERM $$'], expect_status=-15)
    run.command(["bash", "-c", "syntax error ("], expect_status=2)

    maps = run.start(["bash", "-c", PRINT_OWN_MAPS]).communicate()[0]
    run.expect_named_in(maps, "bash")
    maps = run.start(["bash", "-c", f"({PRINT_OWN_MAPS}); :"]).communicate()[0]
    run.expect_named_in(maps, "a subshell of bash")


main("bash", needs=["bash", "awk", "xargs"], workload=workload)
