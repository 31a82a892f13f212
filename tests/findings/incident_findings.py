"""The incidents: what a report must say of each, and the repaired programs, of which none is made."""

from findings_case import FindingsCase, Step
from sample_run import is_function, until

ON_LOOPBACK = r"\bfd \d+.*127\.0\.0\.1:\d+"


class StreamCache(FindingsCase):
    def test_stream_cache(self):
        report = self.only_report("stream_cache --readers 4", "long_wait", wait="300ms")
        holder = self.assert_root(report, "stream-load", held_in="lockMuAndLoadView")
        self.assert_activity(holder, "recvfrom", ON_LOOPBACK)
        self.assert_stack(holder, "readStreamFromLastSnapshot", "lockMuAndLoadView")
        self.assert_crowd(report, sync=2, rpc=2)
        for link in report.crowd:
            self.assertEqual(report.name(link["blocker"]), "stream-load")
            reader = report.thread(link["waiter"])
            self.assertEqual(reader["wait"]["kind"], "read")
            self.assert_site(reader["wait"]["site"], "tryGetView", reader["name"])
        self.assert_stack(report.thread_named("sync-1"), "tryGetView", "SyncStreams")
        self.assert_stack(report.thread_named("rpc-1"), "tryGetView", "GetLastMiniblockHash")
        self.assertIn(report.finding["changed_hands"], (0, None))

    def test_stream_cache_healthy(self):
        self.assert_silent("stream_cache --healthy", wait="500ms")

    def test_stream_cache_answered(self):
        self.assert_silent("stream_cache --seconds 1", wait="10s")

    def test_stream_cache_reconcile(self):
        report = self.only_report("stream_cache --reconcile", "long_wait", wait="500ms")
        self.assertGreaterEqual(report.finding["changed_hands"], 5)
        reader = report.thread_named("sync")
        self.assertTrue(reader["involved"])
        self.assertEqual(reader["wait"]["kind"], "read")
        self.assert_stack(reader, "tryGetView", "SyncStreams")
        self.assert_lock(report, report.finding["root_lock"], None)
        self.assertEqual(reader["wait"]["lock"], report.finding["root_lock"])
        # Not those that have the lock in their turn.
        told = " ".join(report.text().split())
        self.assertIn(f'nobody is stuck, thread {reader["tid"]} "sync" starves.', told)

    def test_stream_cache_reconcile_healthy(self):
        self.assert_silent("stream_cache --reconcile --healthy", wait="500ms")

    def test_stream_cache_writer_preference(self):
        report = self.only_report("stream_cache --writer-preference", "deadlock")
        self.assert_circle(
            report,
            Step("sync", "stream-load", wants="read", asked_in="tryGetView", reason="waiting_writer"),
            Step(
                "stream-load",
                "sync",
                wants="write",
                asked_in="lockMuAndClearView",
                held_in="SyncStreams",
                shared=True,
            ),
        )
        self.assertEqual(len({link["lock"] for link in report.cycle}), 1)
        self.assert_stack(report.thread_named("sync"), "tryGetView", "SyncStreams")

    def test_stream_cache_reader_preference(self):
        self.assert_silent("stream_cache --reader-preference", wait="500ms")

    def test_stream_cache_upgrade(self):
        self.assert_upgrade("--upgrade")

    def test_stream_cache_upgrade_native(self):
        self.assert_upgrade("--upgrade-native")

    def assert_upgrade(self, flag):
        report = self.only_report(f"stream_cache {flag}", "self_deadlock")
        self.assert_circle(
            report,
            Step(
                "reconcile",
                "reconcile",
                wants="write",
                asked_in="applyMiniblock",
                held_in="reconcileView",
                shared=True,
            ),
        )
        self.assert_stack(report.thread_named("reconcile"), "applyMiniblock", "reconcileView")
        self.assert_crowd(report)

    def test_stream_cache_upgrade_healthy(self):
        self.assert_silent("stream_cache --upgrade --healthy", wait="500ms")

    def test_stream_cache_upgrade_native_healthy(self):
        self.assert_silent("stream_cache --upgrade-native --healthy", wait="500ms")


