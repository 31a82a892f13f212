"""Several processes, forks, and the ends of processes."""

import os

from facts_case import FactsCase, essence, hold
from stage import Facts, dump

HELD_NS = 600_000_000
STEP_NS = 200_000_000


class SharedFacts(FactsCase):
    def test_process_shared(self):
        play = self.play("process_shared")
        child = self.first_line(play)
        facts = self.facts(play, child["pid"])
        reading = hold(child["rwlock"], "rwlock", "shared")
        # The holder is in the other process, and so not known in this one.
        self.assert_waits(facts, child["waiter"], "mutex", child["mutex"], held_by=[])
        self.assert_holds(facts, child["waiter"])
        self.assert_holds(facts, child["reader"], reading)
        self.assert_departed(facts)

        parent = self.next_line(play)
        self.assertEqual((parent["mutex"], parent["rwlock"]), (child["mutex"], child["rwlock"]))
        facts = self.facts(play, parent["pid"])
        self.assert_holds(facts, parent["holder"], hold(parent["mutex"]), reading)
        self.assertEqual(set(facts.threads), {parent["pid"], parent["holder"]})
        self.assert_idle(facts, parent["pid"])
        self.assert_ends_well(play)


    def test_process_forked(self):
        play = self.play("process_forked")
        child = self.first_line(play)
        facts = self.facts(play, child["pid"])
        self.assert_waits(facts, child["waiter"], "mutex", child["mutex"], held_by=[])
        self.assert_idle(facts, child["pid"])
        self.assert_departed(facts)

        parent = self.next_line(play)
        facts = self.facts(play, parent["pid"])
        self.assert_holds(facts, parent["holder"], hold(parent["mutex"]))
        self.assert_holds(facts, parent["reader"], hold(parent["rwlock"], "rwlock", "shared"))
        self.assert_ends_well(play)


class ForkFacts(FactsCase):
    def mine(self, line):
        return hold(line["mine"]), hold(line["mine_read"], "rwlock", "shared")

    def theirs(self, line):
        return hold(line["theirs"]), hold(line["theirs_read"], "rwlock", "shared")

    def check_child(self, play, line):
        facts = self.facts(play, line["pid"])
        self.assertEqual(set(facts.threads), {line["thread"], line["fresh"]})
        self.assert_idle(facts, line["fresh"])
        self.assert_no_wait(facts, line["thread"])
        self.assert_holds(facts, line["thread"], *(self.mine(line) if line["mine_held"] else ()))
        lost = self.theirs(line) if line["theirs_lost"] else ()
        self.assert_departed(
            facts, *((line["other"], "stays-behind", one) for one in lost), reason="forked"
        )
        return facts

    def check_parent(self, play, line):
        facts = self.facts(play, line["pid"])
        self.assert_holds(facts, line["thread"], *self.mine(line))
        self.assert_holds(facts, line["other"], *self.theirs(line))
        self.assert_waits(
            facts, line["waiter"], "condition", line["condition"], mutex=line["given_back"]
        )
        self.assert_departed(facts)
        return facts

    def check_family(self, name):
        steps = 0
        for line in self.lines(play := self.play(name)):
            steps += 1
            check = self.check_child if line["who"] == "child" else self.check_parent
            facts = check(play, line)
            if steps == 1:
                for one in facts.threads[line["thread"]]["holds"]:
                    self.assert_in_driver(one["site"])
                for one in facts["departed_holds"]:
                    self.assert_in_driver(one["site"])
                    self.assertIn("of the parent held it when this process was forked", facts.text)
        return steps

    def test_fork_of_threads(self):
        self.assertEqual(self.check_family("fork_of_threads"), 4)

    def test_fork_by_thread(self):
        self.assertEqual(self.check_family("fork_by_thread"), 4)

    def test_fork_twice(self):
        self.assertEqual(self.check_family("fork_twice"), 1)

    def test_fork_after_departure(self):
        for line in self.lines(play := self.play("fork_after_departure")):
            facts = self.facts(play, line["pid"])
            self.assert_departed(facts, (line["departed"], line["name"], hold(line["lock"])))

    def test_fork_and_repair(self):
        self.assertEqual(self.check_family("fork_and_repair"), 1)

    def test_fork_later(self):
        # What was held for a while before the fork is not held since just now after it.
        play = self.play("fork_later")
        self.first_line(play)
        self.eventually(lambda: self.assertGreater(self.facts(play)["clock"]["tick"], 1))
        line = self.next_line(play)

        def ages_in_parent():
            facts = self.check_parent(play, line)
            ages = [
                one["age_ns"] for tid in ("thread", "other") for one in facts.threads[line[tid]]["holds"]
            ]
            self.assertGreaterEqual(min(ages), HELD_NS)
            return min(ages)

        before = self.eventually(ages_in_parent)
        line = self.next_line(play)

        def check_ages_in_child():
            facts = self.facts(play, line["pid"])
            for one in [*facts.threads[line["thread"]]["holds"], *facts["departed_holds"]]:
                # Not known before the child's watchdog has set its clock.
                self.assertIsNotNone(one["age_ns"], one)
                self.assertGreaterEqual(one["age_ns"], before - STEP_NS, one)

        self.eventually(check_ages_in_child)
        self.assert_ends_well(play)

    def test_fork_with_many(self):
        for line in self.lines(play := self.play("fork_with_many")):
            facts = self.facts(play, line["pid"])
            self.assert_holds(facts, line["thread"], *map(hold, line["mine"]), ordered=False)
            lost = ((line["other"], "stays-behind", hold(lock)) for lock in line["theirs"])
            self.assert_departed(facts, *lost, reason="forked")

    def test_fork_of_one(self):
        for line in self.lines(play := self.play("fork_of_one")):
            facts = self.facts(play, line["pid"])
            self.assert_holds(facts, line["thread"], hold(line["lock"]))
            self.assert_departed(facts)

    def test_fork_in_same_memory(self):
        for line in self.lines(play := self.play("fork_in_same_memory")):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], hold(line["lock"]))
            self.assertEqual(set(facts.threads), {play.pid, line["holder"]})


