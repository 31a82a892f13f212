// What a report of facts is made from: a snapshot of the ledger, and what the system says about the
// process now.
//
// Promises: plain values, gathered by the caller; the printers below read them and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detector/snapshot.h"
#include "report/report.h"
#include "symbolize/modules.h"

namespace impasse::report {

// The names that impasse gives to its own threads.
inline constexpr std::string_view kWatchdogName = "impasse";
inline constexpr std::string_view kSideThreadName = "impasse/names";

// A thread as the system sees it.
struct LiveThread {
  std::uint32_t tid = 0;
  std::string name;
  char state = '\0';            // the letter of /proc/PID/task/TID/stat; 0: not readable
  std::string kernel_function;  // where it sleeps in the kernel; empty: nowhere, or not readable
  std::optional<long> system_call;  // its number; nothing: in none, or not readable
};

enum class Origin {
  kLive,        // of a process that is running
  kLeftBehind,  // of one that is gone
  kFile,        // a file, and nothing is known about its process
};

struct Facts {
  Snapshot snapshot;
  symbolize::Modules modules;  // empty: not known
  Report names;                // of places and locks (fact_names.h); empty: none were looked up
  Origin origin = Origin::kFile;
  std::vector<LiveThread> live;    // by tid
  std::uint64_t monotonic_ns = 0;  // when this was gathered
  std::uint64_t wall_ns = 0;
  std::string ledger;   // the file it came from
  std::string version;  // of the impasse that prints it

  bool alive() const { return origin == Origin::kLive; }
};

}  // namespace impasse::report
