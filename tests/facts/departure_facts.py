"""Locks whose holder has ended."""

from facts_case import FactsCase, essence, hold


class DepartureFacts(FactsCase):
    def test_departed_holding(self):
        play = self.play("departed_holding")
        line = self.first_line(play)
        departed = (line["departed"], line["name"], hold(line["lock"]))
        facts = self.facts(play)
        self.assert_departed(facts, departed)
        self.assertNotIn(line["departed"], facts.threads)
        place = facts["departed_holds"][0]["site"]
        self.assert_place(facts, place, line["line"], "departed_holding", "departures.cc")

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_departed(facts, departed)
        self.assert_waits(facts, line["waiter"], "mutex", line["lock"], held_by=[])
        self.assertIn(f'held by thread {line["departed"]} "departed", which is gone', facts.text)

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_departed(facts)
        self.assert_holds(facts, line["waiter"], hold(line["lock"]))
        self.assert_ends_well(play)

    def test_departed_with_many(self):
        for line in self.lines(play := self.play("departed_with_many")):
            facts = self.facts(play)
            lost = [hold(line["lock"], "rwlock", "shared"), *map(hold, line["mutexes"])]
            who = (line["departed"], line["name"])
            # The levels of a recursive mutex are not kept.
            self.assert_departed(facts, *((*who, one) for one in lost))

    def test_departed_with_70(self):
        for line in self.lines(play := self.play("departed_with_70")):
            facts = self.facts(play, dropped=("departures_dropped",))
            kept = facts["departed_holds"]
            self.assertLessEqual({one["lock"] for one in kept}, set(line["mutexes"]))
            self.assertGreaterEqual(len(kept), 32)
            # What is not kept is counted.
            dropped = facts["dropped"]["departures_dropped"]
            self.assertEqual(len(kept) + dropped, len(line["mutexes"]))

    def test_departed_robust(self):
        for line in self.lines(play := self.play("departed_robust")):
            facts = self.facts(play)
            if "heir" in line:
                self.assert_departed(facts)
                self.assertEqual(facts.holders(line["lock"]), [line["heir"]])
            else:
                self.assert_departed(facts, (line["departed"], line["name"], hold(line["lock"])))

    def check_forgotten(self, name, of_kind):
        for line in self.lines(play := self.play(name)):
            facts = self.facts(play)
            if "departed" in line:
                kind = of_kind.pop(0)
                lost = hold(line["lock"], kind)
                self.assert_departed(facts, (line["departed"], line["name"], lost))
            else:
                self.assert_departed(facts)

    def test_departed_destroyed(self):
        self.check_forgotten("departed_destroyed", ["rwlock", "mutex"])

    def test_departed_readers(self):
        for line in self.lines(play := self.play("departed_readers")):
            recorded = [essence(one) for one in self.facts(play)["departed_holds"]]
            self.assertEqual(recorded, [hold(line["lock"], "rwlock", "shared")] * line["left"])

    def test_departed_freed(self):
        self.check_forgotten("departed_freed", ["mutex"])

    def test_departed_raw(self):
        play = self.play("departed_raw")
        line = self.first_line(play)

        def look():
            facts = self.facts(play)
            self.assert_departed(facts, (line["departed"], line["name"], hold(line["lock"])))

        # Ends that nobody saw are looked for every five seconds.
        self.eventually(look, seconds=12)
        self.assert_ends_well(play)
