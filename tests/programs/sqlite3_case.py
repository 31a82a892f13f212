"""sqlite3: transactions, concurrent writers and readers in WAL mode, the sorter's threads."""

import subprocess

from program_case import WORKLOADS, Run, main

WRITERS, READERS, TRANSACTIONS = 3, 2, 40
SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE entry (writer INTEGER, number INTEGER, text TEXT, PRIMARY KEY (writer, number));
CREATE TABLE total (entries INTEGER);
INSERT INTO total VALUES (0);
"""
FINAL_STATE = """
SELECT writer, count(*), sum(number), sum(length(text)) FROM entry GROUP BY writer ORDER BY writer;
SELECT * FROM total;
PRAGMA integrity_check;
"""
# Sorts more than fits its cache, so that sorting is given to a worker thread, again and again.
SORT = """
PRAGMA threads=2;
PRAGMA cache_size=20;
CREATE TABLE big (a INTEGER, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
INSERT INTO big SELECT (i * 7919) % 150001, printf('row %d', (i * 104729) % 150001) FROM n;
CREATE INDEX by_text ON big (b, a);
SELECT count(*), min(b), max(b), sum(a) FROM big INDEXED BY by_text;
SELECT b FROM big ORDER BY b DESC LIMIT 3;
PRAGMA integrity_check;
"""
# A separator that is in no line.
PRINT_OWN_MAPS = """
CREATE TEMP TABLE maps (line);
.mode ascii
.separator \x01 \\n
.import /proc/self/maps maps
SELECT * FROM maps;
"""
TRANSACTIONS_IN_ONE_SHELL = """
CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE);
BEGIN; INSERT INTO t (v) VALUES ('kept');
SAVEPOINT s; INSERT INTO t (v) VALUES ('undone'); ROLLBACK TO s; COMMIT;
BEGIN; DELETE FROM t; ROLLBACK;
SELECT * FROM t;
INSERT INTO t (v) VALUES ('kept');
"""


def writer_script(writer: int) -> str:
    """Each transaction reads the total and writes it back: a lost update would show."""
    lines = [".timeout 60000", "PRAGMA synchronous=OFF;"]
    for number in range(TRANSACTIONS):
        lines += [
            "BEGIN IMMEDIATE;",
            f"INSERT INTO entry VALUES ({writer}, {number}, '{'x' * (number * 7 % 200)}');",
            "UPDATE total SET entries = (SELECT entries + 1 FROM total);",
            "COMMIT;",
        ]
    return "\n".join(lines)


def reader_script() -> str:
    consistent = "SELECT (SELECT count(*) FROM entry) = (SELECT entries FROM total);"
    return "\n".join([".timeout 60000", *[consistent] * 60])


def concurrent_shells(run: Run) -> None:
    run.command(["sqlite3", "shop.db"], what="schema", feed=SCHEMA.encode())
    shells = []
    for number in range(WRITERS):
        shell = run.start(["sqlite3", "-bail", "shop.db"], stdin=subprocess.PIPE)
        shells.append((f"writer {number}", shell, writer_script(number)))
    for number in range(READERS):
        shell = run.start(["sqlite3", "-bail", "shop.db"], stdin=subprocess.PIPE)
        shells.append((f"reader {number}", shell, reader_script()))
    for name, shell, _ in shells:
        run.expect_mapped(shell.pid, name)
    # All of them have their input before the first is waited for.
    for _, shell, script in shells:
        shell.stdin.write(script.encode())
        shell.stdin.close()
        shell.stdin = None
    for name, shell, _ in shells:
        run.finish(shell, name)
    outcome = run.command(["sqlite3", "shop.db"], what="final state", feed=FINAL_STATE.encode())
    total = f"\n{WRITERS * TRANSACTIONS}\nok".encode()
    run.expect(total in outcome.stdout, f"updates were lost: {outcome.stdout!r}")


def sort_with_threads(run: Run) -> None:
    shell = run.start(["sqlite3", "-bail", "sort.db"], stdin=subprocess.PIPE)
    shell.stdin.write(SORT.encode())
    shell.stdin.close()
    shell.stdin = None
    run.until_threads(shell.pid, 2)
    run.finish(shell, "sort")


def workload(run: Run) -> None:
    script = TRANSACTIONS_IN_ONE_SHELL.encode()
    # Its last line breaks a constraint.
    run.command(["sqlite3", ":memory:"], what="transactions", feed=script, expect_status=1)
    concurrent_shells(run)
    sort_with_threads(run)
    run.command(["python3", str(WORKLOADS / "connections.py"), "threads.db"], what="connections.py")
    dump = run.command(["sqlite3", "threads.db", ".dump account shared"], what="dump")
    run.expect(dump.stdout.count(b"INSERT") == 11, "the dump is not what the threads wrote")

    shell = run.start(["sqlite3", ":memory:"], stdin=subprocess.PIPE)
    maps = shell.communicate(PRINT_OWN_MAPS.encode())[0]
    run.expect_named_in(maps, "sqlite3")


main("sqlite3", needs=["sqlite3", "python3"], workload=workload)
