#include "detector/ledger_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "detector/raw_record.h"
#include "detector/slot_reader.h"

namespace impasse {
namespace {

using raw::Bytes;
using raw::field;
using raw::half;
using raw::RawHold;
using raw::text;
using raw::word;

class Reader {
 public:
  Reader(LedgerSource& source, const LedgerParts& parts) : source_(source), parts_(parts) {}
  LedgerReading take();

 private:
  bool fail(std::string problem) {
    if (reading_.problem.empty()) reading_.problem = std::move(problem);
    return false;
  }
  bool fail_cut_off() { return fail("truncated: it was cut while it was read"); }
  bool get(std::uint64_t offset, std::span<std::byte> into);
  std::uint64_t place(RegionName region, std::uint64_t number) const {
    return header_.region[region].offset + number * header_.region[region].stride;
  }

  bool read_header();
  bool check_regions();
  bool read_changing_header();
  bool read_threads();
  bool read_signals();
  bool still_holds(const SlotReader::RawSignal& signal, bool& holds);
  bool read_departures();
  bool read_locks();
  std::vector<std::uint64_t> locks_in_facts() const;

  // The plain part of the header, which does not change.
  struct Fixed {
    std::uint64_t total_bytes;
    Region region[kRegions];
  };

  LedgerSource& source_;
  const LedgerParts parts_;
  LedgerReading reading_;
  Snapshot& snapshot_ = reading_.snapshot;
  Fixed header_{};
  std::uint64_t slots_used_ = 0, locks_used_ = 0, departures_used_ = 0;
  std::array<std::byte, kPage> page_{};
};

bool Reader::get(std::uint64_t offset, std::span<std::byte> into) {
  if (source_.read(offset, into.data(), into.size())) return true;
  return fail_cut_off();
}

bool Reader::read_header() {
  constexpr std::size_t kFirst = offsetof(LedgerHeader, header_bytes);
  if (source_.size() < kFirst || !source_.read(0, page_.data(), kFirst) ||
      word(page_, offsetof(LedgerHeader, magic)) != kLedgerMagic) {
    return fail("not an impasse ledger");
  }
  if (const auto version = half(page_, offsetof(LedgerHeader, version));
      version != kLedgerVersion) {
    return fail("made by another version (" + std::to_string(version) + "; this impasse reads " +
                std::to_string(kLedgerVersion) + ")");
  }
  if (source_.size() < sizeof(LedgerHeader) ||
      !source_.read(0, page_.data(), sizeof(LedgerHeader))) {
    return fail("truncated: it ends within its header");
  }
  if (half(page_, offsetof(LedgerHeader, header_bytes)) != sizeof(LedgerHeader) ||
      half(page_, offsetof(LedgerHeader, regions)) != kRegions) {
    return fail("damaged: its header has the wrong size");
  }
  header_.total_bytes = word(page_, offsetof(LedgerHeader, total_bytes));
  for (unsigned i = 0; i < kRegions; ++i) {
    header_.region[i] = field<Region>(page_, offsetof(LedgerHeader, region) + i * sizeof(Region));
  }
  snapshot_.pid = half(page_, offsetof(LedgerHeader, pid));
  snapshot_.program = text(page_, offsetof(LedgerHeader, program), sizeof LedgerHeader::program);
  snapshot_.library_version =
      text(page_, offsetof(LedgerHeader, library_version), sizeof LedgerHeader::library_version);
  snapshot_.started_ns = word(page_, offsetof(LedgerHeader, started_ns));
  snapshot_.started_wall = word(page_, offsetof(LedgerHeader, started_wall));
  snapshot_.process_start = word(page_, offsetof(LedgerHeader, process_start));
  snapshot_.tick_ns = word(page_, offsetof(LedgerHeader, tick_ns));
  if (snapshot_.tick_ns == 0 || snapshot_.tick_ns > 1'000'000'000)
    return fail("damaged: its clock has no sensible unit");
  std::copy(std::begin(header_.region), std::end(header_.region), reading_.regions.begin());
  return check_regions();
}

bool Reader::check_regions() {
  static constexpr struct {
    const char* name;
    std::uint64_t stride;
    std::uint64_t most;
    bool power_of_two;
  } kRules[kRegions] = {
      {"thread slots", kSlotStride, kMostSlots, false},
      {"thread numbers", sizeof(std::uint64_t), 4 * kMostSlots, true},
      {"locks", sizeof(LockRecord), kMostLocks, false},
      {"the index of locks", sizeof(std::uint64_t), kMostLedgerBytes, false},
      {"known orders", sizeof(std::uint64_t), kMostLedgerBytes, false},
      {"departed holds", sizeof(Departure), kMostDepartures, false},
      {"deep holds", kPage, kMostLedgerBytes / kPage, false},
      {"incidents", sizeof(Incident), kMostIncidents, false},
      {"sights of orders", sizeof(RawSight), kMostSights, false},
      {"lives of threads", sizeof(RawLife), kMostLives, true},
      {"calls under locks", sizeof(CallRecord), kMostCalls, true},
      {"numbers of locks", sizeof(StatRow), kMostStats, false},
      {"the index of numbers", sizeof(std::uint32_t), 2 * kMostStats, false},
      {"mapped files", kPage, kStatMapPages, false},
      {"tails of sights", sizeof(SightTail), kMostSights, false},
  };
  if (header_.total_bytes > kMostLedgerBytes)
    return fail("damaged: it claims to be larger than any ledger is");
  std::array<std::pair<std::uint64_t, std::uint64_t>, kRegions> taken;
  for (unsigned i = 0; i < kRegions; ++i) {
    const Region& region = header_.region[i];
    const auto& rule = kRules[i];
    const auto wrong = [&](const char* how) {
      return fail(std::string("damaged: the region for ") + rule.name + how);
    };
    if (region.stride != rule.stride) return wrong(" has elements of the wrong size");
    if (region.capacity > rule.most) return wrong(" is larger than in any ledger");
    if (rule.power_of_two && !std::has_single_bit(region.capacity))
      return wrong(" has a size that is no power of two");
    // No overflow: stride * most is far below 2^64, and the offset is compared first.
    const std::uint64_t bytes = region.stride * region.capacity;
    if (region.offset < sizeof(LedgerHeader) || region.offset % 64 != 0)
      return wrong(" is in the wrong place");
    if (region.offset > header_.total_bytes || bytes > header_.total_bytes - region.offset) {
      return wrong(" reaches beyond the ledger's end");
    }
    taken[i] = {region.offset, region.offset + bytes};
  }
  std::sort(taken.begin(), taken.end());
  for (unsigned i = 1; i < kRegions; ++i) {
    if (taken[i].first < taken[i - 1].second) return fail("damaged: its regions overlap");
  }
  if (source_.size() < header_.total_bytes) {
    return fail("truncated: " + std::to_string(source_.size()) + " of " +
                std::to_string(header_.total_bytes) + " bytes are there");
  }
  return true;
}

bool Reader::read_changing_header() {
  if (!get(0, std::span(page_).first(sizeof(LedgerHeader)))) return false;
  slots_used_ = word(page_, offsetof(LedgerHeader, slots_used));
  locks_used_ = word(page_, offsetof(LedgerHeader, locks_used));
  departures_used_ = word(page_, offsetof(LedgerHeader, departures_used));
  if (slots_used_ > header_.region[kSlots].capacity ||
      locks_used_ > header_.region[kLocks].capacity ||
      departures_used_ > header_.region[kDepartures].capacity) {
    return fail("damaged: it claims to use more than it has room for");
  }
  snapshot_.tick = word(page_, offsetof(LedgerHeader, tick));
  snapshot_.now_ns = word(page_, offsetof(LedgerHeader, now_ns));
  for (unsigned i = 0; i < kCounters; ++i) {
    snapshot_.counters[i] =
        word(page_, offsetof(LedgerHeader, counters) + i * sizeof(std::uint64_t));
  }
  return true;
}

bool Reader::read_threads() {
  SlotReader slots(source_, header_.region[kSlots], header_.region[kDeepHolds]);
  ThreadFact thread;
  for (std::uint64_t slot = 0; slot < slots_used_; ++slot) {
    const SlotReader::Outcome outcome = slots.read(slot, thread);
    if (outcome == SlotReader::Outcome::kCutOff) return fail_cut_off();
    if (outcome == SlotReader::Outcome::kThread) snapshot_.threads.push_back(std::move(thread));
  }
  snapshot_.senseless += slots.senseless();
  return true;
}

// What is waited for and signalled, and by whom. Nobody waits for such: nothing is read.
bool Reader::read_signals() {
  std::vector<std::uint64_t> objects;
  for (const ThreadFact& thread : snapshot_.threads) {
    if (thread.wait &&
        (thread.wait->kind == WaitKind::kCondition || thread.wait->kind == WaitKind::kSemaphore)) {
      objects.push_back(thread.wait->object);
    }
  }
  if (objects.empty()) return true;
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  SlotReader slots(source_, header_.region[kSlots], header_.region[kDeepHolds]);
  std::vector<SlotReader::RawSignal> noted;
  for (ThreadFact& thread : snapshot_.threads) {
    if (!slots.read_signals(thread, objects, noted)) return fail_cut_off();
    for (const SlotReader::RawSignal& signal : noted) {
      bool holds = false;
      if (!still_holds(signal, holds)) return false;
      if (holds) thread.signals.push_back(signal.fact);
    }
  }
  snapshot_.senseless += slots.senseless();
  return true;
}

// Whether the object is in the life that it was in when it was signalled.
bool Reader::still_holds(const SlotReader::RawSignal& signal, bool& holds) {
  std::array<std::byte, sizeof(LockRecord)> life;
  if (signal.record >= header_.region[kLocks].capacity) {
    ++snapshot_.senseless;
    return true;
  }
  if (!get(place(kLocks, signal.record), life)) return false;
  holds = word(life, offsetof(LockRecord, address)) == signal.fact.object &&
          half(life, offsetof(LockRecord, generation)) == signal.generation;
  return true;
}

bool Reader::read_departures() {
  constexpr std::size_t kRecord = sizeof(Departure);
  std::array<std::byte, 64 * kRecord> first;
  std::array<std::byte, 64 * kRecord> second;
  for (std::uint64_t done = 0; done < departures_used_;) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(64, departures_used_ - done));
    if (!get(place(kDepartures, done), std::span(first).first(count * kRecord)) ||
        !get(place(kDepartures, done), std::span(second).first(count * kRecord))) {
      return false;
    }
    for (std::size_t at = 0; at < count * kRecord; at += kRecord) {
      const RawHold hold{word(first, at + offsetof(Departure, lock)),
                         word(first, at + offsetof(Departure, site)),
                         word(first, at + offsetof(Departure, stamp)), 1};
      // 0: free, 1: being written; and one that changed between the looks is on its way out or in.
      if (hold.lock <= 1 || std::memcmp(&first[at], &second[at], kRecord) != 0) continue;
      DepartureFact gone;
      const std::uint32_t reason = half(first, at + offsetof(Departure, reason));
      if (!raw::decode(hold, gone.hold) ||
          reason > static_cast<std::uint32_t>(DepartureReason::kForked)) {
        ++snapshot_.senseless;
        continue;
      }
      gone.tid = half(first, at + offsetof(Departure, tid));
      gone.reason = static_cast<DepartureReason>(reason);
      gone.when_ns = word(first, at + offsetof(Departure, when_ns));
      gone.name = text(first, at + offsetof(Departure, name), kNameBytes);
      snapshot_.departures.push_back(std::move(gone));
    }
    done += count;
  }
  return true;
}

std::vector<std::uint64_t> Reader::locks_in_facts() const {
  std::vector<std::uint64_t> locks;
  for (const ThreadFact& thread : snapshot_.threads) {
    for (const HoldFact& hold : thread.holds) locks.push_back(hold.lock);
    if (thread.wait) {
      locks.push_back(thread.wait->object);
      locks.push_back(thread.wait->partner);
    }
  }
  for (const DepartureFact& gone : snapshot_.departures) locks.push_back(gone.hold.lock);
  std::sort(locks.begin(), locks.end());
  locks.erase(std::unique(locks.begin(), locks.end()), locks.end());
  return locks;
}

bool Reader::read_locks() {
  constexpr std::size_t kRecord = sizeof(LockRecord);
  constexpr std::size_t kAtOnce = 1024;
  const std::vector<std::uint64_t> wanted = locks_in_facts();
  constexpr auto kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> found(wanted.size(), kNone);  // where they stand in the snapshot
  std::vector<LockFact> contended;
  const auto keep_most_contended = [&contended] {
    if (contended.size() <= kContendedLocksKept) return;
    const auto more = [](const LockFact& a, const LockFact& b) {
      return a.contended > b.contended;
    };
    std::nth_element(contended.begin(), contended.begin() + kContendedLocksKept, contended.end(),
                     more);
    contended.resize(kContendedLocksKept);
  };

  std::vector<std::byte> block(kAtOnce * kRecord);
  for (std::uint64_t done = 0; done < locks_used_;) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(kAtOnce, locks_used_ - done));
    if (!get(place(kLocks, done), std::span(block).first(count * kRecord))) return false;
    done += count;
    for (std::size_t at = 0; at < count * kRecord; at += kRecord) {
      const Bytes record = Bytes(block).subspan(at, kRecord);
      LockFact lock;
      lock.address = word(record, offsetof(LockRecord, address));
      lock.generation = half(record, offsetof(LockRecord, generation));
      if (lock.address == 0 || (lock.generation & 1) == 0) continue;
      const std::uint32_t kind = half(record, offsetof(LockRecord, traits)) & lock_trait::kKindMask;
      if (kind > static_cast<std::uint32_t>(kLastLockKind)) {
        ++snapshot_.senseless;
        continue;
      }
      lock.kind = static_cast<LockKind>(kind);
      lock.first_site = word(record, offsetof(LockRecord, first_site)) & kSiteMask;
      lock.contended = word(record, offsetof(LockRecord, contended));
      lock.waited_ns = word(record, offsetof(LockRecord, waited_ns));
      lock.last_holder = word(record, offsetof(LockRecord, last_holder));
      lock.gone_signallers_maker = half(record, offsetof(LockRecord, gone_signallers_maker));
      lock.woken_sites = word(record, offsetof(LockRecord, woken_sites));
      ++snapshot_.locks_known;
      const auto place = std::lower_bound(wanted.begin(), wanted.end(), lock.address);
      if (place != wanted.end() && *place == lock.address) {
        std::size_t& known = found[static_cast<std::size_t>(place - wanted.begin())];
        if (known == kNone) {
          known = snapshot_.locks.size();
          snapshot_.locks.push_back(lock);
        } else {
          add_life(snapshot_.locks[known], lock);
        }
      } else if (lock.contended != 0) {
        contended.push_back(lock);
        if (contended.size() == kAtOnce) keep_most_contended();
      }
    }
  }
  keep_most_contended();
  snapshot_.locks.insert(snapshot_.locks.end(), contended.begin(), contended.end());
  std::sort(snapshot_.locks.begin(), snapshot_.locks.end(),
            [](const LockFact& a, const LockFact& b) { return a.address < b.address; });
  return true;
}

LedgerReading Reader::take() {
  // The clock is read last as well: nothing in the snapshot is younger than it.
  if (read_header() && read_changing_header() && read_threads() && read_signals() &&
      read_departures() && (!parts_.locks || read_locks())) {
    read_changing_header();
  }
  if (!reading_.problem.empty()) reading_.snapshot = {};
  return std::move(reading_);
}

}  // namespace

LedgerReading read_ledger(LedgerSource& source, const LedgerParts& parts) {
  return Reader(source, parts).take();
}

}  // namespace impasse
