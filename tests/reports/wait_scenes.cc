#include "report/frames.h"
#include "scenes.h"

namespace impasse::report {
namespace {

const std::vector<At> kStart = {{"start_thread", "", 0}, {"clone3", "", 0}};

}  // namespace

Report orphaned_by_end() {
  ReportScene scene(FindingKind::kOrphanedLock, "batch", 700);
  const auto gone = scene.thread(711, "import-3");
  const auto mu = scene.lock("Catalog::mu", LockKind::kMutex);
  scene[gone].activity.kind = system::ActivityKind::kGone;
  scene[gone].ended_ns = kNow - 182 * kSecond;
  scene.took(gone, mu, 190 * kSecond, {"Catalog::insert(Row const&)", "catalog.cc", 51});
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto waiter = scene.thread(712 + i, "import-" + std::to_string(4 + i));
    scene.waits(waiter, WaitKind::kMutex, mu, (179 - 20 * i) * kSecond,
                {"Catalog::insert(Row const&)", "catalog.cc", 51});
    scene.called_from(waiter, kStart);
    scene.behind(waiter, gone, LinkReason::kGone);
  }
  scene.root(gone, mu);
  scene.report.locks[mu].owner_word = 711;
  return scene.report;
}

Report orphaned_by_fork() {
  ReportScene scene(FindingKind::kOrphanedLock, "prefork", 801);
  const auto child = scene.thread(801, "prefork");
  const auto gone = scene.thread(790, "logger");
  const auto mu = scene.lock("log_mutex", LockKind::kMutex);
  scene[gone].activity.kind = system::ActivityKind::kLeftBehind;
  scene[gone].ended_ns = kNow - 400 * kMillisecond;
  scene.took(gone, mu, 0, {"log_line", "log.c", 18});
  scene.waits(child, WaitKind::kMutex, mu, 390 * kMillisecond, {"log_line", "log.c", 18});
  scene.called_from(child, {{"child_main", "prefork.c", 77}, {"main", "prefork.c", 130}});
  scene.behind(child, gone, LinkReason::kGone);
  scene.root(gone, mu);
  return scene.report;
}

Report readers_behind_writer() {
  ReportScene scene(FindingKind::kLongWait);
  const auto holder = scene.thread(25101, "stream-load");
  const auto mu = scene.lock("Stream::mu", LockKind::kRwlock, Memory::kHeap);
  scene.took(holder, mu, 312 * kSecond, {"Stream::lockMuAndLoadView()", "src/stream.cc", 142});
  scene.sleeps(holder, "recvfrom", "fd 12, tcp 10.0.3.7:51544 → 34.48.18.41:443", 311 * kSecond);
  scene.called_from(
      holder,
      {{"PeerClient::read(std::span<std::byte, 18446744073709551615ul>)", "src/peer_client.cc", 88},
       {"Storage::readStreamFromLastSnapshot(StreamId const&, int)", "src/storage.cc", 206},
       {"Stream::lockMuAndLoadView()", "src/stream.cc", 150}});
  scene.called_from(holder, kStart);
  scene[holder].holds[0].frame = 3;
  scene.stack(holder,
              [](symbolize::Stack& stack) { stack.frames[1].grade = symbolize::Grade::kGuessed; });
  for (std::uint32_t i = 0; i < 37; ++i) {
    const bool sync = i < 23;
    const auto reader = scene.thread((sync ? 25188 : 34741) + 2 * i,
                                     (sync ? "sync-" : "rpc-") + std::to_string(2 + i));
    scene.waits(reader, WaitKind::kRead, mu,
                sync ? (301 - i * 13) * kSecond : (67 - (i - 23) * 5) * kSecond,
                {"Stream::tryGetView(Context&)", "src/stream.cc", 564});
    scene.called_from(reader,
                      {sync ? At{"SyncStreams(Request const&)", "src/sync.cc", 91}
                            : At{"GetLastMiniblockHash(Request const&)", "src/rpc.cc", 40}});
    scene.called_from(reader, kStart);
    scene.behind(reader, holder);
  }
  for (std::uint32_t i = 0; i < 5; ++i) {
    const auto idle = scene.thread(26000 + i, "io-" + std::to_string(i));
    scene.sleeps(idle, "epoll_wait", "fd 4, epoll of 3 descriptors", (10 + i) * kSecond);
    scene.called_from(idle, {{"Loop::poll()", "src/loop.cc", 70}});
    scene.called_from(idle, kStart);
  }
  scene.root(holder, mu);
  scene.report.finding.threshold_ns = 300 * kSecond;
  scene.report.finding.changed_hands = 0;
  scene.report.finding.update = 2;
  scene.report.options = {{"wait", "5m"}, {"dir", "/var/log/impasse"}};
  return scene.report;
}

