// Whatever bytes a ledger has: the reader comes to an end, in bounded work, without
// touching memory that is not theirs (this program is built with AddressSanitizer and
// UndefinedBehaviorSanitizer).
//
// usage: ledger_reader_fuzz [SECONDS [SEED [ROUND]]]
// Mutates well-formed ledgers, each round from a seed of its own; what fails names its round, and a
// third argument repeats just that one. With IMPASSE_FUZZ_REPORTS what was read is printed as well,
// by the printers of report/. Built with clang's -fsanitize=fuzzer and IMPASSE_LIBFUZZER, the same
// entry point is driven by coverage instead.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "detector/ledger_reader.h"
#include "ledger_image.h"

#ifdef IMPASSE_FUZZ_REPORTS
#include "report/facts_json.h"
#include "report/facts_text.h"
#else
#include "detector/sight_queue.h"
#include "detector/thread_lives.h"
#endif

// Of the sanitizers' run-time library; null without one.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using namespace impasse;

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "ledger_reader_fuzz: %s\n", what);
  std::abort();
}

// The promises of the reader, whatever it read.
void check(const LedgerReading& reading, MemorySource& source) {
  // Slots are looked at a few times each, tables are read in blocks, deep ones up to a budget.
  if (source.reads > 100 + kMostSlots * (kLooks + 1) + kMostDeepBytesRead / kPage) {
    broken("too many reads");
  }
  if (source.bytes_read > 64 * source.size() + 2 * kMostDeepBytesRead)
    broken("too many bytes read");
  const Snapshot& s = reading.snapshot;
  if (!reading.problem.empty()) {
    if (!s.threads.empty() || !s.locks.empty() || !s.departures.empty()) {
      broken("a problem and facts as well");
    }
    if (reading.problem.find('\n') != std::string::npos) broken("a problem of several lines");
    return;
  }
  if (s.threads.size() > kMostSlots || s.departures.size() > kMostDepartures ||
      s.locks.size() > kMostLocks) {
    broken("more than fits into a ledger");
  }
  std::size_t holds = 0;
  for (const ThreadFact& thread : s.threads) {
    holds += thread.holds.size();
    if (thread.name.size() > kNameBytes) broken("a name that is too long");
    for (const HoldFact& hold : thread.holds) {
      if (hold.lock == 0 || hold.levels == 0 || hold.kind > LockKind::kSpin ||
          hold.phase > hold_phase::kGivenBack) {
        broken("a senseless hold was let through");
      }
    }
    if (thread.wait &&
        (thread.wait->kind == WaitKind::kNone || thread.wait->kind > WaitKind::kJoin)) {
      broken("a senseless wait was let through");
    }
  }
  if (holds > kMostHoldsKept) broken("more holds than a snapshot keeps");
}

#ifdef IMPASSE_FUZZ_REPORTS
void print(Snapshot snapshot, report::Origin origin) {
  report::Facts facts;
  facts.snapshot = std::move(snapshot);
  facts.origin = origin;
  facts.monotonic_ns = 1'500'000'000'000;
  facts.version = "0.1.0";
  for (const std::string& text : {report::facts_text(facts), report::facts_json(facts)}) {
    if (text.empty() || text.back() != '\n') broken("a report without an end");
    for (const char c : text) {
      if (c != '\n' && static_cast<unsigned char>(c) < 0x20)
        broken("a control character in a report");
    }
  }
}
#endif

#ifndef IMPASSE_FUZZ_REPORTS
// What our own thread makes of a region's records, of which only the place is known to be right: a
// program may have written over them.
template <typename Record, typename Visit>
void each_record(const std::byte* bytes, RegionName name, Visit visit) {
  Region region;
  std::memcpy(&region, bytes + offsetof(LedgerHeader, region) + name * sizeof(Region),
              sizeof region);
  const auto record = std::make_unique<Record>();
  for (std::uint64_t i = 0; i < region.capacity; ++i) {
    std::memcpy(static_cast<void*>(record.get()), bytes + region.offset + i * region.stride,
                sizeof(Record));
    visit(*record);
  }
}

