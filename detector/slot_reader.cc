#include "detector/slot_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace impasse {

using raw::half;
using raw::RawHold;
using raw::word;

bool SlotReader::look(std::uint64_t offset, Look& seen) {
  if (!get(offset, page_)) return false;
  seen.state = word(page_, offsetof(ThreadSlot, state));
  seen.life = half(page_, offsetof(ThreadSlot, life));
  seen.tid = half(page_, offsetof(ThreadSlot, tid));
  seen.deep = word(page_, offsetof(ThreadSlot, deep));
  seen.deep_size = word(page_, offsetof(ThreadSlot, deep_size));
  seen.deep_change = word(page_, offsetof(ThreadSlot, deep_change));
  for (std::size_t i = 0; i < seen.wait.size(); ++i) {
    seen.wait[i] = word(page_, offsetof(ThreadSlot, wait) + i * 8);
  }
  for (std::size_t i = 0; i < kMailbox; ++i) {
    seen.mail[i] = word(page_, offsetof(ThreadSlot, mailbox) + i * 8);
  }
  seen.holds.clear();
  const std::uint64_t depth = std::min<std::uint64_t>(seen.state & kDepthMask, kInlineHolds);
  for (std::uint64_t i = 0; i < depth; ++i) {
    const std::size_t at = offsetof(ThreadSlot, holds) + i * sizeof(Hold);
    const std::uint64_t lock = word(page_, at + offsetof(Hold, lock));
    if (lock == 0) continue;  // INV-HOLD-1
    seen.holds.push_back(
        {lock, word(page_, at + offsetof(Hold, site)), word(page_, at + offsetof(Hold, stamp)), 1});
  }
  return read_deep(seen);
}

// A table that lies outside its region, or is too much to read, is no reason to give up the rest.
bool SlotReader::read_deep(Look& seen) {
  seen.deep_holds.clear();
  seen.deep_read = true;
  if (seen.deep == 0) return true;
  const std::uint64_t places = seen.deep_size >> 32;
  const std::uint64_t bytes = places * sizeof(DeepHold);  // below 2^37
  const std::uint64_t end = deep_holds_.offset + deep_holds_.capacity * deep_holds_.stride;
  seen.deep_read = std::has_single_bit(places) && seen.deep >= deep_holds_.offset &&
                   seen.deep <= end && bytes <= end - seen.deep &&
                   (seen.deep - deep_holds_.offset) % kPage == 0 &&
                   bytes <= kMostDeepBytesRead - deep_bytes_read_;
  if (!seen.deep_read) return true;
  deep_bytes_read_ += bytes;

  std::array<std::byte, 8 * kPage> block;
  for (std::uint64_t done = 0; done < bytes;) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), bytes - done));
    if (!get(seen.deep + done, std::span(block).first(part))) return false;
    for (std::size_t at = 0; at < part; at += sizeof(DeepHold)) {
      const RawHold raw{word(block, at + offsetof(DeepHold, lock)),
                        word(block, at + offsetof(DeepHold, site)),
                        word(block, at + offsetof(DeepHold, stamp)),
                        word(block, at + offsetof(DeepHold, levels))};
      if (raw.lock > 1) seen.deep_holds.push_back(raw);  // 0: never used, 1: removed
    }
    done += part;
  }
  // A lock is in it once; sorted, a doubled one is found, and two looks are compared fast.
  std::sort(seen.deep_holds.begin(), seen.deep_holds.end(),
            [](const RawHold& a, const RawHold& b) { return a.lock < b.lock; });
  return true;
}

// The holds as they are meant: without those that others released, levels of one lock put together.
SlotReader::Decoded SlotReader::decode(const Look& seen) {
  std::vector<RawHold> holds = seen.holds;
  std::vector<RawHold> deep = seen.deep_holds;
  for (const std::uint64_t released : seen.mail) {
    if (released == 0) continue;
    const auto has_it = [released](const RawHold& hold) { return hold.lock == released; };
    if (const auto newest = std::find_if(holds.rbegin(), holds.rend(), has_it);
        newest != holds.rend()) {
      holds.erase(std::next(newest).base());
    } else if (const auto one = std::find_if(deep.begin(), deep.end(), has_it); one != deep.end()) {
      if (one->levels <= 1) {
        deep.erase(one);
      } else {
        --one->levels;
      }
    }
  }

  Decoded result;
  result.holds.reserve(holds.size() + deep.size());
  for (const RawHold& raw : holds) {
    HoldFact hold;
    if (!raw::decode(raw, hold)) {
      ++result.senseless;
      continue;
    }
    const auto first = std::find_if(result.holds.begin(), result.holds.end(),
                                    [&](const HoldFact& h) { return h.lock == hold.lock; });
    if (!raw.is_again() || first == result.holds.end()) {
      result.holds.push_back(hold);
    } else if (hold.phase != hold_phase::kAcquiring) {
      // A condition wait gives back one level; while another is held, the lock is.
      if (hold.phase == hold_phase::kHeld) first->phase = hold_phase::kHeld;
      ++first->levels;
    }
  }
  decode_deep(deep, result);
  return result;
}

