"""Threads: joins, names, births and ends; signal handlers; programs of one thread."""

import os

from facts_case import FactsCase, hold
from stage import dump


class ThreadFacts(FactsCase):
    def test_thread_joined(self):
        for line in self.lines(play := self.play("thread_joined")):
            facts = self.facts(play)
            wait = facts.threads[line["waiter"]]["wait"]
            self.assertIsNotNone(wait)
            self.assertEqual((wait["kind"], wait["thread"]), ("join", line["joined"]))
            self.assertEqual(wait["timed"], bool(line["timed"]))
            self.assert_place(facts, wait["site"], line["line"], "thread_joined", "threads.cc")
            self.assert_idle(facts, line["joined"])

    def test_thread_named(self):
        attempts = 3
        for attempt in range(attempts):
            play = self.play("thread_named")
            line = self.first_line(play)
            self.eventually(lambda: self.assertGreater(self.facts(play)["clock"]["tick"], 1))
            # A turn of the clock between a thread's start and its prctl() learns the older name.
            raw = self.eventually(lambda: self.facts(play)).threads[line["raw"]]["name"]
            if raw == line["raw_name"] or attempt == attempts - 1:
                break
            self.assert_ends_well(play)
        self.assert_named(play, line)
        line = self.next_line(play)
        self.assert_named(play, line)
        self.assert_ends_well(play)

    def assert_named(self, play, line):
        facts = self.facts(play)
        for who in ("self", "other", "raw"):
            if f"{who}_name" in line:
                self.assertEqual(facts.threads[line[who]]["name"], line[f"{who}_name"])
                self.assertIn(f'thread {line[who]} "{line[f"{who}_name"]}" [', facts.text)
        self.assertEqual(facts.threads[play.pid]["name"], "situations")

    def test_thread_main_first(self):
        play = self.play("thread_main_first")
        line = self.first_line(play)
        mutex, tried, rwlock = line["held"]
        last = (hold(tried, tried=True), hold(rwlock, "rwlock", "shared"))
        facts = self.facts(play)
        self.assert_holds(facts, line["holder"], hold(mutex), *last)
        self.assert_waits(facts, line["waiter"], "mutex", mutex, held_by=[line["holder"]])
        for one, where in zip(facts.threads[line["holder"]]["holds"], line["lines"]):
            self.assert_place(facts, one["site"], where, "thread_main_first", "threads.cc")
        self.next_line(play)
        facts = self.facts(play)
        self.assert_holds(facts, line["holder"], *last)
        self.assert_idle(facts, line["waiter"])
        self.assert_ends_well(play)

    def test_thread_main_first_many(self):
        for line in self.lines(play := self.play("thread_main_first_many")):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], *map(hold, line["held"]), ordered=False)

    def test_thread_successor(self):
        # It has nothing of the one whose place in the ledger it takes.
        for line in self.lines(play := self.play("thread_successor")):
            facts = self.facts(play)
            self.assert_departed(facts, (line["predecessor"], "predecessor", hold(line["lock"])))
            self.assert_idle(facts, line["successor"])
            successor = facts.threads[line["successor"]]
            self.assertEqual((successor["name"], successor["lock_waits"]), ("situations", 0))

    def test_thread_created(self):
        play = self.play("thread_created")
        line = self.first_line(play)
        facts = self.facts(play)
        thread = facts.threads[line["thread"]]
        self.assertEqual(thread["creator"], line["creator"])
        self.assertEqual(thread["entry"]["address"], line["entry"])
        self.assertEqual(thread["life"], "live")
        self.assertEqual(facts.threads[line["creator"]]["creator"], play.pid)
        self.assertNotIn("creator", facts.threads[play.pid])
        line = self.next_line(play)
        self.assertNotIn(line["thread"], self.facts(play).threads)
        self.assert_ends_well(play)

    def test_thread_of_timer(self):
        for line in self.lines(play := self.play("thread_of_timer")):
            # libc's thread that waits for the timer never takes a lock through us.
            facts = self.facts(play, unlisted=1)
            self.assert_holds(facts, line["holder"], hold(line["lock"]))
            self.assert_waits(facts, line["waiter"], "mutex", line["lock"], held_by=[line["holder"]])

    def test_thread_leaving(self):
        for line in self.lines(play := self.play("thread_leaving")):
            facts = self.facts(play)
            self.assert_waits(facts, line["waiter"], "mutex", line["outer"], held_by=[line["holder"]])
            self.assert_holds(facts, line["waiter"], hold(line["inner"]))
            self.assertEqual(facts.threads[line["waiter"]]["name"], "leaving")

    def test_thread_refused(self):
        for line in self.lines(play := self.play("thread_refused")):
            facts = self.facts(play)
            self.assertEqual(set(facts.threads), {line["holder"]})
            self.assert_holds(facts, line["holder"], hold(line["lock"]))

    def test_thread_limit(self):
        # Without impasse's own thread there is still a ledger.
        for line in self.lines(play := self.play("thread_limit")):
            shown = dump(self.tools, play.pid)
            self.assertIn(shown.status, (0, 2), shown.complaint)
            if shown.status == 0 and "has no ledger yet" not in shown.text:
                self.assertIn(f"holds mutex {line['lock']} exclusive", shown.text)
                self.assertIn("the watchdog thread could not be started", shown.text)
            else:
                self.fail(f"the ledger is there, and not shown: {shown}")