void hear_orders(const std::byte* bytes) {
  std::vector<std::unique_ptr<SightTail>> tails;
  each_record<SightTail>(bytes, kSightTails, [&tails](const SightTail& tail) {
    tails.push_back(std::make_unique<SightTail>(tail));
  });
  std::size_t number = 0;
  each_record<RawSight>(bytes, kSights, [&](const RawSight& raw) {
    std::span<const std::uint8_t> rest = raw.rest;
    if (raw.in_tail != 0 && number < tails.size()) rest = tails[number]->rest;
    ++number;
    const OrderSight sight = sight_of(raw, rest);
    if (sight.held.size() > kSightedLocks) broken("a sight of too many locks");
    if (sight.name.size() > kNameBytes) broken("a sight's name is too long");
    if (sight.wanted.kind > kLastLockKind) broken("a sight of a lock of no kind");
    const auto stack = stack_of(raw, rest);
    if (stack.empty()) return;
    if (stack.data() < rest.data() || stack.size() > rest.size() ||
        stack.data() + stack.size() > rest.data() + rest.size()) {
      broken("a sight's stack reaches beyond its record");
    }
  });
  ThreadLives lives(32);
  each_record<RawLife>(bytes, kLives, [&](const RawLife& raw) {
    lives.add({static_cast<LifeEvent::Kind>(raw.kind), raw.thread, raw.other, raw.moment,
               raw.handle, raw.stack_pointer});
    (void)lives.before(raw.other, 1, raw.thread, raw.moment);
  });
  if (lives.size() > 32) broken("more threads remembered than there may be");
}
#endif

bool try_bytes(const std::byte* bytes, std::size_t size) {
  MemorySource source(bytes, size);
  const LedgerReading reading = read_ledger(source);
  check(reading, source);
#ifdef IMPASSE_FUZZ_REPORTS
  if (reading.problem.empty()) {
    print(reading.snapshot, size % 2 == 0 ? report::Origin::kLive : report::Origin::kLeftBehind);
  }
#else
  if (reading.problem.empty()) hear_orders(bytes);
#endif
  return reading.problem.empty();
}

#ifndef IMPASSE_LIBFUZZER

using Random = std::mt19937_64;

// Numbers that bounds are missed by.
std::uint64_t interesting(Random& random, const LedgerImage& image) {
  const std::uint64_t size = image.size();
  const std::uint64_t base[] = {0,
                                1,
                                64,
                                kPage,
                                size,
                                std::uint64_t{1} << 31,
                                std::uint64_t{1} << 32,
                                std::uint64_t{1} << 47,
                                std::uint64_t{1} << 63,
                                ~std::uint64_t{0},
                                kSlotStride,
                                LedgerImage::kSlotCount,
                                LedgerImage::kLockCount,
                                kMostSlots};
  switch (random() % 4) {
    case 0:
      return random();
    case 1:
      return random() % (2 * size);
    case 2:
      return base[random() % std::size(base)] + random() % 3 - 1;
    default:
      return base[random() % std::size(base)];
  }
}

// Where the words that matter are: the header, the used slots, the tables.
std::uint64_t place(Random& random, LedgerImage& image) {
  const LedgerHeader& h = image.header();
  std::uint64_t start = 0;
  std::uint64_t bytes = sizeof(LedgerHeader);
  switch (random() % 10) {
    case 0:
      break;
    case 1:
      start = offsetof(LedgerHeader, region);
      bytes = kRegions * sizeof(Region);
      break;
    case 2:
      start = offsetof(LedgerHeader, free_slot);
      bytes = 160;
      break;
    case 3:
      [[fallthrough]];
    case 4: {
      start = kPage + random() % LedgerImage::kSlotCount * kSlotStride;
      bytes = random() % 2 == 0 ? 320 : kPage;
      break;
    }
    case 5:
      start = h.region[kDeepHolds].offset % image.size();
      bytes = 4 * kPage;
      break;
    case 6:
      start = h.region[kLocks].offset % image.size();
      bytes = 8 * sizeof(LockRecord);
      break;
    case 7:
      start = (h.region[kSights].offset + random() % 2 * sizeof(RawSight)) % image.size();
      bytes = random() % 2 == 0 ? offsetof(RawSight, rest) : 4 * sizeof(RawSightedLock);
      break;
    case 8:
      start = h.region[kLives].offset % image.size();
      bytes = 64 * sizeof(RawLife);
      break;
    default:
      bytes = image.size();
  }
  bytes = std::min(bytes, image.size() - start);
  return (start + random() % std::max<std::uint64_t>(bytes, 1)) & ~std::uint64_t{7};
}

