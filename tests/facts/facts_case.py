"""What all tests of facts have in common: playing a situation, and saying what must be recorded."""

import os
import re
import time
import unittest

from stage import Facts, Play, Source, dump, end_by_signal

# What may be told late, or not at all, of the order of locks: another subject.
OF_ORDERS = ("orders_too_deep", "order_sights_postponed")
OUR_THREADS = ["impasse", "impasse/names"]
TEXT_SHOWS_HOLDS = 64
COMMON_PATIENCE = 5


def hold(lock, kind="mutex", mode="exclusive", *, phase="held", levels=1, tried=False, timed=False):
    """A hold as it must be recorded, all but its place and its age."""
    return {
        "lock": lock,
        "kind": kind,
        "mode": mode,
        "phase": phase,
        "levels": levels,
        "tried": tried,
        "timed": timed,
    }


def essence(recorded):
    return {key: recorded[key] for key in hold("")}


class FactsCase(unittest.TestCase):
    tools = None
    maxDiff = None

    def play(self, name, **how):
        play = Play(self.tools, name, **how)
        self.addCleanup(play.discard)
        return play

    def first_line(self, play):
        line = play.line()
        self.assertIsNotNone(line, f"{play.name} ended at once: {play.complaints()}")
        if "not_possible" in line:
            self.skipTest(line["not_possible"])
        return line

    def next_line(self, play):
        line = play.next()
        self.assertIsNotNone(line, f"{play.name} ended too soon: {play.complaints()}")
        if "not_possible" in line:
            self.skipTest(line["not_possible"])
        return line

    def lines(self, play):
        """All lines of a situation, which must then end well."""
        yield self.first_line(play)
        while (line := play.next()) is not None:
            yield line
        self.assert_ends_well(play)

    def assert_ends_well(self, play):
        rest, status = play.end()
        self.assertEqual(status, 0, f"{play.name} {end_by_signal(status)}: {play.complaints()}")
        self.assertEqual(play.complaints(), "", "nothing may be said on standard error")
        self.assertEqual(play.ledgers(), [], "the ledger must go with its process")
        return rest

    # ---- looking

    def seconds_of(self, play):
        """No age of a fact may be above."""
        return time.monotonic() - play.started

    def eventually(self, look, seconds=COMMON_PATIENCE):
        """Looks again until nothing is wrong: for what takes a turn of the watchdog's clock."""
        end = time.monotonic() + seconds
        while True:
            try:
                return look()
            except AssertionError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.02)

    def facts(self, play, pid=None, *, dropped=(), unlisted=0, ghosts=()):
        """The facts of a process now, after a look at what must be so in every situation."""
        pid = pid or play.pid
        # A thread that was joined may be with the kernel for a moment still.
        return self.eventually(lambda: self._sound_facts(pid, dropped, unlisted, ghosts))

    def _sound_facts(self, pid, dropped, unlisted, ghosts):
        facts = Facts(self.tools, pid)
        process = facts["process"]
        self.assertEqual(facts["schema"], "impasse-facts/1")
        self.assertEqual(
            (process["pid"], process["alive"], process["origin"]), (pid, True, "live")
        )
        self.assertEqual(process["program"], os.path.basename(self.tools.driver)[:63])

        strangers = facts["unlisted_threads"]
        ours = sorted(one["name"] for one in strangers if one["name"] in OUR_THREADS)
        self.assertEqual(ours, OUR_THREADS, strangers)
        self.assertEqual(len(strangers), len(ours) + unlisted, strangers)
        listed = set(facts.threads) | {one["tid"] for one in strangers}
        alive = {int(tid) for tid in os.listdir(f"/proc/{pid}/task")}
        self.assertEqual(listed - set(ghosts), alive)
        for thread in facts["threads"]:
            gone = thread["tid"] in ghosts
            self.assertEqual(thread["gone"], gone, thread)
            self.assertFalse(thread["changing"], thread)
            self.assertEqual(thread["holds_unread"], 0)

        allowed = {*dropped, *OF_ORDERS}
        wrong = {name: n for name, n in facts["dropped"].items() if n and name not in allowed}
        self.assertEqual(wrong, {})
        self.assert_text_agrees(facts)
        return facts

    def dump_of(self, play):
        """What the command says about a process that need not have a ledger to be seen."""

        # Impasse's own thread, by which such a process is known, comes a moment later than the
        # program's first.
        def look():
            shown = dump(self.tools, play.pid)
            self.assertNotIn("has no ledger yet", shown.text)
            return shown

        return self.eventually(look)

    # ---- saying

    def assert_holds(self, facts, tid, *expected, ordered=True):
        self.assertIn(tid, facts.threads)
        recorded = [essence(one) for one in facts.threads[tid]["holds"]]
        expected = list(expected)
        if not ordered:
            recorded.sort(key=lambda one: one["lock"])
            expected.sort(key=lambda one: one["lock"])
        self.assertEqual(recorded, expected)

    def assert_waits(self, facts, tid, kind, target, *, held_by=None, timed=False, interrupted=0, mutex=None):
        self.assertIn(tid, facts.threads)
        wait = facts.threads[tid]["wait"]
        self.assertIsNotNone(wait, f"thread {tid} waits for nothing: {facts.threads[tid]}")
        self.assertEqual((wait["kind"], wait["object"]), (kind, target))
        self.assertEqual(wait["timed"], timed)
        self.assertEqual(wait["interrupted_waits"], interrupted)
        self.assertEqual(wait.get("mutex"), mutex)
        if held_by is None:
            self.assertNotIn("held_by", wait)
        else:
            self.assertEqual(sorted(wait["held_by"]), sorted(held_by))
        return wait

    def assert_no_wait(self, facts, *tids):
        for tid in tids:
            self.assertIn(tid, facts.threads)
            self.assertIsNone(facts.threads[tid]["wait"], f"thread {tid}")

    def assert_idle(self, facts, *tids):
        """Neither holds nor waits."""
        for tid in tids:
            self.assert_holds(facts, tid)
        self.assert_no_wait(facts, *tids)

    def assert_departed(self, facts, *expected, reason="thread_ended"):
        """Each expected: (tid, name, hold)."""
        recorded = [
            (one["tid"], one["name"], one["reason"], essence(one)) for one in facts["departed_holds"]
        ]
        wanted = [(tid, name, reason, one) for tid, name, one in expected]
        by_lock = lambda one: (one[3]["lock"], one[0])
        self.assertEqual(sorted(recorded, key=by_lock), sorted(wanted, key=by_lock))

    def assert_place(self, facts, place, line, function, file=None):
        """The place is the very call in that line of the driver."""
        self.assertEqual(place.get("module"), os.path.realpath(self.tools.driver), place)
        base = [m["base"] for m in facts["modules"] if m["path"] == place["module"]]
        self.assertEqual(
            int(place["address"], 16) - int(place["offset"], 16), int(base[0], 16), place
        )
        found_function, found_file, found_line = Source(self.tools).place(int(place["offset"], 16))
        self.assertEqual(found_line, line, f"in {found_function} of {found_file}")
        self.assertIn(function, found_function)
        if file:
            self.assertEqual(found_file, file)

    def assert_in_driver(self, place):
        self.assertEqual(place.get("module"), os.path.realpath(self.tools.driver), place)

    # ---- the same as text

    def assert_text_agrees(self, facts):
        blocks = {}
        for block in re.split(r"\n\n", facts.text):
            if heading := re.match(r"thread (\d+)(?: \"(.*)\")? \[(.*)\]:\n", block + "\n"):
                blocks[int(heading[1])] = (heading[3], block)
        self.assertEqual(set(blocks), set(facts.threads), facts.text)
        for tid, thread in facts.threads.items():
            self._text_of_thread_agrees(thread, *blocks[tid])
        for gone in facts["departed_holds"]:
            name = f' "{gone["name"]}"' if gone["name"] else ""
            self.assertRegex(
                facts.text,
                rf"\n  {gone['kind']} {gone['lock']} {gone['mode']}, taken at .*: "
                rf"thread {gone['tid']}{name} ",
            )
        if not any(facts["dropped"].values()):
            self.assertIn("\nnothing dropped\n", facts.text)

    def _text_of_thread_agrees(self, thread, state, block):
        wait = thread["wait"]
        if wait:
            self.assertTrue(state.startswith("waiting " + wait_phrase(wait)), f"{wait}\n{block}")
            for holder in wait.get("held_by", [])[:8]:
                who = "this same thread" if holder == thread["tid"] else f"thread {holder}"
                self.assertIn(f"\n  held by {who}", block)
        else:
            self.assertFalse(state.startswith("waiting"), block)
        held = [one for one in thread["holds"] if one["phase"] != "acquiring"]
        for one in held[:TEXT_SHOWS_HOLDS]:
            verb = "gave back" if one["phase"] == "given_back" else "holds"
            levels = rf" \({one['levels']} levels\)" if one["levels"] > 1 else ""
            self.assertRegex(
                block, rf"\n  {verb} {one['kind']} {one['lock']} {one['mode']}\b.*taken at .*\S{levels}(\n|$)"
            )
        if len(held) > TEXT_SHOWS_HOLDS:
            self.assertIn(f"\n  … {len(held) - TEXT_SHOWS_HOLDS} more", block)
        elif not held:
            self.assertNotRegex(block, r"\n  (holds \w+ 0x|gave back)")


def wait_phrase(wait):
    return {
        "mutex": f"for mutex {wait['object']}",
        "read": f"to read rwlock {wait['object']}",
        "write": f"to write rwlock {wait['object']}",
        "spin": f"for spinlock {wait['object']}",
        "condition": f"on condition {wait['object']}",
        "join": f"for thread {wait.get('thread')}",
        "semaphore": f"for semaphore {wait['object']}",
        "barrier": f"at barrier {wait['object']}",
        "once": f"for the initializer of once {wait['object']}",
    }[wait["kind"]]