Report starving_readers() {
  ReportScene scene(FindingKind::kLongWait);
  const auto holder = scene.thread(25101, "reconcile");
  const auto mu = scene.lock("Stream::mu", LockKind::kRwlock, Memory::kHeap);
  scene.took(holder, mu, 200 * kMillisecond, {"Stream::reconcile()", "src/stream.cc", 318});
  scene.sleeps(holder, "clock_nanosleep", "50ms", 40 * kMillisecond);
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto reader = scene.thread(25188 + i, "sync-" + std::to_string(i));
    scene.waits(reader, WaitKind::kRead, mu, (12 - i) * kSecond,
                {"Stream::tryGetView(Context&)", "src/stream.cc", 564});
    scene.behind(reader, holder);
  }
  scene.root(holder, mu);
  scene.report.finding.threshold_ns = 10 * kSecond;
  scene.report.finding.changed_hands = 1204;
  return scene.report;
}

Report holder_not_known() {
  ReportScene scene(FindingKind::kLongWait, "plugin-host", 55);
  const auto waiter = scene.thread(57, "tick");
  const auto mu = scene.lock("", LockKind::kMutex, Memory::kMapped);
  scene.waits(waiter, WaitKind::kMutex, mu, 11 * kSecond, {"Plugin::tick()", "plugin.cc", 5});
  scene[waiter].wait->since_about = true;
  scene.behind(waiter, kNobody);
  scene.root(kNobody, mu);
  scene.report.finding.threshold_ns = 10 * kSecond;
  scene.report.locks[mu].variety = "shared between processes";
  scene.report.dropped = {{"holds that could not be recorded", 3}};
  return scene.report;
}

