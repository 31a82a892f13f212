// A baseline: fingerprints of findings that are known, so that only new ones count.
//
//   {"schema": "impasse-baseline/1", "findings": [{"fingerprint": "…", "kind": "…", "note": "…"}]}
//
// Promises: any bytes are accepted; what is no baseline gives a clause that says why and an empty
// list, never half of one. Keys that are not known are passed over. Bounded in depth and number.
// Pure; also for code that runs inside.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace impasse::report {

inline constexpr std::string_view kBaselineSchema = "impasse-baseline/1";

struct KnownFinding {
  std::string fingerprint;
  std::string kind;
  std::string note;
};

class Baseline {
 public:
  static constexpr std::size_t kMost = 100'000;

  // False: there are too many already.
  bool add(KnownFinding finding);  // each fingerprint once: the first counts
  bool has(std::string_view fingerprint) const;
  const std::vector<KnownFinding>& findings() const { return findings_; }  // by fingerprint

 private:
  std::vector<KnownFinding> findings_;
};

// `problem` is empty when all went well.
Baseline read_baseline(std::string_view json, std::string& problem);
std::string baseline_json(const Baseline& baseline);

}  // namespace impasse::report
