"""Mutexes, read-write locks, spinlocks: who holds, who waits, in which mode, taken where."""

from facts_case import FactsCase, hold

WAIT_NS = 300_000_000
STEP_NS = 200_000_000


class MutexFacts(FactsCase):
    def test_mutex_held(self):
        play = self.play("mutex_held")
        line = self.first_line(play)
        self.eventually(lambda: self.assertGreater(self.facts(play)["clock"]["tick"], 1))
        self.assert_idle(self.facts(play), line["holder"], play.pid)

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_holds(facts, line["holder"], hold(line["lock"]))
        self.assert_no_wait(facts, line["holder"], play.pid)
        self.assert_holds(facts, play.pid)
        taken = facts.threads[line["holder"]]["holds"][0]
        self.assert_place(facts, taken["site"], line["line"], "mutex_held", "mutexes.cc")

        def held_for_a_while():
            age = self.facts(play).threads[line["holder"]]["holds"][0]["age_ns"]
            self.assertGreaterEqual(age, WAIT_NS)
            return age

        age = self.eventually(held_for_a_while)
        self.assertLess(age / 1e9, self.seconds_of(play))

        line = self.next_line(play)
        self.assert_idle(self.facts(play), line["holder"], play.pid)
        self.assert_ends_well(play)

    def test_mutex_waited(self):
        play = self.play("mutex_waited")
        line = self.first_line(play)
        facts = self.facts(play)
        self.assert_holds(facts, line["holder"], hold(line["lock"]))
        self.assertEqual(facts.threads[line["holder"]]["name"], "holder")
        for waiter in line["waiters"]:
            wait = self.assert_waits(facts, waiter, "mutex", line["lock"], held_by=[line["holder"]])
            self.assert_holds(facts, waiter)
            self.assert_place(facts, wait["site"], line["line"], "mutex_waited", "mutexes.cc")
            self.assertTrue(wait["age_exact"])
            system = facts.threads[waiter]["system"]
            self.assertEqual((system["state"], system["system_call"]), ("S", "futex"))
            self.assertLess(wait["age_ns"] / 1e9, self.seconds_of(play))
        ages = [facts.threads[waiter]["wait"]["age_ns"] for waiter in line["waiters"]]
        self.assertEqual(ages, sorted(ages, reverse=True), "the first waits longest")
        older = self.facts(play).threads[line["waiters"][0]]["wait"]["age_ns"]
        self.assertGreater(older, ages[0])

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_idle(facts, line["holder"], *line["waiters"])
        self.assertEqual(facts.lock(line["lock"])["contended"], 3)
        self.assert_ends_well(play)

    def test_mutex_nested(self):
        for line in self.lines(play := self.play("mutex_nested")):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], *map(hold, line["held"]))

    def test_mutexes_200(self):
        for line in self.lines(play := self.play("mutexes_200")):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], *map(hold, line["held"]), ordered=False)
            if len(line["held"]) == 200:
                # Oldest first, as far as they lie in the slot itself.
                recorded = facts.threads[line["holder"]]["holds"]
                self.assertEqual([one["lock"] for one in recorded[:64]], line["held"][:64])
            # Each was taken while others were held, or others while it was; beyond 160 nobody asks.
            self.assertEqual(facts["locks_known"], 161)
            known = filter(None, map(facts.lock, line["held"]))
            self.assertLessEqual({one["record_life"] for one in known}, {1})

    def test_mutex_recursive(self):
        for line in self.lines(play := self.play("mutex_recursive")):
            facts = self.facts(play)
            of_it = [one for one in facts.threads[line["holder"]]["holds"] if one["lock"] == line["lock"]]
            self.assertEqual(
                [one["levels"] for one in of_it], [line["levels"]] if line["levels"] else []
            )

    def test_mutex_tried(self):
        play = self.play("mutex_tried")
        line = self.first_line(play)
        tried, timed, clocked = line["held"]
        holds = [hold(tried, tried=True), hold(timed, timed=True), hold(clocked, timed=True)]
        facts = self.facts(play)
        self.assert_holds(facts, line["holder"], *holds)
        self.assert_no_wait(facts, line["holder"])
        self.assert_holds(facts, line["other"], hold(line["busy"]))
        for one, where in zip(facts.threads[line["holder"]]["holds"], line["lines"]):
            self.assert_place(facts, one["site"], where, "mutex_tried", "mutexes.cc")

        line = self.next_line(play)
        facts = self.facts(play)
        self.assert_waits(
            facts, line["holder"], "mutex", line["busy"], held_by=[line["other"]], timed=True
        )
        self.assert_holds(facts, line["holder"], *holds)
        self.assert_ends_well(play)


