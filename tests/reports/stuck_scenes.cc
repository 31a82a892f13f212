// Threads that wait for what only each other gave: conditions, semaphores, and a whole process.
#include "scenes.h"

namespace impasse::report {
namespace {

const std::vector<At> kStart = {{"start_thread", "", 0}, {"clone3", "", 0}};

void add_acceptor(ReportScene& scene, std::uint32_t tid) {
  const auto acceptor = scene.thread(tid, "acceptor");
  scene.sleeps(acceptor, "accept4", "fd 5, tcp 0.0.0.0:8080, listening", 41 * kSecond);
  scene.called_from(acceptor, {{"Server::run()", "src/server.cc", 40}});
  scene.called_from(acceptor, kStart);
}

void give_back(ReportScene& scene, std::uint32_t thread, std::uint32_t mutex, std::uint64_t ago,
               const At& where) {
  scene[thread].wait->mutex = mutex;
  scene.took(thread, mutex, ago, where);
  scene[thread].holds.back().phase = hold_phase::kGivenBack;
}

}  // namespace

// Eight workers take jobs from a queue and put new ones into it: all of them came to put at once.
Report full_queue() {
  ReportScene scene(FindingKind::kStuckCondition, "pipeline", 500);
  scene.report.finding.certain = false;
  const auto not_full = scene.lock("jobs+0x58", LockKind::kCondition);
  const auto mutex = scene.lock("jobs", LockKind::kMutex);
  const At put{"Queue<Job>::put(Job)", "src/queue.h", 41};
  std::vector<std::uint32_t> workers;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto worker = scene.thread(501 + i, "worker-" + std::to_string(i));
    scene.waits(worker, WaitKind::kCondition, not_full, (1340 - 30 * i) * kMillisecond, put);
    give_back(scene, worker, mutex, (1400 - 30 * i) * kMillisecond, put);
    scene.called_from(worker, {{"Stage::run()", "src/stage.cc", 88}});
    scene.called_from(worker, kStart);
    scene.signals(worker, not_full, SignalKind::kSignal, 260 + i, (1500 + 40 * i) * kMillisecond,
                  {"Queue<Job>::take()", "src/queue.h", 58});
    workers.push_back(worker);
  }
  for (const std::uint32_t worker : workers) {
    scene.behind(worker, workers.front(), LinkReason::kSignaller);
  }
  scene.root(kNobody, not_full);
  add_acceptor(scene, 520);
  return scene.report;
}

// Each side waits until the other has made room, or has sent something.
Report crosswise_conditions() {
  ReportScene scene(FindingKind::kStuckCondition, "relay", 810);
  scene.report.finding.certain = false;
  const auto reader = scene.thread(812, "reader");
  const auto writer = scene.thread(813, "writer");
  const auto not_empty = scene.lock("not_empty", LockKind::kCondition);
  const auto not_full = scene.lock("not_full", LockKind::kCondition);
  const auto in = scene.lock("in_mutex", LockKind::kMutex);
  const auto out = scene.lock("out_mutex", LockKind::kMutex);
  const At take{"Buffer::take()", "buffer.cc", 33};
  const At put{"Buffer::put(Packet)", "buffer.cc", 52};
  scene.waits(reader, WaitKind::kCondition, not_empty, 1210 * kMillisecond, take);
  give_back(scene, reader, in, 1220 * kMillisecond, take);
  scene.called_from(reader, {{"Relay::read_loop()", "relay.cc", 70}, {"clone3", "", 0}});
  scene.waits(writer, WaitKind::kCondition, not_full, 1190 * kMillisecond, put);
  give_back(scene, writer, out, 1220 * kMillisecond, put);
  scene.called_from(writer, {{"Relay::write_loop()", "relay.cc", 91}, {"clone3", "", 0}});
  scene.signals(writer, not_empty, SignalKind::kSignal, 41, 3210 * kMillisecond,
                {"Buffer::put(Packet)", "buffer.cc", 57});
  scene.signals(reader, not_full, SignalKind::kSignal, 40, 3260 * kMillisecond,
                {"Buffer::take()", "buffer.cc", 38});
  scene.signals(reader, not_full, SignalKind::kBroadcast, 1, 9 * kSecond,
                {"Buffer::clear()", "buffer.cc", 80});
  scene.behind(reader, writer, LinkReason::kSignaller);
  scene.behind(writer, reader, LinkReason::kSignaller);
  scene.root(kNobody, not_empty);
  add_acceptor(scene, 811);
  const auto log = scene.thread(814, "log");
  scene.sleeps(log, "clock_nanosleep", "1s", 300 * kMillisecond);
  return scene.report;
}

