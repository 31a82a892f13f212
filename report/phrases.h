// The parts of sentences from which every section of a report is made, so that one thing is called
// the same everywhere: who, which lock, where, for how long.
//
// Promises: whatever indices a report has, an answer comes back; everything from outside is
// printable. Keeps a reference to the report, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/report.h"
#include "report/spoken.h"

namespace impasse::report {

class Phrases {
 public:
  explicit Phrases(const Report& report);

  const Report& report() const { return report_; }
  const Thread* thread_at(std::uint32_t index) const;  // nullptr: there is no such one
  const Lock* lock_at(std::uint32_t index) const;
  const Module* module_of(std::uint64_t address) const;

  std::string who(std::uint32_t thread) const;     // `25101 "stream-load"`
  std::string thread(std::uint32_t thread) const;  // `thread 25101 "stream-load"`
  std::string lock(std::uint32_t lock) const;      // "Stream::mu"; without a name "mutex 0x7f31…"
  std::string lock_in_full(std::uint32_t lock) const;  // "Stream::mu (rwlock 0x7f31c00241a8)"

  std::string lock_of_kind(std::uint32_t lock) const;  // "condition not_full"
  // What is waited for, also where there is no more than its address: "not_full", "condition
  // 0x7f31…"; with its kind: "condition not_full".
  std::string awaited(const Wait& wait) const;
  std::string awaited_of_kind(const Wait& wait) const;
  std::string awaited_in_full(const Wait& wait) const;

  // "Stream::tryGetView stream.cc:564", "river-node+0x1234"
  std::string place(const symbolize::Frame& frame) const;
  // The same of a call that locks: wrappers of the C++ library are passed over, outwards.
  std::string wait_place(const Thread& thread) const;
  std::string hold_place(const Thread& thread, const Hold& hold) const;
  std::string call_place(const symbolize::Frame& site) const;  // no stack is known of it
  // ... told apart from another call in the same function: without lines by where it is.
  std::string call_site(const symbolize::Frame& site) const;
  // ... and of a call that the thread's stack is of.
  std::string call_place(const Thread& thread, const symbolize::Frame& site) const;
  std::string stack_place(const Thread& thread) const;           // where it is now
  std::string caller_name(const symbolize::Frame& frame) const;  // "SyncStreams"
  std::string module_place(std::uint64_t pc) const;              // "libc.so.6 +0x10af1c"

  // Since an instant until the facts were gathered. Nothing: not known.
  std::optional<std::uint64_t> age(std::uint64_t since_ns) const;
  std::string wait_age(const Wait& wait) const;  // "5m 12s", "about 2.3s"; empty: not known
  std::string hold_age(const Hold& hold) const;

  const Hold* hold_of(std::uint32_t thread, std::uint32_t lock) const;
  std::string mode(const Hold& hold, std::uint32_t lock) const;  // "exclusive", "shared"

  // What it does, to stand behind "it is": "in recvfrom() on fd 12, tcp … for at least 5m 11s".
  std::string doing(const Thread& thread) const;
  std::string doing_what(const Thread& thread) const;  // without the time

 private:
  std::string place_of_source(const symbolize::Source& source) const;
  std::optional<std::string> outside_library(const symbolize::Frame& frame) const;
  std::string place_outwards(const Thread& thread, std::size_t frame,
                             const symbolize::Frame& site) const;
  std::string doing_in_wait(const Wait& wait) const;

  const Report& report_;
  std::vector<const Module*> modules_;  // by base
};

}  // namespace impasse::report
