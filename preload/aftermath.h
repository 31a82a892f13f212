// What happens after a report: a line in our log, a script, the end of the process.
#pragma once

#include "options/options.h"
#include "witness/hook.h"
#include "witness/own_log.h"
#include "witness/witness.h"

namespace impasse {

class Aftermath final : public witness::ReportListener {
 public:
  explicit Aftermath(const Options& options);

  void reported(const witness::Reported& what) override;
  // At every turn of the watchdog. `naming`: names are still being looked up.
  void act(bool naming, std::uint64_t now_ns);
  witness::OwnLog& log() { return log_; }

 private:
  const Options& options_;
  witness::OwnLog log_;
  witness::Hook hook_;
  bool ends_process_ = false;
};

}  // namespace impasse