// The worker keeps the registry while it waits to be told; who would tell it needs the registry.
Report lock_kept_in_wait() {
  ReportScene scene(FindingKind::kStuckCondition, "gateway", 830);
  scene.report.finding.certain = false;
  const auto worker = scene.thread(831, "worker-1");
  const auto feeder = scene.thread(832, "feeder");
  const auto late = scene.thread(833, "rpc-7");
  const auto ready = scene.lock("", LockKind::kCondition, Memory::kHeap);
  const auto ready_mutex = scene.lock("", LockKind::kMutex, Memory::kHeap);
  const auto registry = scene.lock("registry", LockKind::kRwlock);
  const At await{"Session::await_ready()", "src/session.cc", 133};
  scene.took(worker, registry, 6 * kSecond, {"Registry::open(int)", "src/registry.cc", 40});
  scene.waits(worker, WaitKind::kCondition, ready, 5900 * kMillisecond, await);
  give_back(scene, worker, ready_mutex, 5900 * kMillisecond, await);
  scene.called_from(worker, {{"Registry::open(int)", "src/registry.cc", 47}});
  scene.called_from(worker, kStart);
  scene[worker].holds[0].frame = 1;
  scene.signals(feeder, ready, SignalKind::kBroadcast, 12, 7 * kSecond,
                {"Feeder::announce()", "src/feeder.cc", 77});
  const At find{"Registry::find(int) const", "src/registry.cc", 66};
  scene.waits(feeder, WaitKind::kRead, registry, 5200 * kMillisecond, find);
  scene.called_from(feeder, {{"Feeder::announce()", "src/feeder.cc", 70}});
  scene.called_from(feeder, kStart);
  scene.waits(late, WaitKind::kRead, registry, 800 * kMillisecond, find);
  scene.called_from(late, {{"Rpc::serve()", "src/rpc.cc", 61}, {"clone3", "", 0}});
  scene.behind(worker, feeder, LinkReason::kSignaller);
  scene.behind(feeder, worker);
  scene.behind(late, worker);
  scene.root(kNobody, ready);
  scene.report.locks[ready].signallers_ended = true;
  scene.report.locks[ready].signallers_maker = feeder;
  add_acceptor(scene, 834);
  return scene.report;
}

// Three stages, each posts to the next one once it got its own token; the first one was lost.
Report semaphore_ring() {
  ReportScene scene(FindingKind::kStuckCondition, "carousel", 840);
  scene.report.finding.certain = false;
  std::vector<std::uint32_t> stages;
  for (std::uint32_t i = 0; i < 3; ++i) {
    stages.push_back(scene.thread(841 + i, "stage-" + std::to_string(i)));
    scene.lock("tokens+" + std::to_string(32 * i), LockKind::kSemaphore);
  }
  scene.report.locks[0].name = "tokens";
  for (std::uint32_t i = 0; i < 3; ++i) {
    scene.waits(stages[i], WaitKind::kSemaphore, i, (900 - 50 * i) * kMillisecond,
                {"Stage::turn()", "carousel.c", 21});
    scene.called_from(stages[i], {{"Stage::run()", "carousel.c", 30}, {"clone3", "", 0}});
    scene.signals(stages[i], (i + 1) % 3, SignalKind::kPost, 1'000 + i,
                  (950 + 10 * i) * kMillisecond, {"Stage::turn()", "carousel.c", 24});
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    scene.behind(stages[i], stages[(i + 2) % 3], LinkReason::kSignaller);
  }
  scene.root(kNobody, 0);
  add_acceptor(scene, 840);
  return scene.report;
}

Report all_asleep(bool certain) {
  ReportScene scene(FindingKind::kAllAsleep, "batch", 900);
  scene.report.finding.certain = certain;
  const auto main = scene.thread(900, "batch");
  const auto not_empty = scene.lock("work+0x30", LockKind::kCondition);
  const auto mutex = scene.lock("work", LockKind::kMutex);
  const auto phase = scene.lock("", LockKind::kBarrier, Memory::kHeap);
  const auto done = scene.lock("done", LockKind::kSemaphore);
  std::vector<std::uint32_t> workers;
  const At next{"Work::next()", "work.cc", 19};
  for (std::uint32_t i = 0; i < 6; ++i) {
    const auto worker = scene.thread(901 + i, "");
    scene.waits(worker, WaitKind::kCondition, not_empty, (4000 - 100 * i) * kMillisecond, next);
    give_back(scene, worker, mutex, 4 * kSecond, next);
    scene.called_from(worker, {{"Work::loop()", "work.cc", 44}, {"clone3", "", 0}});
    workers.push_back(worker);
  }
  const auto merger = scene.thread(907, "merger");
  scene.waits(merger, WaitKind::kBarrier, phase, 3800 * kMillisecond, {"merge", "merge.c", 9});
  scene.called_from(merger, {{"clone3", "", 0}});
  const auto watcher = scene.thread(908, "watcher");
  scene.waits(watcher, WaitKind::kSemaphore, done, 9 * kSecond, {"watch", "watch.c", 12});
  scene.called_from(watcher, {{"clone3", "", 0}});
  scene.joins(main, workers[0], 12 * kSecond, {"Work::finish()", "work.cc", 60});
  scene.called_from(main, {{"main", "main.cc", 31}});
  scene.signals(main, not_empty, SignalKind::kSignal, 600, 12'100 * kMillisecond,
                {"Work::add(Job)", "work.cc", 12});
  for (const std::uint32_t worker : workers) scene.behind(worker, main, LinkReason::kSignaller);
  scene.behind(merger, kNobody);
  scene.behind(watcher, kNobody);
  scene.behind(main, workers[0]);
  scene.root(kNobody, not_empty);
  return scene.report;
}