void SlotReader::decode_deep(const std::vector<RawHold>& deep, Decoded& decoded) {
  const auto inline_holds = static_cast<std::ptrdiff_t>(decoded.holds.size());
  std::uint64_t last = 0;
  for (const RawHold& raw : deep) {
    HoldFact hold;
    if (raw.lock == std::exchange(last, raw.lock) || !raw::decode(raw, hold)) {
      ++decoded.senseless;
      continue;
    }
    const auto end = decoded.holds.begin() + inline_holds;
    const auto first =
        !raw.is_again() ? end : std::find_if(decoded.holds.begin(), end, [&](const HoldFact& h) {
          return h.lock == hold.lock;
        });
    if (first == end) {
      decoded.holds.push_back(hold);
    } else {
      first->levels += hold.levels;
    }
  }
}

// Leaves in `holds` what is also in `now`; of a recursive lock, the levels that were there both
// times.
void SlotReader::keep_common(std::vector<HoldFact>& holds, std::vector<HoldFact> now) {
  const auto by_lock = [](const HoldFact& a, const HoldFact& b) { return a.lock < b.lock; };
  std::sort(now.begin(), now.end(), by_lock);
  std::vector<HoldFact> common;
  for (const HoldFact& hold : holds) {
    const auto [first, last] = std::equal_range(now.begin(), now.end(), hold, by_lock);
    const auto same = std::find_if(first, last, [&hold](HoldFact other) {
      other.levels = hold.levels;
      return other == hold;
    });
    if (same == last) continue;
    // A look in the middle of a move sees the moved hold in both its places.
    if (std::find(common.begin(), common.end(), hold) != common.end()) continue;
    common.push_back(hold);
    common.back().levels = std::min(hold.levels, same->levels);
  }
  holds = std::move(common);
}

void SlotReader::read_wait(const Look& seen, ThreadFact& thread) {
  const auto at = [&seen](std::size_t offset) { return seen.wait[offset / 8]; };
  WaitFact wait;
  wait.sequence = at(offsetof(WaitRecord, sequence));
  if ((wait.sequence & 1) == 0) return;
  const std::uint64_t site = at(offsetof(WaitRecord, site));
  const std::uint64_t kind = site >> kTraitShift & 0xff;
  if (kind == 0 || kind > static_cast<std::uint64_t>(kLastWaitKind)) {
    ++senseless_;
    return;
  }
  wait.kind = static_cast<WaitKind>(kind);
  wait.object = at(offsetof(WaitRecord, object));
  wait.partner = at(offsetof(WaitRecord, partner));
  wait.site = site & kSiteMask;
  wait.since_ns = at(offsetof(WaitRecord, since_ns));
  wait.tick = at(offsetof(WaitRecord, tick));
  wait.outer = at(offsetof(WaitRecord, outer));
  wait.place = at(offsetof(WaitRecord, place));
  wait.timed = (site >> kPhaseShift & hold_trait::kTimed) != 0;
  for (std::size_t i = 0; i < kSavedRegisters; ++i) {
    wait.registers[i] = at(offsetof(WaitRecord, registers) + i * 8);
  }
  thread.wait = wait;
}

// What is written once in a thread's life, or counts: the last look's bytes are as good as any.
void SlotReader::read_rest(const Look& last, ThreadFact& thread) {
  thread.tid = last.tid;
  thread.state = last.state;
  thread.life = static_cast<ThreadLife>(last.life);
  thread.thread = word(page_, offsetof(ThreadSlot, thread));
  thread.contended = word(page_, offsetof(ThreadSlot, contended));
  thread.started_ns = word(page_, offsetof(ThreadSlot, started_ns));
  thread.entry = word(page_, offsetof(ThreadSlot, entry));
  thread.argument = word(page_, offsetof(ThreadSlot, argument));
  thread.creator = half(page_, offsetof(ThreadSlot, creator));
  thread.number = half(page_, offsetof(ThreadSlot, number));
  thread.maker = half(page_, offsetof(ThreadSlot, maker));
  thread.signals_lost = half(page_, offsetof(ThreadSlot, signals_lost)) != 0;
  if (half(page_, offsetof(ThreadSlot, name_known)) != 0) {
    thread.name = raw::text(page_, offsetof(ThreadSlot, name), kNameBytes);
  }
  if (!last.deep_read) thread.holds_unread = last.deep_size & 0xffff'ffff;
  if (const std::size_t room = kMostHoldsKept - holds_kept_; thread.holds.size() > room) {
    thread.holds_unread += thread.holds.size() - room;
    thread.holds.resize(room);
  }
  holds_kept_ += thread.holds.size();
}

