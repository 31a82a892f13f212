#include "scenes.h"

namespace impasse::report {
namespace {

const std::vector<At> kLoop = {{"RaftNode::processReady(raft::Ready const&)", "src/raft.cc", 612},
                               {"RaftNode::run()", "src/raft.cc", 480},
                               {"start_thread", "", 0},
                               {"clone3", "", 0}};
const std::vector<At> kMonitor = {
    {"TimeoutMonitor::run()", "src/wal.cc", 1902}, {"start_thread", "", 0}, {"clone3", "", 0}};

void add_ours(ReportScene& scene) {
  const std::uint32_t ours = scene.thread(79, "impasse");
  scene[ours].ours = true;
  scene.sleeps(ours, "futex", "", 0);
}

void add_idle_workers(ReportScene& scene, std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t worker = scene.thread(200 + i, "worker-" + std::to_string(i));
    Wait wait;
    wait.kind = WaitKind::kCondition;
    wait.object = 0x55d0c07f2100;
    wait.since_ns = kNow - (i + 1) * 7 * kSecond;
    wait.site = scene.frame({"Pool::next()", "src/pool.cc", 71});
    scene[worker].wait = wait;
    scene[worker].activity.kind = system::ActivityKind::kInWait;
    scene.stack(worker, [&wait](symbolize::Stack& stack) {
      stack.frames = {wait.site};
      stack.whole = true;
    });
    scene.called_from(worker, {{"Pool::work()", "src/pool.cc", 90}, {"clone3", "", 0}});
  }
}

void make_abba(ReportScene& scene) {
  const auto monitor = scene.thread(101, "raft-monitor");
  const auto loop = scene.thread(100, "raft-loop");
  const auto node = scene.lock("raft_node", LockKind::kMutex);
  const auto beats = scene.lock("heartbeats", LockKind::kMutex);
  scene.took(loop, node, 460 * kMillisecond, {"RaftNode::handleReady()", "src/raft.cc", 1006});
  scene.took(monitor, beats, 390 * kMillisecond,
             {"TimeoutMonitor::checkTimeouts()", "src/wal.cc", 1971});
  scene.waits(loop, WaitKind::kMutex, beats, 143 * kMillisecond,
              {"RaftNode::applyConfChange(raft::ConfChange const&)", "src/raft.cc", 1217});
  scene.waits(monitor, WaitKind::kMutex, node, 121 * kMillisecond,
              {"TimeoutMonitor::triggerElection(unsigned long)", "src/wal.cc", 1984});
  scene.called_from(loop, kLoop);
  scene.called_from(monitor, kMonitor);
  scene[loop].holds[0].frame = 1;
  scene.cycle({monitor, loop});
  scene.report.locks[node].owner_word = 100;
}

}  // namespace

Report abba() {
  ReportScene scene(FindingKind::kDeadlock, "chronikd", 77);
  make_abba(scene);
  add_idle_workers(scene, 3);
  add_ours(scene);
  return scene.report;
}

Report abba_with_crowd() {
  ReportScene scene(FindingKind::kDeadlock, "chronikd", 77);
  make_abba(scene);
  for (std::uint32_t i = 0; i < 9; ++i) {
    const auto rpc = scene.thread(300 + i, "rpc-" + std::to_string(i));
    scene.waits(rpc, WaitKind::kMutex, 0, (100 - i * 8) * kMillisecond,
                {"RaftNode::propose(std::string const&)", "src/raft.cc", 233});
    scene.called_from(rpc, {{"Rpc::serve()", "src/rpc.cc", 61}, {"clone3", "", 0}});
    scene.behind(rpc, 1);
  }
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto stats = scene.thread(320 + i, "stats-" + std::to_string(i));
    scene.waits(stats, WaitKind::kMutex, 1, (50 - i) * kMillisecond,
                {"Stats::beats()", "src/stats.cc", 12});
    scene.behind(stats, 0);
  }
  add_idle_workers(scene, 3);
  return scene.report;
}

Report three_way() {
  ReportScene scene(FindingKind::kDeadlock, "session-server", 910);
  const auto engine = scene.thread(911, "engine");
  const auto session = scene.thread(912, "session-a");
  const auto handler = scene.thread(913, "handler");
  const auto registry = scene.lock("registry", LockKind::kMutex);
  const auto a = scene.lock("", LockKind::kRwlock, Memory::kHeap);
  const auto h = scene.lock("Handler::mu", LockKind::kMutex, Memory::kHeap);
  scene.report.locks[a].variety = "prefers writers";
  scene.took(engine, registry, 2 * kSecond, {"Engine::sweep()", "engine.cc", 40});
  scene.took(session, a, 3 * kSecond, {"Session::run()", "session.cc", 77}, true);
  scene.took(handler, h, 2500 * kMillisecond, {"Handler::call()", "handler.cc", 15});
  scene.waits(engine, WaitKind::kWrite, a, 180 * kMillisecond,
              {"Session::expire()", "session.cc", 120});
  scene.waits(session, WaitKind::kMutex, h, 175 * kMillisecond,
              {"Handler::enter()", "handler.cc", 9});
  scene.waits(handler, WaitKind::kMutex, registry, 160 * kMillisecond,
              {"Engine::find<Session>(Key<Session, int> const&)", "engine.cc", 66});
  scene.cycle({engine, session, handler});
  return scene.report;
}

