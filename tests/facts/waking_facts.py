"""Waits for what others give: tokens, the others at a barrier, the end of an initializer."""

from facts_case import FactsCase, hold


class WakingFacts(FactsCase):
    def test_semaphore_waited(self):
        seen = []
        for line in self.lines(play := self.play("semaphore_waited")):
            seen.append(line["state"])
            facts = self.facts(play)
            if line["state"] == "gone on":
                self.assert_idle(facts, line["waiter"])
                continue
            timed = line["state"] == "waits for a time"
            wait = self.assert_waits(facts, line["waiter"], "semaphore", line["semaphore"], timed=timed)
            if not timed:
                self.assert_place(facts, wait["site"], line["line"], "semaphore_waited", "waking.cc")
        self.assertEqual(seen, ["waits", "gone on", "waits for a time"])

    def test_semaphore_cancelled(self):
        play = self.play("semaphore_cancelled")
        line = self.first_line(play)
        self.assertNotIn(line["waiter"], self.facts(play).threads)
        self.assert_ends_well(play)

    def test_barrier_waited(self):
        play = self.play("barrier_waited")
        line = self.first_line(play)
        facts = self.facts(play)
        wait = self.assert_waits(facts, line["waiter"], "barrier", line["barrier"])
        self.assert_place(facts, wait["site"], line["line"], "barrier_waited", "waking.cc")
        line = self.next_line(play)
        self.assert_idle(self.facts(play), line["waiter"])
        self.assert_ends_well(play)

    def test_once_waited(self):
        play = self.play("once_waited")
        line = self.first_line(play)
        facts = self.facts(play)
        wait = self.assert_waits(
            facts, line["second"], "once", line["once"], held_by=[line["first"]]
        )
        self.assert_place(facts, wait["site"], line["second_line"], "once_waited", "waking.cc")
        self.assert_holds(facts, line["first"], hold(line["once"], kind="once", tried=True))
        line = self.next_line(play)
        self.assert_idle(self.facts(play), line["first"], line["second"])
        self.assert_ends_well(play)
