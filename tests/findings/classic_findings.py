"""The textbooks' deadlocks, and what looks like one and is none."""

import re
import time

from findings_case import FindingsCase, Step
from sample_run import functions, is_function

# A busy machine may take longer than the 200 ms that an idle one needs; it may not take for ever.
TOLD_WITHIN_NS = 2_000_000_000
# A quiet machine of two processors does ten times as much; less tests too little.
STRESS_TAKEN_PER_SECOND = 17_000


class Circles(FindingsCase):
    def test_abba(self):
        self.assert_abba(self.only_report("abba", "deadlock"))

    def assert_abba(self, report):
        self.assert_circle(
            report,
            Step(
                "transfer",
                "auditor",
                lock="audit_mutex",
                asked_in="transfer_money",
                held_in="write_audit",
            ),
            Step(
                "auditor",
                "transfer",
                lock="accounts_mutex",
                asked_in="write_audit",
                held_in="transfer_money",
            ),
        )
        self.assert_crowd(report)
        self.assertTrue(report.finding["certain"])

    def test_abba_repaired(self):
        self.assert_silent("abba --repaired", wait="1s")

    def test_fingerprint(self):
        """The same from run to run, wherever memory and threads happen to be; another for another."""
        one, again, other = (
            self.only_report(command, "deadlock").finding["fingerprint"]
            for command in ("abba", "abba", "classics three_way")
        )
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)

    def test_three_way(self):
        report = self.only_report("classics three_way", "deadlock")
        within = {"asked_in": "cross", "held_in": "cross"}
        self.assert_circle(
            report,
            Step("from-north", "from-east", lock="east_mutex", **within),
            Step("from-east", "from-south", lock="south_mutex", **within),
            Step("from-south", "from-north", lock="north_mutex", **within),
        )

    def test_philosophers(self):
        report = self.only_report("classics philosophers", "deadlock")
        table = ["Platon", "Sokrates", "Kant", "Hegel", "Marx"]
        self.assert_circle(
            report,
            *(
                Step(one, neighbour, lock="forks", asked_in="dine", held_in="dine")
                for one, neighbour in zip(table, table[1:] + table[:1])
            ),
        )

    def test_rwlock_mix(self):
        report = self.only_report("classics rwlock_mix", "deadlock")
        self.assert_circle(
            report,
            Step(
                "reprice",
                "delist",
                lock="prices_lock",
                wants="write",
                asked_in="repriceFromCatalog",
                held_in="delistUnpriced",
                shared=True,
            ),
            Step(
                "delist",
                "reprice",
                lock="catalog_lock",
                wants="write",
                asked_in="delistUnpriced",
                held_in="repriceFromCatalog",
                shared=True,
            ),
        )

    def test_join_under_lock(self):
        report = self.only_report("classics join_under_lock", "deadlock")
        self.assert_circle(
            report,
            Step("collector", "worker", wants="join", asked_in="collectUnderLock", reason="join"),
            Step(
                "worker",
                "collector",
                lock="results_mutex",
                asked_in="addResult",
                held_in="collectUnderLock",
            ),
        )

    def test_signal_relock(self):
        report = self.only_report("classics signal_relock", "self_deadlock")
        self.assert_circle(
            report,
            Step(
                "worker", "worker", lock="table_mutex", asked_in="logEvent", held_in="updateTable"
            ),
        )
        # Through the handler, and on to what it interrupted.
        worker = report.thread_named("worker")
        self.assert_stack(worker, "logEvent", "handle_by_locking", "updateTable")
        self.assertTrue(worker["wait"]["in_signal_handler"])
        self.assertIn("a signal handler asks for", report.text())
        self.assertIn("no locks in signal handlers", report.text())

    def test_unseen_relock(self):
        """The ledger knows of no hold: libc's own word, and that the thread sleeps, have to do."""
        report = self.only_report("classics unseen_relock", "self_deadlock")
        self.assert_circle(
            report, Step("reader", "reader", lock="settings_lock", asked_in="readSettings")
        )

    def test_signalled_holding(self):
        """It was signalled, and cannot leave its wait for the condition."""
        report = self.only_report("classics signalled_holding", "deadlock")
        self.assert_signalled(report)
        self.assert_told_in_time(report)

    def test_signalled_in_time(self):
        """The time limit is one of the signal; the mutex is taken again without one."""
        self.assert_signalled(self.only_report("classics signalled_in_time", "deadlock"))

    def assert_signalled(self, report):
        self.assert_circle(
            report,
            Step("actor", "prompter", lock="stage_mutex", held_in="takeStage"),
            Step(
                "prompter",
                "actor",
                lock="curtain_mutex",
                asked_in="giveCue",
                held_in="waitForCue",
            ),
        )
        self.assert_stack(report.thread_named("actor"), "waitForCue")
        self.assertFalse(report.thread_named("actor")["wait"]["timed"])

    def assert_told_in_time(self, report):
        """Of those that wait, the last one to begin closed the circle."""
        prompter = report.thread_named("prompter")
        took = report.finding["found_ns"] - prompter["wait"]["since_ns"]
        self.assertLess(took, TOLD_WITHIN_NS)

    def test_signalled_join(self):
        report = self.only_report("classics signalled_join", "deadlock")
        self.assert_circle(
            report,
            Step(
                "collector",
                "owner",
                lock="samples_mutex",
                asked_in="collect",
                held_in="stopCollecting",
            ),
            Step("owner", "collector", wants="join", asked_in="stopCollecting", reason="join"),
        )

    def test_spin_self(self):
        report = self.only_report("classics spin_self", "self_deadlock")
        self.assert_circle(
            report,
            Step(
                "receiver",
                "receiver",
                lock="ring_lock",
                wants="spin",
                asked_in="countDrop",
                held_in="pushPacket",
            ),
        )

    def test_once_self(self):
        report = self.only_report("classics once_self", "self_deadlock")
        self.assert_circle(
            report,
            Step(
                "decoder",
                "decoder",
                lock="codec_once",
                wants="once",
                asked_in="registerCodec",
                held_in="once_self",
            ),
        )

    def test_once_abba(self):
        report = self.only_report("classics once_abba", "deadlock")
        self.assert_circle(
            report,
            Step(
                "server",
                "plugin-loader",
                lock="registry_mutex",
                asked_in="readConfig",
                held_in="registerPlugin",
            ),
            Step(
                "plugin-loader",
                "server",
                lock="config_once",
                wants="once",
                asked_in="registerPlugin",
                held_in="serve",
            ),
        )

    def test_spin_abba(self):
        report = self.only_report("classics spin_abba", "deadlock")
        self.assert_circle(
            report,
            Step(
                "receiver",
                "publisher",
                lock="stats_lock",
                wants="spin",
                asked_in="receive",
                held_in="publishStats",
            ),
            Step(
                "publisher",
                "receiver",
                lock="ring_lock",
                wants="spin",
                asked_in="publishStats",
                held_in="receive",
            ),
        )

    def test_loader(self):
        """The loader's lock is held for ever by one of them: the report must come all the same."""
        report = self.only_report("classics loader", "deadlock")
        self.assert_circle(
            report,
            Step(
                "opener",
                "settings",
                lock="plugins_mutex",
                asked_in="register_plugin",
                held_in="reloadSettings",
            ),
            Step(
                "settings",
                "opener",
                lock="settings_mutex",
                asked_in="reloadSettings",
                held_in="loadPlugin",
            ),
        )
        self.assert_stack(
            report.thread_named("opener"), "register_plugin", "plugin_constructor", "loadPlugin"
        )

    def test_malloc_lock(self):
        """So is the program's malloc lock."""
        report = self.only_report("malloc_lock", "deadlock")
        self.assert_circle(
            report,
            Step(
                "reporter",
                "allocator",
                lock="heap_mutex",
                asked_in="allocate",
                held_in="allocate",
            ),
            Step(
                "allocator",
                "reporter",
                lock="usage_mutex",
                asked_in="countChunk",
                held_in="reportUsage",
            ),
        )
        self.assert_stack(report.thread_named("allocator"), "countChunk", "allocate", "fillCache")

    def test_circles_repaired(self):
        for name in (
            "three_way",
            "philosophers",
            "rwlock_mix",
            "join_under_lock",
            "signal_relock",
            "unseen_relock",
            "signalled_holding",
            "signalled_in_time",
            "signalled_join",
            "spin_self",
            "spin_abba",
            "once_self",
            "once_abba",
            "loader",
        ):
            with self.subTest(name):
                self.assert_silent(f"classics {name} --repaired", wait="1s")

    def test_malloc_lock_repaired(self):
        self.assert_silent("malloc_lock --repaired", wait="500ms")