Report philosophers(std::uint32_t n) {
  ReportScene scene(FindingKind::kDeadlock, "dining", 500);
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < n; ++i) {
    all.push_back(scene.thread(501 + i, "philosopher-" + std::to_string(i)));
    scene.lock("forks+" + std::string(i == 0 ? "0x0" : ""), LockKind::kMutex);
    scene.report.locks.back().name = i == 0 ? "forks" : "forks+" + std::to_string(40 * i);
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    scene.took(all[i], i, 1200 * kMillisecond, {"Table::dine(int)", "table.cc", 31});
    scene.waits(all[i], WaitKind::kMutex, (i + 1) % n, (150 - i) * kMillisecond,
                {"Table::dine(int)", "table.cc", 32});
    scene.called_from(all[i], {{"clone3", "", 0}});
  }
  scene.cycle(all);
  return scene.report;
}

Report waiting_writer() {
  ReportScene scene(FindingKind::kDeadlock);
  const auto reader = scene.thread(4301, "sync-2");
  const auto writer = scene.thread(4302, "stream-load");
  const auto mu = scene.lock("Stream::mu", LockKind::kRwlock, Memory::kHeap);
  scene.report.locks[mu].variety = "prefers writers";
  scene.took(reader, mu, 900 * kMillisecond, {"Stream::tryGetView()", "stream.cc", 564}, true);
  scene.waits(writer, WaitKind::kWrite, mu, 400 * kMillisecond,
              {"Stream::lockMuAndLoadView()", "stream.cc", 142});
  scene.waits(reader, WaitKind::kRead, mu, 200 * kMillisecond,
              {"Stream::lastMiniblock()", "stream.cc", 601});
  scene.called_from(reader, {{"Stream::tryGetView()", "stream.cc", 570}, {"clone3", "", 0}});
  scene.cycle({reader, writer});
  scene.report.finding.cycle[0].reason = LinkReason::kWaitingWriter;
  const auto late = scene.thread(4303, "rpc-7");
  scene.waits(late, WaitKind::kRead, mu, 90 * kMillisecond,
              {"Stream::tryGetView()", "stream.cc", 564});
  scene.behind(late, writer, LinkReason::kWaitingWriter);
  return scene.report;
}

Report join_under_lock() {
  ReportScene scene(FindingKind::kDeadlock, "indexer", 62);
  const auto owner = scene.thread(62, "indexer");
  const auto worker = scene.thread(63, "merge");
  const auto mu = scene.lock("Index::mu", LockKind::kMutex);
  scene.took(owner, mu, 5 * kSecond, {"Index::close()", "index.cc", 301});
  scene.joins(owner, worker, 4900 * kMillisecond, {"Index::close()", "index.cc", 305});
  scene.waits(worker, WaitKind::kMutex, mu, 210 * kMillisecond,
              {"Index::publish(Segment&&)", "index.cc", 188});
  scene.called_from(owner, {{"main", "main.cc", 44}});
  scene.called_from(worker, {{"Merger::run()", "merger.cc", 90}, {"clone3", "", 0}});
  scene.cycle({owner, worker});
  return scene.report;
}

Report relock() {
  ReportScene scene(FindingKind::kSelfDeadlock, "chronikd", 77);
  const auto loop = scene.thread(100, "raft-loop");
  const auto node = scene.lock("raft_node", LockKind::kMutex);
  scene.took(loop, node, 300 * kMillisecond, {"RaftNode::handleReady()", "src/raft.cc", 1006});
  scene.waits(loop, WaitKind::kMutex, node, 130 * kMillisecond,
              {"RaftNode::applyConfChange(raft::ConfChange const&)", "src/raft.cc", 1106});
  scene.called_from(loop, {{"RaftNode::handleReady()", "src/raft.cc", 1044}});
  scene.called_from(loop, kLoop);
  scene[loop].holds[0].frame = 1;
  scene.cycle({loop});
  const auto http = scene.thread(120, "http-0");
  scene.waits(http, WaitKind::kMutex, node, 40 * kMillisecond,
              {"RaftNode::status() const", "src/raft.cc", 88});
  scene.behind(http, loop);
  return scene.report;
}

Report refused_relock() {
  ReportScene scene(FindingKind::kSelfDeadlock, "chronikd", 77);
  const auto loop = scene.thread(100, "raft-loop");
  const auto node = scene.lock("raft_node", LockKind::kRwlock);
  const At asked{"RaftNode::applyConfChange(raft::ConfChange const&)", "src/raft.cc", 1106};
  scene.took(loop, node, 300 * kMillisecond, {"RaftNode::handleReady()", "src/raft.cc", 1006});
  scene.sleeps(loop, "clock_nanosleep", "1s asked for", 0);
  scene.stack(loop, [&](symbolize::Stack& stack) { stack.frames = {scene.frame(asked)}; });
  scene.called_from(loop, kLoop);
  scene.root(loop, node);
  Finding& finding = scene.report.finding;
  finding.misuse = MisuseKind::kRefusedRelock;
  finding.cycle.push_back({loop, loop, node, LinkReason::kHolder});
  finding.call = scene.frame(asked);
  return scene.report;
}