class SignalFacts(FactsCase):
    def check_handler(self, name, kind, of_holder):
        play = self.play(name)
        line = self.first_line(play)

        def in_handler():
            facts = self.facts(play)
            self.assert_waits(
                facts, line["waiter"], kind, line["wanted"], held_by=[line["holder"]], interrupted=1
            )
            return facts

        facts = self.eventually(in_handler)
        self.assert_holds(facts, line["holder"], hold(line["first"]), of_holder(line["wanted"]))

        line = self.next_line(play)
        facts = self.facts(play)
        self.assertEqual(line["in"], "thread")
        self.assert_waits(facts, line["waiter"], "mutex", line["first"], held_by=[line["holder"]])
        self.assert_holds(facts, line["waiter"])

        line = self.next_line(play)
        self.assert_idle(self.facts(play), line["waiter"], line["holder"])
        self.assert_ends_well(play)

    def test_handler_waits(self):
        self.check_handler("handler_waits", "mutex", hold)

    def test_handler_reads(self):
        self.check_handler("handler_reads", "read", lambda lock: hold(lock, "rwlock"))

    def test_handler_before_begin(self):
        """One place a thread: of two the watchdog would take one back, be it the one in use."""
        line = self.first_line(play := self.play("handler_before_begin"))
        self.assertEqual(line["handled"], 1)
        first = self.facts(play)
        self.assert_holds(first, line["beginner"], hold(line["lock"]))

        def a_second_later():
            facts = self.facts(play)
            self.assert_holds(facts, line["beginner"], hold(line["lock"]))
            self.assertGreater(facts["clock"]["tick"], first["clock"]["tick"] + 150)

        self.eventually(a_second_later)
        self.assert_ends_well(play)

    def test_handler_forks(self):
        for line in self.lines(play := self.play("handler_forks")):
            self.assertEqual(line["child_status"], 0)
            facts = self.facts(play)
            self.assert_idle(facts, line["waiter"])
            self.assert_holds(facts, line["holder"], hold(line["lock"]))


class AloneFacts(FactsCase):
    """One thread, and it is stuck: the ledger comes into being with the wait."""

    def stuck(self, name, look):
        play = self.play(name)
        line = self.first_line(play)

        def is_there():
            facts = self.facts(play)
            look(facts, line)
            return facts

        self.eventually(is_there)
        self.assertEqual(len(play.ledgers()), 1)
        play.kill()

    def test_alone_quiet(self):
        for line in self.lines(play := self.play("alone_quiet")):
            self.assertEqual(play.ledgers(), [])
            self.assertEqual(os.listdir(f"/proc/{play.pid}/task"), [str(line["thread"])])
            shown = dump(self.tools, play.pid)
            self.assertEqual((shown.status, shown.complaint), (0, ""))
            self.assertIn("has no ledger yet", shown.text)

    def test_alone_mutex(self):
        def look(facts, line):
            thread = line["thread"]
            wait = self.assert_waits(facts, thread, "mutex", line["lock"], held_by=[thread])
            self.assert_holds(facts, thread, hold(line["lock"]))
            places = (facts.threads[thread]["holds"][0]["site"], wait["site"])
            for place, where in zip(places, line["lines"]):
                self.assert_place(facts, place, where, "alone_mutex", "alone.cc")

        self.stuck("alone_mutex", look)

    def test_alone_upgrade(self):
        def look(facts, line):
            thread = line["thread"]
            self.assert_waits(facts, thread, "write", line["lock"], held_by=[thread])
            self.assert_holds(facts, thread, hold(line["lock"], "rwlock", "shared"))

        self.stuck("alone_upgrade", look)

    def test_alone_condition(self):
        def look(facts, line):
            thread = line["thread"]
            self.assert_waits(facts, thread, "condition", line["condition"], mutex=line["lock"])
            self.assert_holds(facts, thread, hold(line["lock"], phase="given_back"))

        self.stuck("alone_condition", look)

    def check_between_processes(self, name, kind):
        """A wait for a lock that another process holds."""
        play = self.play(name)
        line = self.first_line(play)

        def look():
            shown = dump(self.tools, line["pid"])
            self.assertNotIn("nothing is stuck", shown.text)
            facts = self.facts(play, line["pid"])
            self.assert_waits(facts, line["thread"], kind, line["lock"], held_by=[])

        self.eventually(look)
        rest, status = play.end()
        self.assertEqual((rest, status), ([], 0), play.complaints())

    def test_alone_shared_mutex(self):
        self.check_between_processes("alone_shared_mutex", "mutex")

    def test_alone_shared_writer(self):
        self.check_between_processes("alone_shared_writer", "write")
