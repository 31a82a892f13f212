"""sqlite3 from Python's threads: a connection for each, and one shared by all of them."""

import random
import sqlite3
import sys
import threading

WRITERS, ROUNDS, ACCOUNTS = 4, 60, 10


def open_database():
    connection = sqlite3.connect(
        sys.argv[1], timeout=60, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def move_money(number, failures):
    connection, choose = open_database(), random.Random(number)
    for turn in range(ROUNDS):
        giver, taker = choose.sample(range(ACCOUNTS), 2)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE account SET money = money - 5 WHERE id = ?", (giver,))
            connection.execute("UPDATE account SET money = money + 5 WHERE id = ?", (taker,))
            connection.execute("INSERT INTO log VALUES (?, ?)", (number, turn))
            connection.execute("ROLLBACK" if turn % 10 == 9 else "COMMIT")
        except sqlite3.Error as error:
            failures.append(repr(error))
    connection.close()


def watch_totals(done, failures):
    connection, looks = open_database(), 0
    while not done.is_set() or looks == 0:
        (total,) = connection.execute("SELECT sum(money) FROM account").fetchone()
        looks += 1
        if total != 1000 * ACCOUNTS:
            failures.append(f"a reader saw {total}")
    connection.close()


def share_one(connection, lock):
    for _ in range(100):
        with lock:
            connection.execute("UPDATE shared SET count = count + 1")


first = open_database()
print("journal:", first.execute("PRAGMA journal_mode=WAL").fetchone())
first.executescript(
    "CREATE TABLE account (id INTEGER PRIMARY KEY, money); CREATE TABLE log (who, turn);"
    "CREATE TABLE shared (count); INSERT INTO shared VALUES (0);"
)
first.executemany("INSERT INTO account VALUES (?, 1000)", [(n,) for n in range(ACCOUNTS)])

failures, done, lock = [], threading.Event(), threading.Lock()
writers = [threading.Thread(target=move_money, args=(n, failures)) for n in range(WRITERS)]
readers = [threading.Thread(target=watch_totals, args=(done, failures)) for _ in range(2)]
for thread in (*writers, *readers):
    thread.start()
for thread in writers:
    thread.join()
done.set()
for thread in readers:
    thread.join()
sharers = [threading.Thread(target=share_one, args=(first, lock)) for _ in range(3)]
for thread in sharers:
    thread.start()
for thread in sharers:
    thread.join()

print("failures:", failures)
print("accounts:", first.execute("SELECT id, money FROM account ORDER BY id").fetchall())
logged = first.execute("SELECT who, count(*), sum(turn) FROM log GROUP BY who ORDER BY who")
print("log:", logged.fetchall())
print("shared:", first.execute("SELECT count FROM shared").fetchall())
print("integrity:", first.execute("PRAGMA integrity_check").fetchone())
first.close()
