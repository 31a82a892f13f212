// Who is in a group of threads that are stuck, and who keeps it from being one.
#include "detector/stuck_groups.h"
#include "detector/stuck_set.h"

#include "stuck_groups_scene.h"

namespace impasse {
namespace {

using namespace test;

TEST_F(StuckGroups, AFullQueueThatNobodyDrainsIsTold) {
  fill_the_queue();
  const Verdict verdict = scene_.group();
  EXPECT_EQ(verdict.kind, FindingKind::kStuckCondition);
  EXPECT_FALSE(verdict.certain);
  EXPECT_EQ(waiters_of(verdict), (Threads{a_, b_}));
  EXPECT_EQ(verdict.root_lock, kRoom);
  EXPECT_EQ(verdict.root, kNoOne);
  EXPECT_TRUE(verdict.cycle.empty());
  ASSERT_EQ(verdict.marks.size(), 2U);
  EXPECT_EQ(verdict.marks[0].value, scene_.snapshot.threads[a_].wait->sequence);
  EXPECT_EQ(verdict.longest_ns, test::kLasting * scene_.snapshot.tick_ns);
  for (const VerdictLink& link : verdict.crowd) {
    EXPECT_EQ(link.blocker, b_);  // it signalled last
    EXPECT_EQ(link.reason, LinkReason::kSignaller);
    EXPECT_EQ(link.lock, kRoom);
  }
}

TEST_F(StuckGroups, AnIdlePoolWithALiveProducerIsSilent) {
  fill_the_queue();
  scene_.signals(up_, kRoom);
  EXPECT_TRUE(scene_.silent());
}

// It may be about to signal for the first time.
TEST_F(StuckGroups, WhoHasEverHadTheMutexMaySignal) {
  fill_the_queue();
  scene_.touches(up_, kMutex + 8);
  EXPECT_FALSE(scene_.silent());
  scene_.touches(up_, kMutex);
  EXPECT_TRUE(scene_.silent());
  // It waits with them.
  scene_.waits_for(up_, kRoom, kMutex);
  EXPECT_FALSE(scene_.silent());
}

TEST_F(StuckGroups, WhoHasTakenATokenMayGiveItBack) {
  for (const std::uint32_t worker : {a_, b_}) {
    scene_.waits_to_be_posted(worker, kRoom);
    scene_.posts(worker, kRoom);
    scene_.touches(worker, kRoom);
  }
  EXPECT_FALSE(scene_.silent());
  scene_.touches(up_, kRoom);
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, AProducerInATimedWaitIsAwake) {
  fill_the_queue();
  scene_.signals(up_, kRoom);
  scene_.waits_for(up_, kDone, kMutex).timed = true;
  scene_.signals(a_, kDone);
  EXPECT_TRUE(scene_.silent());
  scene_.snapshot.threads[up_].wait->timed = false;
  EXPECT_FALSE(scene_.silent());
}

TEST_F(StuckGroups, NobodyWasWokenThereBefore) {
  fill_the_queue();
  scene_.object(kRoom).woken_sites = 0;
  EXPECT_TRUE(scene_.silent());
}

// They signalled the same condition to say that they were ready, and wait for their first work.
TEST_F(StuckGroups, TheReadyHandshakeIsNoWork) {
  fill_the_queue();
  scene_.object(kRoom).woken_sites = site_bit(0x77);
  ASSERT_NE(site_bit(0x77), site_bit(scene_.snapshot.threads[a_].wait->site));
  EXPECT_TRUE(scene_.silent());
}

// The same in C++: std::condition_variable waits from one place, deeper or less deep.
TEST_F(StuckGroups, ThePlaceIsMoreThanTheCallSite) {
  fill_the_queue();
  const std::uint64_t site = scene_.snapshot.threads[a_].wait->site;
  const std::uint64_t elsewhere = wait_place(site, 0x1'240);
  ASSERT_NE(site_bit(elsewhere), site_bit(scene_.snapshot.threads[a_].wait->place));
  scene_.object(kRoom).woken_sites = site_bit(site) | site_bit(elsewhere);
  EXPECT_TRUE(scene_.silent());
}

// Who signals again and again means more than to say once that he is ready.
TEST_F(StuckGroups, ManySignalsMeanWhoeverWaits) {
  fill_the_queue();
  scene_.object(kRoom).woken_sites = site_bit(scene_.snapshot.threads[a_].wait->site);
  for (ThreadFact& thread : scene_.snapshot.threads) {
    for (SignalFact& signal : thread.signals) signal.count = kManySignals - 1;
  }
  EXPECT_TRUE(scene_.silent());
  for (ThreadFact& thread : scene_.snapshot.threads) {
    for (SignalFact& signal : thread.signals) signal.count = kManySignals;
  }
  EXPECT_FALSE(scene_.silent());
}

TEST_F(StuckGroups, WhoNeverWasSignalledMayBeBySomebodyNew) {
  scene_.waits_for(a_, kWork, kMutex);
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, NothingIsKnownOfTheObject) {
  fill_the_queue();
  scene_.snapshot.locks.clear();
  EXPECT_TRUE(scene_.silent());
  scene_.object(kRoom, LockKind::kSemaphore).woken_sites = ~std::uint64_t{0};
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, AYoungWaitMayBeOverAlready) {
  fill_the_queue();
  scene_.snapshot.threads[b_].wait->tick = scene_.snapshot.tick - 29;
  EXPECT_TRUE(scene_.silent());
  scene_.snapshot.threads[b_].wait->tick -= 1;
  EXPECT_FALSE(scene_.silent());
}

// Requests go on coming, and wait behind those who are stuck.
TEST_F(StuckGroups, ANewcomerWhoNeverSignalledChangesNothing) {
  fill_the_queue();
  scene_.waits_for(up_, kRoom, kMutex, 1);
  scene_.thread();  // from which they come
  EXPECT_EQ(waiters_of(scene_.group()), (Threads{a_, b_}));
}

TEST_F(StuckGroups, ASignallerEndedWhoseMakerIsAwake) {
  scene_.waits_for(a_, kWork, kMutex);
  scene_.object(kWork).gone_signallers_maker = scene_.snapshot.threads[up_].number;
  EXPECT_TRUE(scene_.silent());
  scene_.joins(up_, a_, test::kLasting);
  const Verdict verdict = scene_.group();
  EXPECT_EQ(waiters_of(verdict), (Threads{a_, up_}));
  ASSERT_FALSE(verdict.crowd.empty());
  EXPECT_EQ(verdict.crowd[0].waiter, a_);
  EXPECT_EQ(verdict.crowd[0].blocker, kNoOne);
  EXPECT_EQ(verdict.crowd[1].blocker, a_);
  EXPECT_EQ(verdict.crowd[1].reason, LinkReason::kJoin);
}

TEST_F(StuckGroups, ASignallerEndedWhoseMakerIsNotKnown) {
  fill_the_queue();
  scene_.object(kRoom).gone_signallers_maker = kSeveralMakers;
  EXPECT_TRUE(scene_.silent());
  scene_.object(kRoom).gone_signallers_maker = 99;  // has ended as well
  EXPECT_TRUE(scene_.silent());
  scene_.object(kRoom).gone_signallers_maker = scene_.snapshot.threads[a_].number;
  EXPECT_FALSE(scene_.silent());
}

// The main thread waits for the last job; its worker has never said "done" yet, another one has.
TEST_F(StuckGroups, AWorkerAtItsFirstJobMayYetSignal) {
  constexpr std::uint64_t kEntry = 0x4000;
  scene_.waits_for(a_, kDone, kMutex);  // the main thread
  scene_.signals(b_, kDone);
  scene_.waits_for(b_, kWork, kMutex);
  scene_.signals(a_, kWork);
  EXPECT_FALSE(scene_.silent());
  scene_.snapshot.threads[b_].entry = kEntry;
  scene_.snapshot.threads[up_].entry = kEntry + 1;
  EXPECT_FALSE(scene_.silent());
  scene_.snapshot.threads[up_].entry = kEntry;
  EXPECT_TRUE(scene_.silent());
  // It is stuck as well.
  scene_.waits_for(up_, kWork, kMutex);
  EXPECT_EQ(waiters_of(scene_.group()).size(), 3U);
}

// A thread for each job: those that are done have ended.
TEST_F(StuckGroups, WhoWasMadeLikeTheEndedMayYetSignal) {
  scene_.waits_for(a_, kDone, kMutex);
  scene_.object(kDone).gone_signallers_maker = scene_.snapshot.threads[a_].number;
  EXPECT_FALSE(scene_.silent());
  scene_.snapshot.threads[up_].maker = scene_.snapshot.threads[a_].number;
  EXPECT_TRUE(scene_.silent());
}

// Who only waits there may wait for something else on the same condition.
TEST_F(StuckGroups, ManySignalsAreForThoseWhoGiveThem) {
  fill_the_queue();
  const auto stop = scene_.thread();
  scene_.waits_for(stop, kRoom, kMutex);
  scene_.object(kRoom).woken_sites = site_bit(scene_.snapshot.threads[a_].wait->site);
  for (ThreadFact& thread : scene_.snapshot.threads) {
    for (SignalFact& signal : thread.signals) signal.count = kManySignals;
  }
  EXPECT_EQ(waiters_of(scene_.group()), (Threads{a_, b_}));
}

TEST_F(StuckGroups, WhoLostItsNotesMaySignalAnything) {
  fill_the_queue();
  scene_.snapshot.threads[up_].signals_lost = true;
  EXPECT_TRUE(scene_.silent());
  scene_.snapshot.threads[up_].signals_lost = false;
  scene_.snapshot.threads[a_].signals_lost = true;
  EXPECT_FALSE(scene_.silent());
}

TEST_F(StuckGroups, AThreadWithoutASlotMaySignalAnything) {
  fill_the_queue();
  scene_.snapshot.counters[k_threads_without_slot] = 1;
  EXPECT_TRUE(scene_.silent());
}

// The consumer keeps a second lock while it waits; the producer needs that one first.
TEST_F(StuckGroups, ASecondLockKeptAcrossTheWait) {
  constexpr std::uint64_t kSecond = 0x20;
  scene_.waits_for(a_, kWork, kMutex);
  scene_.holds(a_, kSecond);
  scene_.wants(b_, kSecond, 50);
  scene_.signals(b_, kWork);
  const Verdict verdict = scene_.group();
  EXPECT_EQ(waiters_of(verdict), (Threads{a_, b_}));
  ASSERT_EQ(verdict.crowd.size(), 2U);
  EXPECT_EQ(verdict.crowd[0].blocker, b_);
  EXPECT_EQ(verdict.crowd[1].blocker, a_);
  EXPECT_EQ(verdict.crowd[1].reason, LinkReason::kHolder);
  EXPECT_EQ(verdict.crowd[1].lock, kSecond);
  EXPECT_EQ(verdict.longest_ns, test::kLasting * scene_.snapshot.tick_ns);
}

TEST_F(StuckGroups, AChainOfPoolsIsAsAwakeAsItsSource) {
  const auto source = scene_.thread();
  scene_.waits_for(a_, kWork, kMutex);
  scene_.signals(b_, kWork);
  scene_.waits_for(b_, kDone, 0x11);
  scene_.signals(source, kDone);
  EXPECT_TRUE(scene_.silent());
  scene_.joins(source, a_, test::kLasting);
  EXPECT_EQ(waiters_of(scene_.group()), (Threads{a_, b_, source}));
}

TEST_F(StuckGroups, OtherProcessesMaySignalWhatIsShared) {
  fill_the_queue();
  scene_.locks[kRoom].between_processes = true;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, MemoryThatIsGoneSaysNothing) {
  fill_the_queue();
  scene_.locks[kRoom].readable = false;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, SemaphoresToo) {
  scene_.waits_to_be_posted(a_, kWork);
  scene_.posts(b_, kWork);
  scene_.waits_to_be_posted(b_, kRoom);
  scene_.posts(a_, kRoom);
  EXPECT_EQ(waiters_of(scene_.group()), (Threads{a_, b_}));
  scene_.locks[kRoom].tokens = 1;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, AHandlerMayPost) {
  fill_the_queue();
  GroupsScene::signals_caught = true;
  EXPECT_FALSE(scene_.silent());
  scene_.waits_to_be_posted(a_, kRoom);
  scene_.object(kRoom).kind = LockKind::kSemaphore;
  scene_.posts(b_, kRoom);
  scene_.snapshot.threads[b_].wait.reset();
  scene_.joins(b_, a_, test::kLasting);
  EXPECT_TRUE(scene_.silent());
  GroupsScene::signals_caught = false;
  EXPECT_FALSE(scene_.silent());
}

TEST_F(StuckGroups, TheMutexIsInUse) {
  fill_the_queue();
  scene_.holds(up_, kMutex);
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, TheMutexIsBeingTaken) {
  fill_the_queue();
  HoldFact& intent = scene_.holds(up_, kMutex);
  intent.phase = hold_phase::kAcquiring;
  intent.tick = static_cast<std::uint32_t>(scene_.snapshot.tick);
  scene_.locks[kMutex].owner = 0;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, OnlyLibcKnowsWhoHasTheMutex) {
  fill_the_queue();
  scene_.locks[kMutex].owner = scene_.tid(up_);
  EXPECT_TRUE(scene_.silent());
  scene_.locks[kMutex].owner = 4'711;
  EXPECT_TRUE(scene_.silent());
  scene_.locks[kMutex].owner = scene_.tid(a_);
  EXPECT_FALSE(scene_.silent());
}

TEST_F(StuckGroups, WhoHadTheMutexIsGone) {
  fill_the_queue();
  scene_.left(kMutex, LockKind::kMutex, 4'711);
  EXPECT_FALSE(scene_.silent());
}

// It was signalled, and takes the mutex again, which somebody stuck has.
TEST_F(StuckGroups, OneThatTakesItsMutexAgain) {
  scene_.waits_for(a_, kRoom, kMutex);
  scene_.signals(b_, kRoom);
  scene_.wants(b_, kMutex, 50);
  scene_.joins(up_, a_, test::kLasting);
  scene_.holds(up_, kMutex);
  EXPECT_EQ(waiters_of(scene_.group()), (Threads{a_, b_, up_}));
}

TEST_F(StuckGroups, ASignalHandlerIsUp) {
  fill_the_queue();
  scene_.snapshot.threads[a_].wait->outer = 1;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, ABarrierIsNotJudged) {
  fill_the_queue();
  scene_.signals(up_, kRoom);
  scene_.waits(up_, WaitKind::kBarrier, 0x400, test::kLasting);
  GroupsScene::all_tasks.push_back(4'711);
  EXPECT_TRUE(scene_.silent());
}

TEST_F(StuckGroups, BehindADeadlock) {
  const auto one = scene_.thread(), other = scene_.thread(), behind = scene_.thread();
  scene_.holds(one, 1);
  scene_.holds(other, 2);
  scene_.wants(one, 2, test::kLasting);
  scene_.wants(other, 1, test::kLasting);
  scene_.wants(behind, 1, test::kLasting);
  scene_.waits_for(a_, kWork, kMutex);
  scene_.signals(behind, kWork);
  scene_.joins(b_, a_, test::kLasting);
  const auto verdicts = scene_.judged_groups();
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(waiters_of(verdicts[1]), (Threads{a_, b_}));
  EXPECT_EQ(verdicts[1].crowd[0].blocker, behind);
  EXPECT_EQ(verdicts[1].marks.size(), 5U);  // the proof stands on them all
}

TEST_F(StuckGroups, BehindAnOrphanedLock) {
  scene_.left(1, LockKind::kMutex, 4'711);
  scene_.wants(b_, 1, test::kLasting);
  scene_.waits_for(a_, kWork, kMutex);
  scene_.signals(b_, kWork);
  EXPECT_EQ(waiters_of(scene_.group()), Threads{a_});
  scene_.locks[1].robust = true;
  EXPECT_TRUE(scene_.silent());
}

}  // namespace
}  // namespace impasse
