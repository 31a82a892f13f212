// Reports of orders that contradict each other, and of what weakens them.
#include "scenes.h"

namespace impasse::report {
namespace {

using Callers = std::vector<At>;

const Callers kMonitor = {{"TimeoutMonitor::checkTimeouts()", "src/wal.cc", 1980},
                          {"TimeoutMonitor::run()", "src/wal.cc", 1902},
                          {"start_thread", "", 0},
                          {"clone3", "", 0}};
const Callers kLoop = {{"RaftNode::processReady(raft::Ready const&)", "src/raft.cc", 612},
                       {"RaftNode::run()", "src/raft.cc", 480},
                       {"start_thread", "", 0},
                       {"clone3", "", 0}};

struct Taken {
  std::uint32_t lock = kNobody;
  At where;
  bool shared = false;
};

void idle(ReportScene& scene, std::uint32_t thread) {
  scene.sleeps(thread, "epoll_wait", "fd 5", 2 * kSecond);
  scene.called_from(thread, {{"Loop::poll()", "src/loop.cc", 33}, {"clone3", "", 0}});
}

// `thread` took `to`, with `callers`, while it had `from`; the first sight was so long ago.
Order& order(ReportScene& scene, std::uint32_t thread, const Taken& from, const Taken& to,
             const Callers& callers, std::uint64_t ago) {
  Order one;
  one.from = from.lock;
  one.to = to.lock;
  one.from_shared = from.shared;
  one.to_shared = to.shared;
  one.thread = thread;
  one.tid = scene[thread].tid;
  one.thread_name = scene[thread].name;
  one.from_site = scene.frame(from.where);
  one.to_site = scene.frame(to.where);
  symbolize::Stack stack;
  stack.frames = {one.to_site};
  for (const At& caller : callers) stack.frames.push_back(scene.frame(caller));
  stack.whole = true;
  one.stack = scene.report.stacks.keep(std::move(stack));
  one.first_ns = kNow - ago;
  one.last_ns = one.first_ns;
  scene[thread].involved = true;
  if (scene[thread].stack == symbolize::kNoStack) idle(scene, thread);
  scene.report.finding.orders.push_back(std::move(one));
  return scene.report.finding.orders.back();
}

struct Pair {
  std::uint32_t monitor;
  std::uint32_t loop;
  std::uint32_t node;
  std::uint32_t beats;
};

Pair make_pair_of_orders(ReportScene& scene) {
  const Pair all = {scene.thread(101, "raft-monitor"), scene.thread(100, "raft-loop"),
                    scene.lock("raft_node", LockKind::kMutex),
                    scene.lock("heartbeats", LockKind::kMutex)};
  order(scene, all.monitor, {all.beats, {"TimeoutMonitor::checkTimeouts()", "src/wal.cc", 1971}},
        {all.node, {"TimeoutMonitor::triggerElection(unsigned long)", "src/wal.cc", 1984}},
        kMonitor, 641 * kSecond)
      .from_frame = 1;
  order(scene, all.loop, {all.node, {"RaftNode::handleReady()", "src/raft.cc", 1006}},
        {all.beats, {"RaftNode::applyConfChange(raft::ConfChange const&)", "src/raft.cc", 1217}},
        kLoop, 12 * kSecond);
  return all;
}

}  // namespace

// The first lock of the second order was taken in a function that has returned.
Report order_of_two() {
  ReportScene scene(FindingKind::kLockOrder, "chronikd", 77);
  const Pair all = make_pair_of_orders(scene);
  Order& first = scene.report.finding.orders[0];
  first.seen = 3;
  first.threads = 2;
  first.last_ns = kNow - 3 * kSecond;
  const auto term = scene.lock("term", LockKind::kRwlock);
  first.others = {
      {term, true, scene.frame({"TimeoutMonitor::checkTimeouts()", "src/wal.cc", 1968})}};
  const auto worker = scene.thread(200, "worker-0");
  idle(scene, worker);
  scene.report.locks[all.node].contended = 4;
  return scene.report;
}

// As it is written before anything is looked up; the stacks go on beyond what was copied.
Report order_of_three_raw() {
  ReportScene scene(FindingKind::kLockOrder, "session-server", 910);
  std::vector<std::uint32_t> locks;
  for (int i = 0; i < 3; ++i) {
    locks.push_back(scene.lock("", i == 1 ? LockKind::kRwlock : LockKind::kMutex, Memory::kHeap));
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto thread = scene.thread(911 + i, i == 2 ? "" : "session-" + std::to_string(i));
    order(scene, thread, {locks[i], {"take", "s.cc", 10 + i}},
          {locks[(i + 1) % 3], {"take_next", "s.cc", 20 + i}}, {{"run", "s.cc", 30 + i}},
          (90 - i) * kSecond)
        .from_frame = i == 0 ? 1 : kNobody;
  }
  const auto forget = [](symbolize::Frame& frame) {
    frame.sources.clear();
    frame.function_offset = 0;
  };
  for (Order& order : scene.report.finding.orders) {
    forget(order.from_site);
    forget(order.to_site);
    symbolize::Stack stack = scene.report.stack_of(order);
    for (symbolize::Frame& frame : stack.frames) forget(frame);
    stack.whole = false;
    stack.trouble = "the stack was copied up to here";
    order.stack = scene.report.stacks.keep(std::move(stack));
  }
  scene.report.named = false;
  scene.report.names_trouble = "names are being looked up";
  return scene.report;
}

Report order_timed() {
  ReportScene scene(FindingKind::kLockOrder, "chronikd", 77);
  make_pair_of_orders(scene);
  scene.report.finding.orders[1].to_timed = true;
  scene.report.finding.doubt = OrderDoubt::kTimed;
  return scene.report;
}

// One of them was seen before the other's thread was made, and that thread has ended.
Report order_in_phases() {
  ReportScene scene(FindingKind::kLockOrder, "chronikd", 77);
  const Pair all = make_pair_of_orders(scene);
  scene.report.finding.doubt = OrderDoubt::kPhases;
  scene.report.finding.orders[0].thread = kNobody;
  scene.report.finding.orders[0].first_ns = kNow - 11'000 * kSecond;
  scene.report.finding.orders[0].last_ns = 0;
  scene[all.monitor] = scene[all.loop];
  scene.report.threads.pop_back();
  scene.report.finding.orders[1].thread = all.monitor;
  return scene.report;
}

// Four accounts, none of which was in both.
Report order_of_class() {
  ReportScene scene(FindingKind::kLockOrder, "bank", 50);
  std::vector<std::uint32_t> mu;
  for (int i = 0; i < 4; ++i) mu.push_back(scene.lock("", LockKind::kMutex, Memory::kHeap));
  const At first = {"Bank::transfer(Account&, Account&)", "bank.cc", 40};
  const At second = {"Bank::transfer(Account&, Account&)", "bank.cc", 41};
  const auto day = scene.thread(51, "teller-0");
  const auto night = scene.thread(52, "teller-1");
  order(scene, day, {mu[0], first}, {mu[1], second}, {{"Teller::run()", "bank.cc", 77}}, kSecond)
      .from_frame = 0;
  order(scene, night, {mu[2], first}, {mu[3], second}, {{"Teller::run()", "bank.cc", 77}},
        2 * kSecond)
      .from_frame = 0;
  scene.report.finding.doubt = OrderDoubt::kClass;
  return scene.report;
}

Report order_of_reader_again() {
  ReportScene scene(FindingKind::kLockOrder);
  const auto reader = scene.thread(4301, "sync-2");
  const auto mu = scene.lock("Stream::mu", LockKind::kRwlock, Memory::kHeap);
  scene.report.locks[mu].variety = "prefers writers";
  Order& again =
      order(scene, reader, {mu, {"Stream::tryGetView()", "stream.cc", 564}, true},
            {mu, {"Stream::lastMiniblock()", "stream.cc", 601}, true},
            {{"Stream::tryGetView()", "stream.cc", 570}, {"clone3", "", 0}}, 30 * kSecond);
  again.from_frame = 1;
  again.seen = 5;
  again.threads = 4;
  return scene.report;
}

// Both read the map: it takes a writer that comes between.
Report order_of_readers() {
  ReportScene scene(FindingKind::kLockOrder, "shardd", 31);
  const auto sweeper = scene.thread(35, "sweeper");
  const auto loader = scene.thread(36, "loader");
  const auto map = scene.lock("shard_map", LockKind::kRwlock);
  const auto log = scene.lock("log_mu", LockKind::kMutex);
  scene.report.locks[map].variety = "prefers writers";
  order(scene, sweeper, {map, {"Sweeper::run()", "sweeper.cc", 12}, true},
        {log, {"Log::write()", "log.cc", 8}}, {{"Sweeper::run()", "sweeper.cc", 15}}, 9 * kSecond)
      .from_frame = 1;
  order(scene, loader, {log, {"Log::rotate()", "log.cc", 60}},
        {map, {"ShardMap::names() const", "shard_map.cc", 44}, true},
        {{"Log::rotate()", "log.cc", 66}}, 5 * kSecond)
      .from_frame = 1;
  return scene.report;
}

// The mutex of a condition wait is taken again under a lock that was kept all the while. What its
// threads do now has nothing to do with it.
Report order_of_condition_wait() {
  ReportScene scene(FindingKind::kLockOrder, "indexer", 62);
  const auto merger = scene.thread(63, "merge");
  const auto closer = scene.thread(64, "close");
  const auto index = scene.lock("Index::mu", LockKind::kMutex);
  const auto queue = scene.lock("Queue::mu", LockKind::kMutex);
  Order& kept = order(scene, merger, {index, {"Index::publish(Segment&&)", "index.cc", 188}},
                      {queue, {"Queue::wait()", "queue.cc", 30}},
                      {{"Index::publish(Segment&&)", "index.cc", 190}}, 7 * kSecond);
  kept.again = true;
  kept.from_frame = 1;
  order(scene, closer, {queue, {"Queue::close()", "queue.cc", 50}},
        {index, {"Index::close()", "index.cc", 301}}, {{"Queue::close()", "queue.cc", 52}},
        6 * kSecond)
      .from_frame = 1;
  for (Thread& thread : scene.report.threads) thread.involved = false;
  return scene.report;
}

Report order_of_many(std::uint32_t n) {
  ReportScene scene(FindingKind::kLockOrder, "dining", 500);
  for (std::uint32_t i = 0; i < n; ++i) {
    scene.lock(i == 0 ? "forks" : "forks+" + std::to_string(40 * i), LockKind::kMutex);
    scene.thread(501 + i, "philosopher-" + std::to_string(i));
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    order(scene, i, {i, {"Table::dine(int)", "table.cc", 31}},
          {(i + 1) % n, {"Table::dine(int)", "table.cc", 32}}, {{"clone3", "", 0}},
          (100 - i) * kSecond)
        .from_frame = 0;
  }
  return scene.report;
}

// As long as names may be without being hostile; two locks that have the same one.
Report order_with_long_names() {
  ReportScene scene(FindingKind::kLockOrder, "session-server", 910);
  const std::string longest = "river::storage::(anonymous namespace)::SessionRegistry::instance_";
  const auto a = scene.lock(longest, LockKind::kMutex);
  const auto b = scene.lock(longest, LockKind::kMutex);
  const auto one = scene.thread(4'111'911, "session-a-fifteen");
  const auto two = scene.thread(4'111'912, "");
  const At first = {"river::storage::SessionRegistry::forEachOf<river::storage::Session>(int)",
                    "src/storage/very/deep/below/session_registry.cc", 1044};
  const At second = {"river::storage::Session::expireAllThatAreOlderThan(std::chrono::seconds)",
                     "src/storage/very/deep/below/session.cc", 2120};
  order(scene, one, {a, first}, {b, second}, {first}, 3 * kSecond).from_frame = 1;
  order(scene, two, {b, second}, {a, first}, {second}, 2 * kSecond).from_frame = 1;
  return scene.report;
}

Report hostile_order() {
  Report report = order_of_two();
  const std::string hostile = std::string("\x1b[31m\x00\xff\xc3\x28\x01\n\t\"\\ x", 15);
  for (Order& order : report.finding.orders) {
    order.thread_name = hostile + std::string(5'000, 'n');
    order.from_site.sources = {{hostile + std::string(20'000, '<'), hostile, 3}};
    order.to_site.sources = {{std::string(20'000, '(') + hostile, hostile, 0}};
    order.others.assign(50, {0, true, order.to_site});
    order.seen = ~std::uint64_t{0};
    order.threads = ~std::uint64_t{0};
    order.first_ns = 1;
    order.last_ns = ~std::uint64_t{0};
  }
  for (Lock& lock : report.locks) lock.name = hostile + std::string(10'000, 'x');
  return report;
}

}  // namespace impasse::report