// Where the main thread joins those that filled their queue.
Report full_queue_and_main() {
  Report report = full_queue();
  report.finding.kind = FindingKind::kAllAsleep;
  report.finding.certain = true;
  Thread& main = report.threads.back();
  main.name = "pipeline";
  main.activity = {};
  main.activity.kind = system::ActivityKind::kInWait;
  main.involved = true;
  Wait& wait = main.wait.emplace();
  wait.kind = WaitKind::kJoin;
  wait.object = 0x7f31bb7fe6c0;
  wait.thread = 0;
  wait.since_ns = kNow - 30 * kSecond;
  wait.site = report.stack_of(main).frames[1];
  const auto index = static_cast<std::uint32_t>(report.threads.size() - 1);
  edit_stack(report, index,
             [](symbolize::Stack& stack) { stack.frames.erase(stack.frames.begin()); });
  report.finding.crowd.push_back({index, 0, kNobody, LinkReason::kJoin});
  return report;
}

// The one thread of a forked child waits for threads that its parent had.
Report asleep_alone() {
  ReportScene scene(FindingKind::kAllAsleep, "prefork", 950);
  const auto child = scene.thread(950, "prefork");
  const auto ready = scene.lock("pool_ready", LockKind::kCondition);
  const auto mutex = scene.lock("pool_mutex", LockKind::kMutex);
  const At where{"pool_start", "pool.c", 80};
  scene.waits(child, WaitKind::kCondition, ready, 600 * kMillisecond, where);
  give_back(scene, child, mutex, 600 * kMillisecond, where);
  scene.called_from(child, {{"child_main", "prefork.c", 77}, {"main", "prefork.c", 130}});
  scene.behind(child, kNobody, LinkReason::kSignaller);
  scene.root(kNobody, ready);
  return scene.report;
}

// The root of a long wait is in no system call of its own: it waits to be signalled.
Report waits_under_lock() {
  ReportScene scene(FindingKind::kLongWait, "cache", 970);
  const auto holder = scene.thread(971, "refresh");
  const auto feeder = scene.thread(972, "feeder");
  const auto mutex = scene.lock("Cache::mu", LockKind::kMutex);
  const auto fresh = scene.lock("Cache::fresh", LockKind::kCondition);
  scene.took(holder, mutex, 61 * kSecond, {"Cache::refresh()", "cache.cc", 30});
  scene.waits(holder, WaitKind::kCondition, fresh, 60 * kSecond,
              {"Cache::refresh()", "cache.cc", 36});
  scene.called_from(holder, kStart);
  scene.signals(feeder, fresh, SignalKind::kSignal, 41, 61 * kSecond,
                {"Feeder::put()", "feeder.cc", 77});
  scene.signals(kNobody, fresh, SignalKind::kSignal, 2, 80 * kSecond,
                {"Loader::end()", "load.cc", 12});
  scene.report.locks[fresh].signallers.back().tid = 969;
  scene.report.locks[fresh].signallers.back().name = "loader";
  scene.sleeps(feeder, "recvfrom", "fd 7, tcp 10.0.3.7:51544 → 34.48.18.41:443", 59 * kSecond);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto waiter = scene.thread(980 + i, "get-" + std::to_string(i));
    scene.waits(waiter, WaitKind::kMutex, mutex, (30 - i) * kSecond,
                {"Cache::get(int)", "cache.cc", 90});
    scene.called_from(waiter, kStart);
    scene.behind(waiter, holder);
  }
  scene.root(holder, mutex);
  scene.report.finding.threshold_ns = 10 * kSecond;
  scene.report.finding.changed_hands = 0;
  return scene.report;
}

// Three were to come, and there are two.
Report barrier_too_few() {
  ReportScene scene(FindingKind::kAllAsleep, "rounds", 40);
  const auto bar = scene.lock("bar", LockKind::kBarrier);
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto one = scene.thread(40 + i, "round-" + std::to_string(i));
    scene.waits(one, WaitKind::kBarrier, bar, 330 * kMillisecond, {"round()", "rounds.cc", 22});
    scene.behind(one, kNobody, LinkReason::kSignaller);
  }
  scene.root(kNobody, bar);
  return scene.report;
}

}  // namespace impasse::report