// Three layers: queries wait for the raft lock, handlers for a query's lock, forwarders for a
// handler's.
Report disk_stall() {
  ReportScene scene(FindingKind::kLongWait, "chronikd", 77);
  const auto raft = scene.thread(100, "raft-loop");
  const auto raft_lock = scene.lock("raft_lock", LockKind::kMutex);
  scene.took(raft, raft_lock, 640 * kSecond, {"RaftNode::appendEntries()", "src/raft.cc", 402});
  scene.sleeps(raft, "fsync", "fd 9, /data/wal/000017.log", 639 * kSecond);
  scene[raft].activity.uninterruptible = true;
  scene[raft].activity.state = 'D';
  scene.called_from(raft, {{"Wal::sync()", "src/wal.cc", 610},
                           {"RaftNode::appendEntries()", "src/raft.cc", 431}});
  scene.called_from(raft, kStart);
  const At sync{"Wal::sync()", "src/wal.cc", 610};
  const At append{"RaftNode::appendEntries()", "src/raft.cc", 402};
  scene.calls(raft_lock, BlockingCall::k_fsync, {1'204, 9'800 * kMillisecond, 3'100 * kMillisecond},
              641 * kSecond, sync, append);
  scene.calls(raft_lock, BlockingCall::k_write, {1'205, 40'000, 900}, 640 * kSecond,
              {"Wal::append(std::string)", "src/wal.cc", 88}, append);
  scene.calls(raft_lock, BlockingCall::k_open, {1, 2 * kMillisecond, 2 * kMillisecond},
              700 * kSecond, {"Wal::roll()", "src/wal.cc", 31}, append);
  std::vector<std::uint32_t> queries;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto query = scene.thread(200 + i, "query-" + std::to_string(i));
    const auto own = scene.lock("", LockKind::kMutex, Memory::kHeap);
    scene.took(query, own, (630 - i) * kSecond, {"Metadata::query()", "src/metadata.cc", 77});
    scene.waits(query, WaitKind::kMutex, raft_lock, (629 - i) * kSecond,
                {"RaftNode::readIndex()", "src/raft.cc", 520});
    scene.called_from(query, {{"Metadata::query()", "src/metadata.cc", 80}});
    scene.behind(query, raft);
    queries.push_back(query);
  }
  std::vector<std::uint32_t> handlers;
  for (std::uint32_t i = 0; i < 16; ++i) {
    const auto handler = scene.thread(300 + i, "produce-" + std::to_string(i));
    if (i < 4) {
      const auto own = scene.lock("", LockKind::kMutex, Memory::kHeap);
      scene.took(handler, own, (600 - i) * kSecond, {"Produce::handle()", "src/produce.cc", 12});
      handlers.push_back(handler);
    }
    scene.waits(handler, WaitKind::kMutex, scene[queries[i % 8]].holds[0].lock, (590 - i) * kSecond,
                {"Metadata::leader(int)", "src/metadata.cc", 140});
    scene.called_from(handler, {{"Produce::handle()", "src/produce.cc", 15}});
    scene.behind(handler, queries[i % 8]);
  }
  for (std::uint32_t i = 0; i < 15; ++i) {
    const auto forwarder = scene.thread(400 + i, "forward-" + std::to_string(i));
    const auto handler = handlers[i % handlers.size()];
    scene.waits(forwarder, WaitKind::kMutex, scene[handler].holds[0].lock, (500 - i) * kSecond,
                {"Forwarder::submit()", "src/forward.cc", 44});
    scene.behind(forwarder, handler);
  }
  scene.root(raft, raft_lock);
  scene.report.finding.threshold_ns = 10 * kSecond;
  scene.report.finding.changed_hands = 0;
  scene.report.finding.update = 4;
  return scene.report;
}

Report misuse_of(MisuseKind kind) {
  ReportScene scene(FindingKind::kMisuse, "legacyd", 60);
  const auto a = scene.thread(61, "a");
  const auto b = scene.thread(62, "b");
  const auto mu = scene.lock("table_mutex", LockKind::kMutex);
  scene.report.finding.misuse = kind;
  scene.stack(b, [&scene](symbolize::Stack& stack) {
    stack.frames = {scene.frame({"Table::leave()", "table.cc", 90}),
                    scene.frame({"Table::run()", "table.cc", 120})};
    stack.whole = true;
  });
  scene[b].activity.kind = system::ActivityKind::kRunning;
  scene.sleeps(a, "read", "fd 0, /dev/null", 3 * kSecond);
  const At entered{"Table::enter()", "table.cc", 30};
  if (kind == MisuseKind::kUnlockByOther || kind == MisuseKind::kDestroyWhileHeld) {
    scene.took(a, mu, 4 * kSecond, entered);
  }
  scene.report.finding.call = scene.frame({"Table::leave()", "table.cc", 90});
  if (kind == MisuseKind::kExitWhileHolding) {
    scene.took(b, mu, 4 * kSecond, entered);
    scene.report.finding.call = {};
    scene[b].activity.kind = system::ActivityKind::kGone;
    scene[b].ended_ns = kNow - kSecond;
    scene[b].stack = symbolize::kNoStack;
  }
  scene.root(b, mu);
  return scene.report;
}

// The lock was its own; the stamp of the hold is a tick younger than the call.
Report destroyed_by_its_holder() {
  Report report = misuse_of(MisuseKind::kDestroyWhileHeld);
  Thread& holder = report.threads[0];
  Thread& culprit = report.threads[1];
  culprit.holds = std::move(holder.holds);
  holder.holds.clear();
  culprit.holds[0].since_ns = report.finding.found_ns + 60 * kMillisecond;
  return report;
}