class Raft(FindingsCase):
    def test_raft_relock(self):
        report = self.only_report("raft_relock", "self_deadlock")
        self.assert_circle(
            report,
            Step(
                "raft-loop",
                "raft-loop",
                lock="raft_node_mutex",
                asked_in="changeConfig",
                held_in="handleMessage",
            ),
        )
        self.assert_stack(
            report.thread_named("raft-loop"), "changeConfig", "handleMessage", "runMessageLoop"
        )

    def test_raft_relock_rwlock(self):
        self.assert_refused("--rwlock", "raft_node_rwlock", "write")

    def test_raft_relock_errorcheck(self):
        """An error-checking mutex was made to be asked: its refusal is an answer, not a trouble."""
        self.assert_silent("raft_relock --errorcheck --for 2", wait="500ms")

    def assert_refused(self, flag, lock, wants):
        """libc refused, the program did not look: it goes on, and is told of all the same."""
        # Nobody is stuck in it: the process lives on whatever is to follow a deadlock.
        report = self.only_report(
            f"raft_relock {flag}", "self_deadlock", announces="goes on", options="on_deadlock=abort"
        )
        self.assertRegex(report.finding["misuse"], "relock")
        (link,) = report.cycle
        told = [report.name(link[end]) for end in ("waiter", "blocker")]
        self.assertEqual(told, ["raft-loop", "raft-loop"])
        self.assert_lock(report, link["lock"], lock)
        self.assertEqual(report.finding["call_mode"], "shared" if wants == "read" else "exclusive")
        self.assert_site(report.finding["call"], "changeConfig", "raft-loop asked")
        loop = report.thread_named("raft-loop")
        self.assertIsNone(loop["wait"], "nobody waits")
        self.assert_holds(report, loop, link["lock"], "handleMessage")
        self.assert_stack(loop, "changeConfig", "handleMessage", "runMessageLoop")
        for words in ("waits for itself", "began to wait", "WHO WAITS", "wants"):
            self.assertNotIn(words, report.text())

    def test_raft_relock_repaired(self):
        for flag in ("", "--rwlock", "--errorcheck"):
            with self.subTest(flag):
                self.assert_silent(f"raft_relock {flag} --repaired", wait="500ms")

    def test_raft_monitor(self):
        report = self.only_report("raft_monitor", "deadlock")
        self.assert_circle(
            report,
            Step("raft-loop", "raft-monitor", asked_in="recordHeartbeat", held_in="checkTimeouts"),
            Step("raft-monitor", "raft-loop", asked_in="startElection", held_in="handleMessage"),
        )
        self.assert_stack(
            report.thread_named("raft-loop"), "recordHeartbeat", "handleMessage", "runMessageLoop"
        )
        self.assert_stack(
            report.thread_named("raft-monitor"), "startElection", "checkTimeouts", "runMonitor"
        )

    def test_raft_monitor_repaired(self):
        self.assert_silent("raft_monitor --repaired", wait="2s")


class ShardMap(FindingsCase):
    def test_shard_map(self):
        report = self.only_report("shard_map", "self_deadlock")
        self.assert_circle(
            report,
            Step(
                "expiry",
                "expiry",
                wants="write",
                asked_in="remove",
                held_in="forEach",
                shared=True,
            ),
        )
        self.assert_stack(report.thread_named("expiry"), "remove", "removeExpired")
        # Whoever asks for the same shard belongs to the same finding.
        self.assert_crowd(report, insert=1)
        self.assert_stack(report.thread_named("insert"), "insert")

    def test_shard_map_repaired(self):
        self.assert_silent("shard_map --repaired", wait="500ms")


class SessionServer(FindingsCase):
    def test_session_relock(self):
        report = self.only_report("session_server --relock", "self_deadlock")
        self.assert_circle(
            report,
            Step("dispatcher", "dispatcher", asked_in="countSessions", held_in="dispatchAll"),
        )
        self.assert_stack(
            report.thread_named("dispatcher"), "countSessions", "runHandler", "dispatchAll"
        )

    def test_session_abba(self):
        report = self.only_report("session_server --abba", "deadlock")
        self.assert_circle(
            report,
            Step("session-A", "session-B", asked_in="openSession", held_in="runInSession"),
            Step("session-B", "session-A", asked_in="openSession", held_in="runInSession"),
        )
        for name in ("session-A", "session-B"):
            self.assert_stack(
                report.thread_named(name), "openSession", "runHandler", "runInSession"
            )

    def test_session_inversion(self):
        report = self.only_report("session_server --inversion --hang", "deadlock")
        self.assert_circle(
            report,
            Step("login", "delivery", asked_in="openSession", held_in="deliver"),
            Step("delivery", "reload", asked_in="deliver", held_in="reloadHandler"),
            Step("reload", "login", asked_in="countSessions", held_in="logIn"),
        )
        self.assert_stack(report.thread_named("login"), "openSession", "logIn")
        self.assert_stack(report.thread_named("reload"), "countSessions", "reloadHandler")

    def test_session_inversion_in_turn(self):
        self.assert_silent("session_server --inversion", wait="500ms")

    def test_session_slow(self):
        report = self.only_report("session_server --slow", "long_wait", wait="300ms")
        handler = self.assert_root(report, "dispatcher", held_in="dispatchAll")
        self.assert_activity(handler, "recvfrom", ON_LOOPBACK)
        self.assert_stack(handler, "askPeer", "runHandler", "dispatchAll")
        self.assert_crowd(report, client=4)

    def test_session_repaired(self):
        self.assert_silent("session_server --repaired", wait="300ms")