Report join_ring() {
  ReportScene scene(FindingKind::kDeadlock, "joiners", 60);
  const auto a = scene.thread(61, "a");
  const auto b = scene.thread(62, "b");
  scene.joins(a, b, 90 * kMillisecond, {"join_b()", "ring.cc", 10});
  scene.joins(b, a, 80 * kMillisecond, {"join_a()", "ring.cc", 20});
  scene.cycle({a, b});
  return scene.report;
}

Report once_within_itself() {
  ReportScene scene(FindingKind::kSelfDeadlock, "decoder", 50);
  const auto decoder = scene.thread(51, "decoder");
  const auto once = scene.lock("codec_once", LockKind::kOnce);
  scene.took(decoder, once, 300 * kMillisecond, {"codec()", "codec.cc", 31});
  scene.waits(decoder, WaitKind::kOnce, once, 290 * kMillisecond, {"register()", "codec.cc", 19});
  scene.cycle({decoder});
  return scene.report;
}

Report once_and_lock() {
  ReportScene scene(FindingKind::kDeadlock, "server", 50);
  const auto server = scene.thread(51, "server");
  const auto loader = scene.thread(52, "plugin-loader");
  const auto once = scene.lock("config_once", LockKind::kOnce);
  const auto registry = scene.lock("registry_mutex", LockKind::kMutex);
  scene.took(server, once, 300 * kMillisecond, {"serve()", "init.cc", 56});
  scene.took(loader, registry, 300 * kMillisecond, {"load()", "init.cc", 61});
  scene.waits(server, WaitKind::kMutex, registry, 250 * kMillisecond, {"read()", "init.cc", 50});
  scene.waits(loader, WaitKind::kOnce, once, 240 * kMillisecond, {"load()", "init.cc", 63});
  scene.cycle({server, loader});
  return scene.report;
}

// Taken in a way that nobody saw: libc's word alone names the owner.
Report unseen_relock() {
  ReportScene scene(FindingKind::kSelfDeadlock, "settings", 50);
  const auto reader = scene.thread(51, "reader");
  const auto lock = scene.lock("settings_lock", LockKind::kMutex);
  scene.waits(reader, WaitKind::kMutex, lock, 250 * kMillisecond, {"read()", "settings.cc", 12});
  scene.report.locks[lock].owner_word = 51;
  scene.cycle({reader});
  return scene.report;
}

Report upgrade() {
  ReportScene scene(FindingKind::kSelfDeadlock, "shardd", 31);
  const auto sweeper = scene.thread(35, "sweeper");
  const auto shard = scene.lock("", LockKind::kRwlock, Memory::kHeap);
  scene.took(sweeper, shard, 300 * kMillisecond,
             {"ShardMap<Key, Value>::forEach(int)", "shard_map.h", 61}, true);
  scene.waits(sweeper, WaitKind::kWrite, shard, 250 * kMillisecond,
              {"ShardMap<Key, Value>::remove(Key const&)", "shard_map.h", 88});
  scene.called_from(sweeper,
                    {{"Sweeper::drop(Key const&)::{lambda(Value const&)#1}::operator()(Value "
                      "const&) const",
                      "sweeper.cc", 20},
                     {"ShardMap<Key, Value>::forEach(int)", "shard_map.h", 66},
                     {"Sweeper::run()", "sweeper.cc", 12}});
  // Inlined into one another.
  scene.stack(sweeper, [](symbolize::Stack& stack) {
    stack.frames[1].sources.push_back({"Sweeper::each()", "sweeper.cc", 31});
  });
  scene.cycle({sweeper});
  return scene.report;
}

Report in_handler() {
  ReportScene scene(FindingKind::kSelfDeadlock, "collector", 88);
  const auto main = scene.thread(88, "collector");
  const auto q = scene.lock("queue_lock", LockKind::kMutex);
  scene.took(main, q, 800 * kMillisecond, {"Queue::push(int)", "queue.c", 30});
  scene.waits(main, WaitKind::kMutex, q, 700 * kMillisecond, {"on_usr1", "queue.c", 77});
  scene[main].wait->in_signal_handler = true;
  symbolize::Frame delivered = scene.frame({"__restore_rt", "", 0});
  delivered.signal = true;
  scene.stack(main, [&](symbolize::Stack& stack) { stack.frames.push_back(delivered); });
  scene.called_from(main, {{"Queue::push(int)", "queue.c", 33}, {"main", "main.c", 12}});
  scene.cycle({main});
  return scene.report;
}

}  // namespace impasse::report