class Gone(FindingsCase):
    def test_exited_holder(self):
        report = self.only_report("classics exited_holder", "orphaned_lock")
        self.assert_orphan(report, "client", "lookUp", "refresher", "refreshCache", "cache_mutex")

    def test_fork_held(self):
        """In the child: the parent has nothing to say."""
        run = self.run_sample("classics fork_held")
        run.wait_until_it_says("stuck:")
        run.wait_for_reports(1)
        time.sleep(1)
        (report,) = run.wait_for_reports(1)
        self.assertNotEqual(report.pid, run.pid)
        self.assertEqual(report.finding["kind"], "orphaned_lock")
        self.assert_sound(run, report)
        self.assert_said(run, report)
        self.assert_orphan(report, "spawner", "writeLog", "logger", "rotateLog", "log_mutex")

    def assert_orphan(self, report, waiter, asked_in, holder, held_in, lock):
        self.assertEqual(report.cycle, [])
        (link,) = report.crowd
        self.assertEqual(link["reason"], "gone")
        self.assertEqual(report.name(link["waiter"]), waiter)
        self.assert_site(report.thread(link["waiter"])["wait"]["site"], asked_in, waiter)
        self.assert_stack(report.thread(link["waiter"]), asked_in)
        self.assert_root(report, holder, lock=lock, held_in=held_in)

    def test_gone_repaired(self):
        for name in ("exited_holder", "fork_held"):
            with self.subTest(name):
                self.assert_silent(f"classics {name} --repaired", wait="2s")