class DiskStall(FindingsCase):
    COMMAND = "disk_stall --log TMP/raft.log"

    def test_disk_stall(self):
        report = self.only_report(self.COMMAND, "long_wait", wait="500ms")
        root = self.assert_root(report, "raft-append", held_in="appendAndSync")
        self.assert_activity(root, "write", r"\bfd \d+.*/raft\.log\b")
        self.assert_stack(root, "appendEntry", "appendAndSync")
        self.assert_three_layers(report)
        # What went before the call that hangs: a FIFO takes some entries.
        (written,) = report.calls
        self.assertEqual(written["call"], "write")
        self.assertEqual(written["lock"], report.finding["root_lock"])
        self.assertGreaterEqual(written["count"], 2)
        self.assertLessEqual(written["most_ns"], written["sum_ns"])
        for site, function in (("site", "appendEntry"), ("held_site", "appendAndSync")):
            names = [source["function"] for source in written[site]["sources"]]
            self.assertTrue(any(is_function(name, function) for name in names), names)
        self.assertIn("CALLS UNDER THE LOCK", report.text())

    def assert_three_layers(self, report):
        self.assert_crowd(report, query=8, produce=16)
        # Those nearest to the root first.
        layers = [report.name(link["waiter"]).split("-")[0] for link in report.crowd]
        self.assertEqual(layers, ["query"] * 8 + ["produce"] * 16)
        for link in report.crowd:
            waiter = report.thread(link["waiter"])
            is_query = waiter["name"].startswith("query")
            blocker = report.name(link["blocker"])
            self.assertTrue(blocker.startswith("raft-append" if is_query else "query"), blocker)
            self.assert_stack(waiter, "queryMetadata" if is_query else "handleProduce")
        # The third layer waits on sockets, for no lock.
        forwarders = [one for one in report.threads if one["name"].startswith("forward-")]
        for one in forwarders:
            self.assertFalse(one["involved"], one["name"])

    def test_disk_stall_updates(self):
        """Never silence: the same finding is told again, in the same place."""
        run = self.run_sample(self.COMMAND, wait="200ms")
        run.wait_until_it_says("stuck:")
        first = run.wait_for_reports(1)[0]
        updated = until(
            lambda: next(
                (one for one in run.wait_for_reports(1) if one.finding["update"] >= 1), None
            ),
            "update of the finding",
            20,
        )
        self.assertEqual(len(run.report_files()), 2, run.report_files())
        self.assertEqual(updated.finding["kind"], "long_wait")
        self.assertEqual(updated.finding["fingerprint"], first.finding["fingerprint"])
        self.assert_sound(run, updated)
        self.assert_said(run, updated)
        self.assert_three_layers(updated)

    def test_disk_stall_healthy(self):
        self.assert_silent("disk_stall --healthy", wait="3s")


class StreamTracker(FindingsCase):
    def test_stream_tracker(self):
        report = self.only_report("stream_tracker", "stuck_condition", announces="stuck:")
        self.assertFalse(report.finding["certain"])
        self.assert_full_queue(report)
        self.assertIn("Likely, not certain", report.text())

    def assert_full_queue(self, report, **others):
        self.assert_crowd(report, worker=6, intake=1, **others)
        room = report.finding["root_lock"]
        self.assertEqual(report.locks[room]["kind"], "condition")
        for link in report.crowd:
            waiter = report.thread(link["waiter"])
            self.assertEqual(link["reason"], "signaller")
            self.assertEqual((waiter["wait"]["kind"], waiter["wait"]["lock"]), ("condition", room))
            self.assert_stack(waiter, "send")
        # Only those that wait for room ever made some.
        told = {report.name(one["thread"]) for one in report.locks[room]["signallers"]}
        self.assertEqual(told, {f"worker-{i}" for i in range(1, 7)})
        for one in report.locks[room]["signallers"]:
            self.assertGreater(one["count"], 0)
            self.assertEqual(one["how"], "signal")

    def test_stream_tracker_in_time(self):
        """Within a second of the last worker's wait."""
        run = self.run_sample("stream_tracker")
        run.wait_until_it_says("stuck:")
        report = run.wait_for_reports(1)[0]
        last = max(
            report.thread(link["waiter"])["wait"]["since_ns"] for link in report.crowd
        )
        self.assertLess(report.finding["found_ns"] - last, 1_000_000_000)

    def test_stream_tracker_close(self):
        report = self.only_report("stream_tracker --close", "all_asleep")
        self.assertTrue(report.finding["certain"])
        self.assert_full_queue(report, stream_tracker=1)
        self.assert_stack(report.thread_named("stream_tracker"), "send", "close")

    def test_stream_tracker_repaired(self):
        self.assert_silent("stream_tracker --repaired", wait="10s")

    def test_stream_tracker_idle(self):
        self.assert_silent("stream_tracker --idle 3000", wait="500ms")