bool SlotReader::read_signals(std::uint64_t offset, ThreadFact& thread, std::size_t count,
                              std::span<const std::uint64_t> objects,
                              std::vector<RawSignal>& found) {
  std::array<std::byte, kMoreSignals * sizeof(SignalRecord)> first;
  std::array<std::byte, kMoreSignals * sizeof(SignalRecord)> second;
  const std::size_t bytes = count * sizeof(SignalRecord);
  if (!get(offset, std::span(first).first(bytes)) || !get(offset, std::span(second).first(bytes)))
    return false;
  for (std::size_t at = 0; at < bytes; at += sizeof(SignalRecord)) {
    const std::uint64_t object = word(first, at + offsetof(SignalRecord, object));
    const bool same = std::memcmp(&first[at], &second[at], offsetof(SignalRecord, count)) == 0;
    // One that is being written could be of any object.
    if (object == kNoteBeingWritten || !same) thread.signals_lost = true;
    if (!same || !std::binary_search(objects.begin(), objects.end(), object)) continue;
    const std::uint64_t site = word(first, at + offsetof(SignalRecord, site));
    if (site >> kTraitShift > static_cast<std::uint64_t>(SignalKind::kPost)) {
      ++senseless_;
      continue;
    }
    found.push_back({{object, site & kSiteMask, static_cast<SignalKind>(site >> kTraitShift),
                      half(second, at + offsetof(SignalRecord, count)),
                      half(second, at + offsetof(SignalRecord, tick))},
                     half(first, at + offsetof(SignalRecord, record)),
                     half(first, at + offsetof(SignalRecord, generation))});
  }
  return true;
}

bool SlotReader::read_signals(ThreadFact& thread, std::span<const std::uint64_t> objects,
                              std::vector<RawSignal>& found) {
  found.clear();
  const std::uint64_t offset = slots_.offset + thread.slot * slots_.stride;
  if (!read_signals(offset + offsetof(ThreadSlot, signals), thread, kInlineSignals, objects, found))
    return false;
  std::array<std::byte, 8> after;
  if (!get(offset + offsetof(ThreadSlot, more_signals_ready), after)) return false;
  static_assert(offsetof(ThreadSlot, signals_lost) == offsetof(ThreadSlot, more_signals_ready) + 4);
  if (half(after, 4) != 0) thread.signals_lost = true;
  if (half(after, 0) != 0 && !read_signals(offset + offsetof(ThreadSlot, more_signals), thread,
                                           kMoreSignals, objects, found)) {
    return false;
  }
  std::array<std::byte, kTouchedPlaces> touched;
  if (!get(offset + offsetof(ThreadSlot, touched), touched)) return false;
  for (std::size_t place = 0; place < touched.size(); ++place) {
    if (touched[place] != std::byte{0}) add_place(thread.touched, place);
  }
  if (!get(offset, std::span(page_).first(offsetof(ThreadSlot, wait)))) return false;
  if (half(page_, offsetof(ThreadSlot, tid)) != thread.tid) found.clear();
  return true;
}

SlotReader::Outcome SlotReader::read(std::uint64_t slot, ThreadFact& thread) {
  const std::uint64_t offset = slots_.offset + slot * slots_.stride;
  // Most slots of a ledger that once had many threads are free: one small look tells.
  if (!get(offset, std::span(page_).first(offsetof(ThreadSlot, wait)))) return Outcome::kCutOff;
  if (half(page_, offsetof(ThreadSlot, life)) == static_cast<std::uint32_t>(ThreadLife::kFree)) {
    return Outcome::kNobody;
  }

  thread = {};
  thread.slot = slot;
  Look before;
  Look now;
  if (!look(offset, now)) return Outcome::kCutOff;
  Decoded seen = decode(now);
  bool same_wait = false;
  thread.changing = true;
  for (unsigned looks = 1; looks < kLooks && thread.changing; ++looks) {
    std::swap(before, now);
    if (!look(offset, now)) return Outcome::kCutOff;
    same_wait = now.wait == before.wait;
    if (now == before && now.stands()) {
      seen = decode(now);
      thread.changing = false;
    } else if (now.tid != before.tid || now.life != before.life) {
      // Another thread's slot now: what was there before is not this one's.
      seen = decode(now);
    } else {
      Decoded newer = decode(now);
      keep_common(seen.holds, std::move(newer.holds));
      seen.senseless = newer.senseless;
    }
  }
  if (now.is(ThreadLife::kFree)) return Outcome::kNobody;
  senseless_ += seen.senseless;
  if (!now.is(ThreadLife::kStarting) && !now.is(ThreadLife::kLive) &&
      !now.is(ThreadLife::kLeaving)) {
    ++senseless_;
    return Outcome::kNobody;
  }
  thread.holds = std::move(seen.holds);
  if (same_wait) read_wait(now, thread);
  read_rest(now, thread);
  return Outcome::kThread;
}

}  // namespace impasse