class MutexTypeFacts(FactsCase):
    def check_holder_and_waiter(self, play, line):
        facts = self.facts(play)
        if line["held"]:
            self.assert_holds(facts, line["holder"], hold(line["lock"]))
            self.assert_waits(facts, line["waiter"], "mutex", line["lock"], held_by=[line["holder"]])
            self.assert_holds(facts, line["waiter"])
        else:
            self.assert_idle(facts, line["holder"], line["waiter"])

    def test_mutex_types(self):
        seen = 0
        for line in self.lines(play := self.play("mutex_types")):
            with self.subTest(line["what"], held=line["held"]):
                self.check_holder_and_waiter(play, line)
            seen += 1
        self.assertEqual(seen, 2 * 32)

    def test_mutex_protected(self):
        for line in self.lines(play := self.play("mutex_protected")):
            self.check_holder_and_waiter(play, line)

    def test_mutex_protected_free(self):
        for line in self.lines(play := self.play("mutex_protected_free")):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], hold(line["lock"]))
            self.assertEqual(facts.threads[line["holder"]]["lock_waits"], 0)
            self.assertIsNone(facts.lock(line["lock"]))

    def test_mutex_refused(self):
        for line in self.lines(play := self.play("mutex_refused")):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], *[hold(line["lock"])] * line["levels"])

    def test_spin_waited(self):
        play = self.play("spin_waited")
        line = self.first_line(play)

        def spun_for():
            facts = self.facts(play)
            self.assert_waits(facts, line["waiter"], "spin", line["lock"], held_by=[line["holder"]])
            return facts

        facts = self.eventually(spun_for)
        self.assert_holds(
            facts,
            line["holder"],
            hold(line["lock"], "spinlock"),
            hold(line["tried"], "spinlock", tried=True),
        )
        for tid, facts_of, where in (
            (line["holder"], lambda thread: thread["holds"][0], line["lines"][0]),
            (line["waiter"], lambda thread: thread["wait"], line["lines"][1]),
        ):
            place = facts_of(facts.threads[tid])["site"]
            self.assert_place(facts, place, where, "spin_waited", "mutex_types.cc")
        self.next_line(play)
        self.assert_idle(self.facts(play), line["holder"], line["waiter"])
        self.assert_ends_well(play)


class MutexLifeFacts(FactsCase):
    """The records of locks that matter."""

    def check_lives(self, name):
        for line in self.lines(play := self.play(name)):
            facts = self.facts(play)
            self.assert_holds(facts, line["holder"], *map(hold, line["held"]))
            record = facts.lock(line["lock"])
            self.assertIsNotNone(record, "a nested lock matters")
            self.assertEqual((record["kind"], record["record_life"]), ("mutex", line["life"]))
            self.assert_in_driver(record["first_mattered"])

    def test_mutex_destroyed(self):
        self.check_lives("mutex_destroyed")

    def test_mutex_freed(self):
        self.check_lives("mutex_freed")

    def test_mutex_contended(self):
        play = self.play("mutex_contended")
        line = self.first_line(play)

        def waits_for_a_while():
            facts = self.facts(play)
            self.assertGreaterEqual(facts.threads[line["waiter"]]["wait"]["age_ns"], WAIT_NS)
            return facts

        record = self.eventually(waits_for_a_while).lock(line["lock"])
        self.assertEqual(record["contended"], line["contended"])
        line = self.next_line(play)
        facts = self.facts(play)
        record = facts.lock(line["lock"])
        self.assertEqual(record["contended"], line["contended"])
        self.assertEqual(record["last_contended_holder"], line["waiter"])
        self.assertGreaterEqual(record["waited_ns"], WAIT_NS - STEP_NS)
        self.assertLess(record["waited_ns"] / 1e9, self.seconds_of(play))
        self.assert_in_driver(record["first_mattered"])
        self.assertEqual(facts.threads[line["waiter"]]["lock_waits"], line["contended"])
        self.assertEqual(facts.threads[line["holder"]]["lock_waits"], 0)
        self.assertIn(f"mutex {line['lock']}: {line['contended']} waits, ", facts.text)
        self.assert_ends_well(play)


