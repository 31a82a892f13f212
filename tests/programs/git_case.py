"""git: history, merges, packing and searching with several threads; all object ids must be equal.

Packs themselves may differ from run to run (which thread gets which delta is a race), so they are
compared by what they contain.
"""

import random
import subprocess

from program_case import Run, main

SETTINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ann Author",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_PAGER": "cat",
}
STALLED_PIPE_BYTES = 4096


def workload(run: Run) -> None:
    repository = run.directory / "repository"

    def git(*arguments: str, feed: bytes | None = None, expect_status: int = 0) -> bytes:
        argv = ["git", "-C", str(repository), *arguments]
        what = "git " + " ".join(arguments)
        outcome = run.command(argv, what=what, env=SETTINGS, feed=feed, expect_status=expect_status)
        return outcome.stdout

    repository.mkdir()
    git("init", "--initial-branch=main")
    git("config", "gc.auto", "0")
    make_history(run, git)
    merge_branches(repository, git)
    git("log", "--graph", "--stat", "--format=%H %T %P %an %ad %s", "main", "-25")
    every_object = git("rev-list", "--objects", "--all")
    run.expect(every_object.count(b"\n") > 900, "the history is too small to mean anything")

    pack_with_threads(run, repository)
    git("-c", "pack.threads=2", "repack", "-a", "-d", "-f", "-q", "--window=20")
    run.expect(git("rev-list", "--objects", "--all") == every_object, "repack changed the history")
    index_with_threads(run, repository)
    grep_with_threads(run, repository)
    git("-c", "pack.threads=2", "gc", "--quiet", "--prune=now")
    git("fsck", "--full", "--strict", "--no-progress")
    git("count-objects")

    # The clone's other end is a process of its own, connected by pipes.
    run.command(
        ["git", "clone", "--quiet", "--no-local", str(repository), "clone"], env=SETTINGS
    )
    run.command(["git", "-C", "clone", "rev-parse", "main", "HEAD^{tree}"], env=SETTINGS)
    run.command(["git", "-C", "clone", "fsck", "--full", "--no-progress"], env=SETTINGS)
    expect_preload_in_git(run, repository)


def make_history(run: Run, git) -> None:
    """Many commits at once through fast-import, then some one by one."""
    words = random.Random(13)
    stream = []
    for number in range(300):
        name = f"folder{number % 7}/file{number % 31}.txt"
        count = words.randrange(40, 400)
        body = "".join(f"line {words.randrange(400)} of things\n" for _ in range(count))
        message = f"change {number}\n"
        stream.append(
            "commit refs/heads/main\n"
            f"committer Carl <carl@example.org> {1600000000 + number} +0000\n"
            f"data {len(message)}\n{message}M 100644 inline {name}\ndata {len(body)}\n{body}\n"
        )
    git("fast-import", "--quiet", feed="".join(stream).encode())
    git("reset", "--hard", "--quiet", "main")
    for number in range(8):
        (run.directory / "repository" / "notes.txt").write_text(f"note {number}\n" * (number + 1))
        git("add", "-A")
        git("commit", "-m", f"note {number}")
    git("tag", "-a", "v1", "-m", "first")


def merge_branches(repository, git) -> None:
    git("checkout", "--quiet", "-b", "side", "main~3")
    (repository / "side.txt").write_text("from the side\n")
    (repository / "notes.txt").write_text("a conflict\n")
    git("add", "-A")
    git("commit", "--quiet", "-m", "on the side")
    git("checkout", "--quiet", "main")
    git("merge", "side", expect_status=1)
    (repository / "notes.txt").write_text("resolved\n")
    git("add", "-A")
    git("commit", "--quiet", "-m", "merged")
    git("checkout", "--quiet", "-b", "rebased", "main~4")
    (repository / "other.txt").write_text("other\n")
    git("add", "-A")
    git("commit", "--quiet", "-m", "to be rebased")
    git("rebase", "--quiet", "main")
    git("checkout", "--quiet", "main")
    git("merge", "--ff-only", "rebased")


def stalled_with_threads(run: Run, repository, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts git with small pipes that nobody reads yet.

    Its main thread and two workers get stuck printing (results, or progress) and can be counted;
    whoever reads the pipes lets them go on.
    """
    process = run.start(
        ["git", "-C", str(repository), *arguments], env=SETTINGS, pipesize=STALLED_PIPE_BYTES
    )
    run.until_threads(process.pid, 3)
    run.expect_mapped(process.pid, f"git {arguments[0]}")
    return process


def pack_with_threads(run: Run, repository) -> None:
    fresh = ["--window=50", "--no-reuse-delta", "--no-reuse-object"]
    process = stalled_with_threads(
        run, repository, "pack-objects", "--threads=2", *fresh, "--all", "--progress", "--stdout"
    )
    pack, progress = process.communicate()
    run.expect(process.returncode == 0, f"pack-objects: {process.returncode}, {progress!r}")
    (run.directory / "all.pack").write_bytes(pack)


def index_with_threads(run: Run, repository) -> None:
    process = stalled_with_threads(
        run, repository, "index-pack", "--threads=2", "-v", "--strict", f"{run.directory}/all.pack"
    )
    _, progress = process.communicate()
    run.expect(process.returncode == 0, f"index-pack: {process.returncode}, {progress!r}")
    show = run.start(["git", "show-index"], env=SETTINGS, stdin=subprocess.PIPE)
    shown, _ = show.communicate((run.directory / "all.idx").read_bytes())
    ids = sorted(line.split()[1] for line in shown.splitlines())
    run.expect(len(ids) > 900, "the pack's index is too small")
    run.observe("objects in the pack", ids)


def grep_with_threads(run: Run, repository) -> None:
    process = stalled_with_threads(
        run, repository, "grep", "--threads", "2", "-n", "line [0-9]*7 of"
    )
    found = run.finish(process, "git grep --threads 2").stdout
    run.expect(found.count(b"\n") > 100, "git grep found too little")


def expect_preload_in_git(run: Run, repository) -> None:
    """A commit whose message is git's own list of mappings."""
    def output(*arguments: str) -> bytes:
        return run.start(["git", "-C", str(repository), *arguments], env=SETTINGS).communicate()[0]

    commit = output("commit-tree", "HEAD^{tree}", "-F", "/proc/self/maps").decode().strip()
    run.expect_named_in(output("cat-file", "commit", commit), "git")


main("git", needs=["git"], workload=workload)