class Ticking(FindingsCase):
    """Everybody waits while a timer runs."""

    def assert_all_wait(self, report):
        self.assertEqual(sorted(report.name(link["waiter"]) for link in report.crowd), ["classics", "sleeper"])
        self.assert_stack(report.thread_named("sleeper"), "waitForTheHour")

    def test_ticking_unheard(self):
        """Not before its handler has run, and woken nobody."""
        report = self.only_report("classics ticking_unheard", "all_asleep")
        self.assertFalse(report.finding["certain"])
        self.assert_all_wait(report)
        joined = report.thread_named("classics")["wait"]["since_ns"]
        self.assertGreater(report.finding["found_ns"] - joined, 1_400_000_000)

    def test_ticking_unhandled(self):
        """A timer that nobody handles wakes nobody."""
        report = self.only_report("classics ticking_unhandled", "all_asleep")
        self.assertTrue(report.finding["certain"])
        self.assert_all_wait(report)

    def test_ticking_repaired(self):
        for name in ("ticking_unheard", "ticking_unhandled"):
            with self.subTest(name):
                self.assert_silent(f"classics {name} --repaired", wait="10s")


class Crowd(FindingsCase):
    def test_crowd(self):
        """2,000 threads behind one: one finding."""
        report = self.only_report("classics crowd", "long_wait", wait="500ms")
        root = self.assert_root(
            report, "rebuild", lock="catalogue_mutex", held_in="rebuildCatalogue"
        )
        self.assert_activity(root, "clock_nanosleep", "")
        self.assertGreater(len(report.crowd), 0)
        for link in report.crowd:
            waiter = report.thread(link["waiter"])
            self.assertEqual(waiter["name"], "client")
            self.assertTrue(
                any(is_function(name, "serveClient") for name in functions(waiter["wait"]["site"]))
            )

    def test_crowd_repaired(self):
        self.assert_silent("classics crowd --repaired", wait="10s")


# What is healthy from the beginning, with a threshold that its own waits stay below: those who
# wait for work or for a thread's end wait much longer than that.
HEALTHY = {
    "recursive": "2s",
    "trylock_backoff": "1s",
    "timed": "1s",
    "hand_over_hand": "2s",
    "remade_lock": "1s",
    "handler_on_wait": "10s",
    "robust_owner": "2s",
    "idle_pool": "100ms",
    "futures": "100ms",
    "long_join": "50ms",
    "ticking": "100ms",
    "ticking_made": "100ms",
    "ticking_thread": "100ms",
}


class Healthy(FindingsCase):
    pass


# An order that only a time limit keeps from hanging is told as such: see tests/orders.
AGAINST_THE_ORDER = ("timed",)


def healthy_test(name, wait):
    orders = "off" if name in AGAINST_THE_ORDER else "on"
    return lambda self: self.assert_silent(f"classics {name}", wait=wait, orders=orders)


for one, threshold in HEALTHY.items():
    setattr(Healthy, f"test_{one}", healthy_test(one, threshold))


class Stress(FindingsCase):
    stress_seconds = 60

    def test_stress(self):
        seconds = self.stress_seconds
        run = self.run_sample(f"stress --for {seconds}", wait="50ms", options="order=on")
        # No shift lasts longer; on a busy machine the last one may.
        status = run.end(seconds + 120)
        found = run.wait_for_reports(0)
        self.assertEqual(status, 0, run.complaints() + run.output())
        deeds = dict(re.findall(r"^([a-z ]+): (\d+)$", run.output(), re.MULTILINE))
        self.assertGreater(int(deeds["taken"]), STRESS_TAKEN_PER_SECOND * seconds, deeds)
        for deed in (
            "tried in vain",
            "timed out",
            "signalled",
            "signalled while holding",
            "not signalled",
        ):
            self.assertGreater(int(deeds[deed]), seconds, deed)
        # A machine that is busy elsewhere may make somebody wait: that is a fact, and nothing more.
        # Locks are taken against their order with a time limit only, and that is what is said of it.
        allowed = {("long_wait", "none"), ("lock_order", "timed")}
        wrong = [
            one.finding
            for one in found
            if (one.finding["kind"], one.finding["doubt"]) not in allowed
        ]
        self.assertEqual(wrong, [])
