// The printers and what they are made of: ages that claim no more than is known, names that cannot
// play with a terminal, JSON that parses, addresses in the right module.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "report/ages.h"
#include "report/facts_json.h"
#include "report/facts_text.h"
#include "report/json_writer.h"
#include "report/roster.h"
#include "report/words.h"
#include "symbolize/modules.h"
#include "system/system_calls.h"

namespace impasse::report {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kS = 1'000 * kMs;

// ---- ages

TEST(Ages, DurationsAreCutOffNotRoundedUp) {
  EXPECT_EQ(duration(0), "0.0ms");
  EXPECT_EQ(duration(999'999), "0.9ms");
  EXPECT_EQ(duration(kMs), "1ms");
  EXPECT_EQ(duration(kS - 1), "999ms");
  EXPECT_EQ(duration(2'399 * kMs), "2.3s");
  EXPECT_EQ(duration(60 * kS - 1), "59.9s");
  EXPECT_EQ(duration(60 * kS), "1m 0s");
  EXPECT_EQ(duration(312 * kS), "5m 12s");
  EXPECT_EQ(duration(3600 * kS + 12 * 60 * kS), "1h 12m");
  EXPECT_EQ(duration(49 * 3600 * kS), "2d 1h");
  EXPECT_EQ(duration(~std::uint64_t{0}), "213503d 23h");
}

TEST(Ages, StampedAgesClaimNoMoreThanIsKnown) {
  EXPECT_EQ(about(0), "less than 200ms");
  EXPECT_EQ(about(100 * kMs), "less than 200ms");
  EXPECT_EQ(about(190 * kMs), "about 100ms");
  EXPECT_EQ(about(2'390 * kMs), "about 2.3s");
  EXPECT_EQ(about(312 * kS), "5m 12s");
  EXPECT_EQ(for_about(std::nullopt), "");
  EXPECT_EQ(for_about(5 * kS), ", for about 5.0s");
}

TEST(Ages, WallTime) {
  EXPECT_EQ(wall_time(1'794'530'513'320'000'000), "2026-11-13 00:41:53.320 UTC");
  EXPECT_EQ(iso_time(1'794'530'513'320'000'000), "2026-11-13T00:41:53.320Z");
  EXPECT_FALSE(wall_time(~std::uint64_t{0}).empty());
}

Facts at_tick(std::uint64_t tick) {
  Facts facts;
  facts.snapshot.tick = tick;
  facts.snapshot.tick_ns = 10 * kMs;
  facts.snapshot.now_ns = 100 * kS;
  facts.origin = Origin::kLive;
  facts.monotonic_ns = 100 * kS + 30 * kMs;
  return facts;
}

TEST(Ages, OfTicks) {
  const Ages ages(at_tick(1'000));
  EXPECT_EQ(ages.since_tick(400), 6 * kS);
  EXPECT_EQ(ages.since_tick(1'000), 0u);
  EXPECT_EQ(ages.since_tick(1'003), 0u);  // younger than the clock that was read
  EXPECT_EQ(ages.since_tick(0), std::nullopt);
  EXPECT_EQ(Ages(at_tick(0)).since_tick(5), std::nullopt);
  // The stamp has 32 bits, the clock more.
  EXPECT_EQ(Ages(at_tick((std::uint64_t{1} << 32) + 50)).since_tick(0xffff'fff0),
            (50 + 16) * 10 * kMs);
}

TEST(Ages, OfInstantsDependOnWhetherTheProcessLives) {
  Facts facts = at_tick(1'000);
  EXPECT_EQ(Ages(facts).since(90 * kS), 10 * kS + 30 * kMs);
  EXPECT_EQ(Ages(facts).since(200 * kS), 0u);
  EXPECT_EQ(Ages(facts).since(0), std::nullopt);
  facts.origin = Origin::kLeftBehind;
  EXPECT_EQ(Ages(facts).since(90 * kS), 10 * kS);
}

TEST(Ages, AClockThatStandsStill) {
  Facts facts = at_tick(1'000);
  EXPECT_EQ(Ages(facts).standstill(), std::nullopt);
  facts.monotonic_ns = 103 * kS;
  EXPECT_EQ(Ages(facts).standstill(), 3 * kS);
  facts.origin = Origin::kLeftBehind;
  EXPECT_EQ(Ages(facts).standstill(), std::nullopt);
}

// ---- words

TEST(Words, PrintableShowsWhatIsNot) {
  EXPECT_EQ(printable("plain \xc3\xbc \xe2\x97\x80 \xf0\x9f\x94\x92"),
            "plain \xc3\xbc \xe2\x97\x80 \xf0\x9f\x94\x92");
  EXPECT_EQ(printable("\x1b[2J\n\t\x7f"), "\\x1b[2J\\x0a\\x09\\x7f");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc2\x9b"
                      "3"),
            "\\xc2\\x9b3");                                 // a control character of two bytes
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");  // longer than needed
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half of a pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Words, SystemCalls) {
  EXPECT_EQ(system::system_call_name(202), "futex");
  EXPECT_EQ(system::system_call_name(45), "recvfrom");
  EXPECT_EQ(system::system_call_name(0), "read");
  EXPECT_EQ(system::system_call_name(99'999), "system call 99999");
}

// ---- JSON

TEST(JsonWriter, ADocument) {
  JsonWriter json;
  json.begin_object();
  json.text("a", "x\"\\\n\x01\xff\xc3\xbc");
  json.number("b", ~std::uint64_t{0});
  json.begin_array("c");
  json.end_array();
  json.begin_array("d");
  json.boolean({}, true);
  json.null({});
  json.begin_object();
  json.end_object();
  json.end_array();
  json.end_object();
  EXPECT_EQ(json.take(),
            "{\n  \"a\": \"x\\\"\\\\\\u000a\\u0001\xef\xbf\xbd\xc3\xbc\",\n  \"b\": "
            "18446744073709551615,\n"
            "  \"c\": [],\n  \"d\": [\n    true,\n    null,\n    {}\n  ]\n}\n");
}

// ---- modules

constexpr std::string_view kMaps =
    "55d0c0000000-55d0c0001000 r--p 00000000 fe:00 100                        /opt/a b/prog\n"
    "55d0c0001000-55d0c0005000 r-xp 00001000 fe:00 100                        /opt/a b/prog\n"
    "55d0c0005000-55d0c0006000 rw-p 00004000 fe:00 100                        /opt/a b/prog\n"
    "55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000002000 r--p 00000000 fe:00 200                        /usr/lib/libx.so.1 "
    "(deleted)\n"
    "7f0000002000-7f0000004000 rw-p 00000000 00:00 0 \n"
    "7f0000004000-7f0000008000 r-xp 00002000 fe:00 200                        /usr/lib/libx.so.1 "
    "(deleted)\n"
    "7f0000008000-7f000000a000 r--p 00000000 fe:00 200                        /usr/lib/libx.so.1 "
    "(deleted)\n"
    "7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

TEST(Modules, AddressesAreCountedFromTheStartOfTheirFile) {
  const auto modules = symbolize::Modules::from_maps(kMaps);
  ASSERT_EQ(modules.all().size(), 4u);
  EXPECT_EQ(site(0x55d0c0001234, modules), "prog+0x1234");
  EXPECT_EQ(site(0x55d0c0000000, modules), "prog+0x0");
  EXPECT_EQ(site(0x7f0000004010, modules), "libx.so.1+0x4010");
  EXPECT_EQ(site(0x7ffd00000010, modules), "[vdso]+0x10");
  EXPECT_EQ(modules.all()[0].path, "/opt/a b/prog");
  EXPECT_EQ(modules.all()[0].end, 0x55d0c0006000u);
  EXPECT_FALSE(modules.all()[0].deleted);
  EXPECT_EQ(modules.all()[1].path, "/usr/lib/libx.so.1");
  EXPECT_TRUE(modules.all()[1].deleted);
}

TEST(Modules, ASecondCopyOfAFileIsAModuleOfItsOwn) {
  const auto modules = symbolize::Modules::from_maps(kMaps);
  const auto place = modules.find(0x7f0000008010);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->offset, 0x10u);
  EXPECT_EQ(place->module->base, 0x7f0000008000u);
}

TEST(Modules, AddressesInNoFileStayBare) {
  const auto modules = symbolize::Modules::from_maps(kMaps);
  for (const std::uint64_t address :
       {std::uint64_t{1}, std::uint64_t{0x55d0c1000010}, std::uint64_t{0x7f0000002010},
        std::uint64_t{0x55d0c0006000}, ~std::uint64_t{0}}) {
    EXPECT_EQ(site(address, modules), hex(address));
  }
  EXPECT_EQ(site(0, modules), "an unknown place");
  EXPECT_EQ(site(0x1234, symbolize::Modules()), "0x1234");
}

TEST(Modules, AnyTextIsAccepted) {
  EXPECT_TRUE(symbolize::Modules::from_maps("").empty());
  EXPECT_TRUE(symbolize::Modules::from_maps("\n\n \n").empty());
  std::mt19937 random(3);
  for (int round = 0; round < 3'000; ++round) {
    std::string text(kMaps);
    for (int i = 0; i < 20; ++i) text[random() % text.size()] = "0f- \n/x("[random() % 8];
    const auto modules = symbolize::Modules::from_maps(text.substr(random() % text.size()));
    for (const std::uint64_t address : {0x55d0c0001234u, 0x7f0000004010u, 0x7f0000008010u}) {
      if (const auto place = modules.find(address)) {
        ASSERT_EQ(place->module->base + place->offset, address);
      }
    }
  }
}

TEST(Modules, ANewlineInAPathIsOneAgain) {
  const auto modules = symbolize::Modules::from_maps("1000-2000 r-xp 00000000 fe:00 1 /a\\012b\n");
  ASSERT_EQ(modules.all().size(), 1u);
  EXPECT_EQ(modules.all()[0].path, "/a\nb");
  EXPECT_EQ(site(0x1008, modules), "a\\x0ab+0x8");
}

// ---- facts

HoldFact hold(std::uint64_t lock, LockKind kind, std::uint32_t tick,
              std::uint8_t phase = hold_phase::kHeld) {
  HoldFact fact;
  fact.lock = lock;
  fact.kind = kind;
  fact.tick = tick;
  fact.phase = phase;
  fact.site = 0x55d0c0001000 + lock % 0x1000;
  return fact;
}

ThreadFact& thread(Facts& facts, std::uint32_t tid, const char* name) {
  ThreadFact& fact = facts.snapshot.threads.emplace_back();
  fact.tid = tid;
  fact.name = name;
  fact.started_ns = 50 * kS;
  facts.live.push_back({tid, name, 'S', "", std::nullopt});
  return fact;
}

Facts story() {
  Facts facts = at_tick(40'000);
  facts.modules = symbolize::Modules::from_maps(kMaps);
  facts.snapshot.pid = 4242;
  facts.snapshot.program = "river-node";
  facts.snapshot.library_version = facts.version = "0.1.0";
  facts.snapshot.started_ns = 40 * kS;
  facts.wall_ns = 1'794'530'513'320'000'000;
  facts.snapshot.threads.reserve(8);
  ThreadFact& idle = thread(facts, 99, "idle");
  idle.changing = true;
  ThreadFact& root = thread(facts, 100, "raft-loop");
  root.holds = {hold(0x7010, LockKind::kRwlock, 8'800)};
  facts.live.back().system_call = 45;
  ThreadFact& reader = thread(facts, 101, "sync-2");
  reader.wait.emplace();
  reader.wait->kind = WaitKind::kRead;
  reader.wait->object = 0x7010;
  reader.wait->site = 0x55d0c0001234;
  reader.wait->since_ns = 60 * kS;
  ThreadFact& writer = thread(facts, 102, "");
  writer.holds = {hold(0x8020, LockKind::kMutex, 39'990),
                  hold(0x7010, LockKind::kRwlock, 39'500, hold_phase::kAcquiring)};
  facts.live.push_back({4300, "impasse", 'S', "", std::nullopt});
  return facts;
}

TEST(FactsText, TellsTheStory) {
  const std::string text = facts_text(story());
  EXPECT_EQ(
      text,
      "==== impasse: FACTS ============================================== river-node[4242] ====\n"
      "2026-11-13 00:41:53.320 UTC · watched for 1m 0s · impasse 0.1.0\n"
      "4 threads: 2 wait for a lock, 0 for a condition or a thread; 2 holds.\n"
      "\n"
      "thread 101 \"sync-2\" [waiting to read rwlock 0x7010, 40.0s]:\n"
      "  asked at prog+0x1234\n"
      "  held by thread 100 \"raft-loop\", exclusive, for 5m 12s, taken at prog+0x1010\n"
      "  holds nothing\n"
      "\n"
      "thread 102 [waiting to write rwlock 0x7010, about 5.0s]:\n"
      "  asked at prog+0x1010\n"
      "  held by thread 100 \"raft-loop\", exclusive, for 5m 12s, taken at prog+0x1010\n"
      "  holds mutex 0x8020 exclusive, for less than 200ms, taken at prog+0x1020\n"
      "\n"
      "thread 100 \"raft-loop\" [in recvfrom()]:\n"
      "  holds rwlock 0x7010 exclusive, for 5m 12s, taken at prog+0x1010\n"
      "\n"
      "thread 99 \"idle\" [sleeping]:\n"
      "  went on while it was looked at: shown is what stayed in every look\n"
      "  holds nothing\n"
      "\n"
      "THREADS THAT ARE NOT IN THE LEDGER\n"
      "  thread 4300 \"impasse\", sleeping (impasse's own)\n"
      "\n"
      "0 locks matter (contended, or taken together with another)\n"
      "nothing dropped\n");
}

TEST(FactsText, ManyHoldersAreCounted) {
  Facts facts = story();
  for (std::uint32_t i = 0; i < 30; ++i) {
    thread(facts, 200 + i, "reader").holds = {hold(0x7010, LockKind::kRwlock, 8'800)};
  }
  EXPECT_NE(facts_text(facts).find("  and by 23 more threads\n"), std::string::npos);
}

TEST(FactsText, AWaitForOneselfIsNamed) {
  Facts facts = story();
  facts.snapshot.threads[2].holds = {hold(0x7010, LockKind::kRwlock, 8'800)};
  EXPECT_NE(facts_text(facts).find("  held by this same thread, exclusive, for 5m 12s"),
            std::string::npos);
}

TEST(FactsText, WhatIsMissingIsTold) {
  Facts facts = story();
  facts.snapshot.counters[k_locks_dropped] = 3;
  facts.snapshot.senseless = 1;
  facts.snapshot.threads[1].holds_unread = 7;
  const std::string text = facts_text(facts);
  EXPECT_NE(text.find("dropped: 3 locks that found no free record\n"), std::string::npos);
  EXPECT_NE(text.find("left out: 1 record of the ledger that made no sense\n"), std::string::npos);
  EXPECT_NE(text.find("  holds up to 7 more, which could not be read\n"), std::string::npos);
  EXPECT_EQ(text.find("nothing dropped"), std::string::npos);
}

TEST(FactsText, AThreadThatEndedMeanwhileIsNamedAsSuch) {
  Facts facts = story();
  facts.live.erase(facts.live.begin());
  EXPECT_NE(facts_text(facts).find("thread 99 \"idle\" [ended meanwhile]:\n"), std::string::npos);
}

TEST(FactsText, ALockWithoutAKnownHolderNamesTheLastOne) {
  Facts facts = story();
  facts.snapshot.threads[1].holds.clear();
  facts.snapshot.locks.push_back({0x7010, 1, LockKind::kRwlock, 0, 4, 0, 77});
  EXPECT_NE(facts_text(facts).find(
                "  held by no thread that is in the ledger; the last to get it after a wait was "
                "thread 77\n"),
            std::string::npos);
}

TEST(FactsText, AnEmptySnapshotPrints) {
  EXPECT_NE(facts_text(Facts()).find("0 threads"), std::string::npos);
  EXPECT_NE(facts_json(Facts()).find("\"threads\": []"), std::string::npos);
}

}  // namespace
}  // namespace impasse::report