def lasting(facts):
    """What a dump says of a process, without what depends on the process being there."""
    threads = {}
    for tid, thread in facts.threads.items():
        wait = thread["wait"] and {
            **{key: thread["wait"].get(key) for key in ("kind", "object", "mutex", "held_by", "timed")},
            "site": thread["wait"]["site"]["address"],
        }
        holds = [(essence(one), one["site"]["address"]) for one in thread["holds"]]
        threads[tid] = (thread["life"], wait, holds)
    departed = [(one["tid"], essence(one)) for one in facts["departed_holds"]]
    return {"pid": facts["process"]["pid"], "threads": threads, "departed": departed}


class EndFacts(FactsCase):
    def check_left_behind(self, name):
        play = self.play(name)
        self.first_line(play)
        before = self.eventually(lambda: self.facts(play))
        self.assertEqual(len(play.ledgers()), 1, "a process has one ledger")
        [ledger] = play.ledgers()
        self.assertEqual(before["process"]["ledger"], ledger)
        play.kill()
        for what in (ledger, play.pid):
            after = Facts(self.tools, what)
            self.assertEqual(lasting(after), lasting(before))
            self.assertFalse(after["process"]["alive"])
            self.assertEqual(after["process"]["origin"], "left_behind")
            self.assertEqual(after["process"]["ledger"], ledger)
            self.assertEqual(after["unlisted_threads"], [])
        os.unlink(ledger)
        self.assertEqual(dump(self.tools, play.pid).status, 2)

    def test_killed(self):
        for name in (
            "mutex_waited",
            "mutex_nested",
            "mutexes_200",
            "readers_and_writer",
            "condition_waited",
            "departed_holding",
        ):
            with self.subTest(name):
                self.check_left_behind(name)

    def check_end(self, name, **how):
        """Ends with status 0, and takes the ledger along (both is looked at by the last call)."""
        play = self.play(name, **how)
        self.first_line(play)
        self.facts(play)
        self.assertEqual(len(play.ledgers()), 1)
        self.assert_ends_well(play)

    def test_end_return(self):
        self.check_end("end_return")

    def test_end_elsewhere(self):
        self.check_end("end_elsewhere")

    def test_end_underscore_exit(self):
        self.check_end("end_underscore_exit")

    def test_end_exit_of_c99(self):
        self.check_end("end_exit_of_c99")

    def test_end_quick_exit(self):
        self.check_end("end_quick_exit")

    def test_end_exit_in_thread(self):
        self.check_end("end_exit_in_thread")

    def test_end_last_thread(self):
        self.check_end("end_last_thread")

    def test_end_by_exec(self):
        self.check_end("end_by_exec")