class RwlockFacts(FactsCase):
    def test_readers_and_writer(self):
        play = self.play("readers_and_writer")
        line = self.first_line(play)
        facts = self.facts(play)
        for reader in line["readers"]:
            self.assert_holds(facts, reader, hold(line["lock"], "rwlock", "shared"))
            place = facts.threads[reader]["holds"][0]["site"]
            self.assert_place(facts, place, line["lines"][0], "readers_and_writer", "rwlocks.cc")
        wait = self.assert_waits(facts, line["writer"], "write", line["lock"], held_by=line["readers"])
        self.assert_place(facts, wait["site"], line["lines"][1], "readers_and_writer", "rwlocks.cc")
        self.assert_holds(facts, line["writer"])
        self.next_line(play)
        self.assert_idle(self.facts(play), line["writer"], *line["readers"])
        self.assert_ends_well(play)

    def reader_waits(self, play, reader, lock, holders):
        """A reader leaves its intent; it counts as a wait when it has stood for a moment."""

        def look():
            facts = self.facts(play)
            self.assert_waits(facts, reader, "read", lock, held_by=holders)
            self.assert_holds(facts, reader, hold(lock, "rwlock", "shared", phase="acquiring"))
            return facts

        return self.eventually(look)

    def test_writer_and_reader(self):
        play = self.play("writer_and_reader")
        line = self.first_line(play)
        facts = self.reader_waits(play, line["reader"], line["lock"], [line["writer"]])
        self.assert_holds(facts, line["writer"], hold(line["lock"], "rwlock"))
        places = (
            facts.threads[line["writer"]]["holds"][0]["site"],
            facts.threads[line["reader"]]["wait"]["site"],
        )
        for place, where in zip(places, line["lines"]):
            self.assert_place(facts, place, where, "writer_and_reader", "rwlocks.cc")
        self.next_line(play)
        facts = self.facts(play)
        self.assert_idle(facts, line["writer"])
        self.assert_holds(facts, line["reader"], hold(line["lock"], "rwlock", "shared"))
        self.assert_ends_well(play)

    def test_reader_behind_writer(self):
        play = self.play("reader_behind_writer")
        line = self.first_line(play)
        facts = self.reader_waits(play, line["second"], line["lock"], [line["first"]])
        self.assert_waits(facts, line["writer"], "write", line["lock"], held_by=[line["first"]])
        self.assert_holds(facts, line["first"], hold(line["lock"], "rwlock", "shared"))
        self.assert_ends_well(play)

    def test_rwlock_tried(self):
        for line in self.lines(play := self.play("rwlock_tried")):
            facts = self.facts(play)
            tried_read, tried_write, *timed = line["held"]
            self.assert_holds(
                facts,
                line["holder"],
                hold(tried_read, "rwlock", "shared", tried=True),
                hold(tried_write, "rwlock", tried=True),
                *(
                    hold(lock, "rwlock", mode, timed=True)
                    for lock, mode in zip(timed, ("shared", "exclusive") * 2)
                ),
            )
            self.assert_no_wait(facts, line["holder"])
            self.assert_holds(facts, line["other"], hold(line["busy"], "rwlock"))

    def test_reader_twice(self):
        for line in self.lines(play := self.play("reader_twice")):
            facts = self.facts(play)
            one = hold(line["lock"], "rwlock", "shared")
            self.assert_holds(facts, line["reader"], *[one] * line["holds"])


class StrangerFacts(FactsCase):
    """Released by another thread than the holder."""

    def test_released_by_another(self):
        kinds = {
            "mutex": {},
            "write": {"kind": "rwlock"},
            "read": {"kind": "rwlock", "mode": "shared"},
            "spin": {"kind": "spinlock"},
        }
        for line in self.lines(play := self.play("released_by_another")):
            with self.subTest(line["kind"]):
                facts = self.facts(play)
                passed_on = [hold(line["lock"], **kinds[line["kind"]])] if line["held"] else []
                self.assert_holds(facts, line["taker"], *passed_on, hold(line["kept"]))
                self.assert_idle(facts, line["releaser"])
                self.assert_departed(facts)

    def test_released_by_another_deep(self):
        for line in self.lines(play := self.play("released_by_another_deep")):
            facts = self.facts(play)
            self.assert_holds(facts, line["taker"], *map(hold, line["held"]), ordered=False)

    def test_released_by_another_often(self):
        for line in self.lines(play := self.play("released_by_another_often")):
            facts = self.facts(play)
            self.assert_holds(facts, line["taker"], *map(hold, line["held"]))

    def test_fibre_carried(self):
        for line in self.lines(play := self.play("fibre_carried")):
            facts = self.facts(play)
            first, second = hold(line["first"]), hold(line["second"])
            of_one, of_two = {1: ([first], []), 2: ([first], [second]), 3: ([], [])}[line["step"]]
            self.assert_holds(facts, line["one"], *of_one)
            self.assert_holds(facts, line["two"], *of_two)