// Each waits for what the other one holds, one of them for a while only: a signal handler.
Report round_about_the_root() {
  ReportScene scene(FindingKind::kLongWait, "drained", 70);
  const auto drain = scene.thread(71, "drain");
  const auto holder = scene.thread(72, "holder");
  const auto queue = scene.lock("queue_mutex", LockKind::kMutex);
  const auto journal = scene.lock("journal_mutex", LockKind::kMutex);
  scene.took(drain, journal, 520 * kMillisecond, {"log_from_handler()", "drain.cc", 64});
  scene.took(holder, queue, 540 * kMillisecond, {"hold()", "drain.cc", 90});
  scene.waits(drain, WaitKind::kMutex, queue, 535 * kMillisecond, {"drain()", "drain.cc", 74});
  scene.waits(holder, WaitKind::kMutex, journal, 532 * kMillisecond, {"log()", "drain.cc", 79});
  scene.root(drain, journal);
  scene.behind(holder, drain);
  scene.behind(drain, holder);
  scene.report.finding.threshold_ns = 500 * kMillisecond;
  scene.report.finding.changed_hands = 0;
  return scene.report;
}

Report everything() {
  Report report = readers_behind_writer();
  report.finding = {};
  for (Thread& thread : report.threads) thread.involved = false;
  report.threads[40].activity.kind = system::ActivityKind::kUnknown;
  report.threads[40].activity.trouble = "the kernel does not say: the process is not dumpable";
  edit_stack(report, 40, [](symbolize::Stack& stack) {
    stack = {};
    stack.trouble = "where it sleeps is not known";
  });
  report.threads[41].activity = {};
  report.threads[41].activity.kind = system::ActivityKind::kRunning;
  report.notes = {"The process is not dumpable: the kernel does not show where threads sleep."};
  return report;
}

// As it is written before anything is looked up.
Report without_names() {
  Report report = readers_behind_writer();
  for_each_frame(report, [](symbolize::Frame& frame) {
    frame.sources.clear();
    frame.function_offset = 0;
  });
  for (Lock& lock : report.locks) lock.name.clear();
  edit_stack(report, 0, [](symbolize::Stack& stack) {
    stack.left_out = 19'878;
    stack.left_out_after = 3;
  });
  edit_stack(report, 1, [](symbolize::Stack& stack) {
    stack.whole = false;
    stack.frames.resize(1);
    stack.trouble = "libfoo.so+0x12f0 has no unwind information";
  });
  report.named = false;
  report.names_trouble = "names are being looked up";
  return report;
}

