// What happens after a report: a line in our log, a script, the end of the process.
#pragma once

#include <cstdint>
#include <string>

#include "options/options.h"
#include "witness/hook.h"
#include "witness/own_log.h"
#include "witness/witness.h"

namespace impasse {

class Aftermath final : public witness::ReportListener {
 public:
  explicit Aftermath(const Options& options);

  void reported(const witness::Reported& what) override;
  void suppressed(FindingKind kind, const std::string& rule) override;
  // What the option `ledger` asks for could not be had.
  void without_ledger_file(int error);
  // At every turn of the watchdog.
  void act(witness::Witness& witness, std::uint64_t now_ns);
  // What was asked for has not happened yet.
  bool busy() const { return hook_.starting(); }

 private:
  void complain(const std::string& trouble);

  const Options& options_;
  witness::OwnLog log_;
  witness::Hook hook_;
  bool ends_process_ = false;
  std::uint64_t ends_since_ns_ = 0;
  bool complained_ = false;
};

}  // namespace impasse
