"""sqlite_threads.py SECONDS: threads that share a cache in memory, and a file in WAL mode.

Every transaction moves something from one account to another; the sum never changes. Prints the
sums at the end; stays until its standard input ends.
"""

import random
import sqlite3
import sys
import threading
import time

ACCOUNTS = 50
THREADS = 4
START = 1000


def open_shared():
    return sqlite3.connect("file:control?mode=memory&cache=shared", uri=True, isolation_level=None)


def open_file():
    connection = sqlite3.connect("control.db", timeout=30, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def set_up(connection):
    connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER)")
    rows = [(number, START) for number in range(ACCOUNTS)]
    connection.executemany("INSERT INTO account VALUES (?, ?)", rows)


def again_while_locked(connection, statement, values=()):
    while True:
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0)


def transfer(connection, source):
    again_while_locked(connection, "BEGIN IMMEDIATE")
    move = "UPDATE account SET amount = amount + ? WHERE id = ?"
    again_while_locked(connection, move, (-1, source.randrange(ACCOUNTS)))
    again_while_locked(connection, move, (1, source.randrange(ACCOUNTS)))
    again_while_locked(connection, "COMMIT")


def total(connection):
    return again_while_locked(connection, "SELECT sum(amount) FROM account")[0][0]


def work(connect, number, end, wrong):
    connection = connect()
    source = random.Random(number)
    while time.monotonic() < end:
        transfer(connection, source)
        if total(connection) != ACCOUNTS * START:
            wrong.append(number)
    connection.close()


def main():
    keeps_cache_alive = open_shared()
    set_up(keeps_cache_alive)
    file = open_file()
    file.execute("PRAGMA journal_mode=WAL")
    set_up(file)
    end = time.monotonic() + float(sys.argv[1])
    wrong = []
    threads = [
        threading.Thread(target=work, args=(connect, number, end, wrong))
        for connect in (open_shared, open_file)
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("totals", total(keeps_cache_alive), total(file), "wrong", wrong, flush=True)
    sys.stdin.read()
    file.close()


main()
