// What impasse says about itself: a line for each thing that it does, where the option `log` sends
// it.
//
// Promises: written by our own thread only; no lock, no stdio, no time zone: a line costs one
// write. A file is kept below 1 MiB and turned over (PATH.1 to PATH.3); what cannot be written is
// dropped, which is said once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace impasse::witness {

class OwnLog {
 public:
  // "off", "stderr", "syslog" or a path, absolute if the program may change its directory.
  explicit OwnLog(const std::string& target);
  ~OwnLog();
  OwnLog(const OwnLog&) = delete;
  OwnLog& operator=(const OwnLog&) = delete;

  void info(std::string_view line);
  void warn(std::string_view line);

 private:
  std::unique_ptr<spdlog::logger> logger_;  // null: off
};

}  // namespace impasse::witness