// Two orders and some threads on their way to the watchdog.
void furnish_orders(LedgerImage& image) {
  for (std::uint64_t i = 0; i < 2; ++i) {
    RawSight& sight = image.element<RawSight>(kSights, i);
    sight.stage = kSightTold;
    sight.thread = 1 + static_cast<std::uint32_t>(i);
    sight.tid = 100 + sight.thread;
    sight.moment = 1'000 + i;
    std::memcpy(sight.name, "sixteen letters!", sizeof sight.name);
    sight.wanted = {0x8000, 2, 1, 0x5555'0000'1000, 40'000, 0x5555'0000'4000};
    sight.held_count = 1 + static_cast<std::uint32_t>(i) * (kSightedLocks - 1);
    sight.in_tail = static_cast<std::uint32_t>(i);
    std::uint8_t* const rest = i == 0 ? sight.rest : image.element<SightTail>(kSightTails, i).rest;
    std::memcpy(rest, &sight.wanted, sizeof sight.wanted);
    sight.stack_start = 0x7ffe'0000'0000;
    sight.stack_bytes = 2'000;
  }
  for (std::uint32_t i = 0; i < 64; ++i) {
    RawLife& life = image.element<RawLife>(kLives, i);
    life.turn = 1;
    life.moment = 1 + i;
    life.handle = 0x7f00'0000'0000 + i / 3;
    life.thread = 1 + i / 3;
    life.other = i / 3;
    life.kind = i % 3;
  }
}

void mutate(Random& random, LedgerImage& image) {
  const std::uint64_t at = std::min(place(random, image), image.size() - 8);
  std::uint64_t word = 0;
  std::memcpy(&word, image.bytes() + at, 8);
  switch (random() % 4) {
    case 0:
      word ^= std::uint64_t{1} << random() % 64;
      break;
    case 1:
      word = interesting(random, image);
      break;
    case 2:
      word = (word & ~std::uint64_t{0xffff'ffff}) | (interesting(random, image) & 0xffff'ffff);
      break;
    default:
      word += random() % 5 - 2;
  }
  std::memcpy(image.bytes() + at, &word, 8);
}

#endif

}  // namespace

#ifdef IMPASSE_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try_bytes(reinterpret_cast<const std::byte*>(data), size);
  return 0;
}

#else

// One round; whether its ledger could be read.
bool try_round(std::uint64_t seed, std::uint64_t round, LedgerImage& model, LedgerImage& image) {
  std::seed_seq both{seed, round};
  Random random(both);
  std::memcpy(image.bytes(), model.bytes(), model.size());
  const std::uint64_t mutations = 1 + (random() % 4 == 0 ? random() % 200 : random() % 4);
  for (std::uint64_t i = 0; i < mutations; ++i) mutate(random, image);
  return try_bytes(image.bytes(), random() % 16 == 0 ? random() % image.size() : image.size());
}

std::uint64_t current_round = 0;
std::uint64_t current_seed = 0;

void tell_round() {
  std::fprintf(stderr, "repeat it with: ledger_reader_fuzz 0 %llu %llu\n",
               static_cast<unsigned long long>(current_seed),
               static_cast<unsigned long long>(current_round));
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 4;
  current_seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(tell_round);
  std::signal(SIGABRT, [](int) { tell_round(); });
  LedgerImage model;
  furnish(model);
  furnish_orders(model);
  LedgerImage image;
  if (argc > 3) {
    current_round = std::strtoull(argv[3], nullptr, 10);
    try_round(current_seed, current_round, model, image);
    return 0;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::uint64_t read_well = 0;
  for (; std::chrono::steady_clock::now() < end; ++current_round) {
    read_well += try_round(current_seed, current_round, model, image) ? 1 : 0;
  }
  std::printf("%llu ledgers, %llu of them readable\n",
              static_cast<unsigned long long>(current_round),
              static_cast<unsigned long long>(read_well));
  // All of one kind would mean that the mutations miss what they are for.
  return current_round > 20 && read_well > current_round / 20 && read_well < current_round ? 0 : 1;
}

#endif
