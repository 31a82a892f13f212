"""Conditions, and what C11 has of threads, mutexes and conditions."""

from facts_case import FactsCase, hold


class ConditionFacts(FactsCase):
    def assert_meets(self, facts, line, *, timed=False):
        """It waits, has given its mutex back, and kept the other one."""
        wait = self.assert_waits(
            facts, line["waiter"], "condition", line["condition"], mutex=line["mutex"], timed=timed
        )
        self.assert_holds(
            facts, line["waiter"], hold(line["kept"]), hold(line["mutex"], phase="given_back")
        )
        return wait

    def assert_has_both(self, facts, line):
        self.assert_holds(facts, line["waiter"], hold(line["kept"]), hold(line["mutex"]))
        self.assert_no_wait(facts, line["waiter"])

    def test_condition_waited(self):
        play = self.play("condition_waited")
        line = self.first_line(play)
        facts = self.facts(play)
        wait = self.assert_meets(facts, line)
        self.assert_place(facts, wait["site"], line["wait_line"], "condition_waited", "conditions.cc")
        self.assertEqual(facts.holders(line["mutex"]), [])

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_meets(facts, line)
        self.assert_holds(facts, line["other"], hold(line["mutex"]))

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_has_both(facts, line)
        # It is where it was taken that counts, not where it was waited.
        taken = facts.threads[line["waiter"]]["holds"][1]["site"]
        self.assert_place(facts, taken, line["lock_line"], "lock", "conditions.cc")
        self.assert_ends_well(play)

    def test_condition_timed(self):
        seen = []
        for line in self.lines(play := self.play("condition_timed")):
            seen.append(line["state"])
            if line["state"] == "waits":
                self.assert_meets(self.facts(play), line, timed=True)
            else:
                self.assert_has_both(self.facts(play), line)
        self.assertEqual(seen, ["waits", "gave up"] * 2)

    def test_condition_recursive(self):
        play = self.play("condition_recursive")
        line = self.first_line(play)
        facts = self.facts(play)
        self.assert_waits(facts, line["waiter"], "condition", line["condition"], mutex=line["mutex"])
        # One level of two was given back: others cannot have it.
        self.assertEqual(facts.holders(line["mutex"]), [line["waiter"]])
        self.next_line(play)
        self.assert_has_both(self.facts(play), line)
        self.assert_ends_well(play)

    def test_condition_cancelled(self):
        for line in self.lines(play := self.play("condition_cancelled")):
            facts = self.facts(play)
            self.assertNotIn(line["waiter"], facts.threads)
            self.assert_departed(facts)
            self.assert_idle(facts, *facts.threads)

    def test_condition_cancelled_holding(self):
        for line in self.lines(play := self.play("condition_cancelled_holding")):
            facts = self.facts(play)
            self.assertNotIn(line["waiter"], facts.threads)
            # A name is learnt in a turn of the watchdog's clock.
            name = facts["departed_holds"][0]["name"] if facts["departed_holds"] else None
            self.assertIn(name, (None, "situations"))
            both = (line["kept"], line["mutex"])
            self.assert_departed(facts, *((line["waiter"], name, hold(one)) for one in both))

    def test_condition_robust(self):
        play = self.play("condition_robust")
        line = self.first_line(play)
        facts = self.facts(play)
        self.assert_meets(facts, line)
        self.assert_departed(facts, (line["departed"], "short-lived", hold(line["mutex"])))
        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_has_both(facts, line)
        self.assert_departed(facts)
        self.assert_ends_well(play)


class C11Facts(FactsCase):
    def test_c11_threads(self):
        play = self.play("c11_threads")
        line = self.first_line(play)
        holder, waiter, timed_waiter, meeting, joiner = line["threads"]
        facts = self.facts(play)
        self.assert_holds(
            facts,
            holder,
            hold(line["plain"]),
            hold(line["recursive"], levels=3),
            hold(line["timed"], timed=True),
            hold(line["tried"], tried=True),
        )
        wait = self.assert_waits(facts, waiter, "mutex", line["plain"], held_by=[holder])
        self.assert_waits(facts, timed_waiter, "mutex", line["timed"], held_by=[holder], timed=True)
        met = self.assert_waits(facts, meeting, "condition", line["condition"], mutex=line["met"])
        self.assert_holds(facts, meeting, hold(line["met"], phase="given_back"))
        self.assertEqual(facts.threads[joiner]["wait"]["kind"], "join")
        self.assertEqual(facts.threads[joiner]["wait"]["thread"], holder)
        places = (facts.threads[holder]["holds"][0]["site"], wait["site"], met["site"])
        for place, where in zip(places, line["lines"]):
            self.assert_place(facts, place, where, "c11_threads", "c11.cc")
        self.assertEqual(facts.threads[waiter]["creator"], play.pid)

        self.next_line(play)
        facts = self.facts(play)
        self.assertEqual(set(facts.threads), {play.pid})
        self.assert_idle(facts, play.pid)
        self.assert_departed(facts)
        self.assert_ends_well(play)

    def test_c11_departed(self):
        play = self.play("c11_departed")
        line = self.first_line(play)
        facts = self.facts(play)
        name = facts["departed_holds"][0]["name"] if facts["departed_holds"] else None
        self.assertIn(name, (None, "situations"))
        self.assert_departed(facts, (line["departed"], name, hold(line["lock"])))
        self.next_line(play)
        self.assert_departed(self.facts(play))
        self.assert_ends_well(play)