Report crowd_of_thousands(std::uint32_t threads, bool equal_stacks) {
  ReportScene scene(FindingKind::kLongWait);
  const auto holder = scene.thread(1000, "holder");
  const auto mu = scene.lock("big_lock", LockKind::kMutex);
  scene.took(holder, mu, 20 * kSecond, {"hold_on", "big.cc", 1});
  scene.sleeps(holder, "read", "fd 3, pipe", 20 * kSecond);
  for (std::uint32_t i = 0; i < threads; ++i) {
    const auto waiter = scene.thread(2000 + i, "waiter-" + std::to_string(i));
    scene.waits(waiter, WaitKind::kMutex, mu, (19'000 - i) * kMillisecond,
                {"ask", "big.cc", 10 + (equal_stacks ? 0 : i)});
    for (std::uint32_t depth = 0; depth < 20; ++depth) {
      scene.called_from(waiter, {{"caller_" + std::to_string(depth) + "(std::string const&)",
                                  "src/some/where/deep.cc", depth + (equal_stacks ? 0 : i)}});
    }
    scene.behind(waiter, holder);
  }
  scene.root(holder, mu);
  scene.report.finding.threshold_ns = 10 * kSecond;
  return scene.report;
}

Report hostile_names() {
  Report report = readers_behind_writer();
  static constexpr char kHostile[] = "\x1b[31m\x00\xff\xc3\x28\x01\n\t\"\\ \xe2\x80\xae x";
  const std::string hostile(kHostile, sizeof kHostile - 1);
  report.process.program = hostile;
  report.process.host = std::string(100'000, '\xfe');
  report.process.version = hostile;
  for (Thread& thread : report.threads) {
    thread.name = hostile;
    thread.activity.detail = hostile + std::string(5'000, 'd');
    thread.activity.call = hostile;
  }
  for (std::uint32_t i = 0; i < report.threads.size(); ++i) {
    edit_stack(report, i, [&hostile](symbolize::Stack& stack) {
      for (symbolize::Frame& frame : stack.frames) {
        frame.sources = {{hostile + std::string(20'000, '<'), hostile, 3},
                         {std::string(20'000, '(') + hostile, std::string(5'000, '/'), 0}};
      }
      stack.trouble = hostile;
    });
  }
  for (Lock& lock : report.locks) {
    lock.name = hostile + std::string(10'000, 'x');
    lock.variety = hostile;
    Signaller& one = lock.signallers.emplace_back();
    one.name = hostile;
    one.site.pc = 0x1234;
    one.site.sources = {{hostile + std::string(20'000, '<'), hostile, 3}};
  }
  for (Module& module : report.modules) module.path = "/" + hostile;
  report.options = {{hostile, hostile}};
  report.dropped = {{hostile, ~std::uint64_t{0}}};
  report.notes = {hostile, ""};
  report.names_trouble = hostile;
  report.finding.fingerprint = hostile;
  return report;
}

std::vector<std::pair<std::string, Report>> all_scenes() {
  return {
      {"abba", abba()},
      {"abba_with_crowd", abba_with_crowd()},
      {"three_way", three_way()},
      {"philosophers_5", philosophers(5)},
      {"philosophers_40", philosophers(40)},
      {"waiting_writer", waiting_writer()},
      {"join_under_lock", join_under_lock()},
      {"relock", relock()},
      {"upgrade", upgrade()},
      {"in_handler", in_handler()},
      {"orphaned_by_end", orphaned_by_end()},
      {"orphaned_by_fork", orphaned_by_fork()},
      {"readers_behind_writer", readers_behind_writer()},
      {"starving_readers", starving_readers()},
      {"holder_not_known", holder_not_known()},
      {"disk_stall", disk_stall()},
      {"misuse_unlock_by_other", misuse_of(MisuseKind::kUnlockByOther)},
      {"misuse_unlock_of_free", misuse_of(MisuseKind::kUnlockOfFree)},
      {"misuse_destroy_while_held", misuse_of(MisuseKind::kDestroyWhileHeld)},
      {"misuse_exit_while_holding", misuse_of(MisuseKind::kExitWhileHolding)},
      {"misuse_destroyed_by_its_holder", destroyed_by_its_holder()},
      {"refused_relock", refused_relock()},
      {"round_about_the_root", round_about_the_root()},
      {"join_ring", join_ring()},
      {"once_within_itself", once_within_itself()},
      {"once_and_lock", once_and_lock()},
      {"unseen_relock", unseen_relock()},
      {"barrier_too_few", barrier_too_few()},
      {"order_of_two", order_of_two()},
      {"order_of_three_raw", order_of_three_raw()},
      {"order_timed", order_timed()},
      {"order_in_phases", order_in_phases()},
      {"order_of_class", order_of_class()},
      {"order_of_reader_again", order_of_reader_again()},
      {"order_of_readers", order_of_readers()},
      {"order_of_condition_wait", order_of_condition_wait()},
      {"order_of_9", order_of_many(9)},
      {"order_of_60", order_of_many(60)},
      {"order_with_long_names", order_with_long_names()},
      {"full_queue", full_queue()},
      {"crosswise_conditions", crosswise_conditions()},
      {"lock_kept_in_wait", lock_kept_in_wait()},
      {"semaphore_ring", semaphore_ring()},
      {"all_asleep", all_asleep(true)},
      {"all_asleep_likely", all_asleep(false)},
      {"full_queue_and_main", full_queue_and_main()},
      {"asleep_alone", asleep_alone()},
      {"waits_under_lock", waits_under_lock()},
      {"dump", everything()},
      {"without_names", without_names()},
  };
}

}  // namespace impasse::report
