#include "witness/own_log.h"

#include <fcntl.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "report/ages.h"
#include "witness/own_output.h"

namespace impasse::witness {
namespace {

constexpr off_t kMostBytes = 1 << 20;
constexpr int kOlderFiles = 3;

// spdlog's own time asks the time zone, under libc's lock.
class UtcTime final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& into) override {
    const auto since = message.time.time_since_epoch();
    const std::string text = report::iso_time(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()));
    into.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<UtcTime>();
  }
};

// Formats by our own pattern; where the bytes go is the subject of those below.
class Sink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 protected:
  explicit Sink(const std::string& pattern) {
    auto formatter =
        spdlog::details::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->add_flag<UtcTime>('*');
    formatter->set_pattern(pattern);
    set_formatter_(std::move(formatter));
  }
  virtual void write_line(std::string_view line) = 0;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    write_line({line.data(), line.size()});
  }
  void flush_() override {}
};

class StderrSink final : public Sink {
 public:
  StderrSink() : Sink("impasse: %* %l: %v") {}

 private:
  void write_line(std::string_view line) override { write_to_stderr(line); }
};

class FileSink final : public Sink {
 public:
  explicit FileSink(std::string path)
      : Sink("%* [" + std::to_string(getpid()) + "] %l: %v"), path_(std::move(path)) {}

 private:
  // Opened for each line: a log that is moved away or removed is begun anew.
  void write_line(std::string_view line) override {
    int fd = open_file();
    struct stat file {};
    if (fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size >= kMostBytes) {
      close(fd);
      turn_over();
      fd = open_file();
    }
    if (fd < 0) return complain(errno);
    if (write(fd, line.data(), line.size()) < 0) complain(errno);
    close(fd);
  }
  int open_file() const {
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path_.c_str(), kFlags);
    if (fd >= 0 || errno != ENOENT) return fd;
    fd = open(path_.c_str(), kFlags | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) static_cast<void>(fchmod(fd, 0600));  // whatever the program's umask is
    return fd >= 0 || errno != EEXIST ? fd : open(path_.c_str(), kFlags);
  }
  // Once.
  void complain(int error) {
    if (complained_) return;
    complained_ = true;
    write_to_stderr("impasse: the log cannot be written to " + path_ + " (" +
                    strerrordesc_np(error) + ")\n");
  }
  void turn_over() const {
    for (int i = kOlderFiles; i > 0; --i) {
      const std::string newer = i == 1 ? path_ : path_ + "." + std::to_string(i - 1);
      rename(newer.c_str(), (path_ + "." + std::to_string(i)).c_str());
    }
  }

  std::string path_;
  bool complained_ = false;
};

class SyslogSink final : public Sink {
 public:
  SyslogSink() : Sink("impasse[%P]: %v") {}

 private:
  void write_line(std::string_view line) override {
    constexpr int kDaemonInfo = 3 * 8 + 6;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "/dev/log");
    std::string packet = "<" + std::to_string(kDaemonInfo) + ">";
    packet += line.substr(0, line.find_last_not_of('\n') + 1);
    sendto(fd, packet.data(), packet.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), sizeof address);
    close(fd);
  }
};

std::shared_ptr<spdlog::sinks::sink> sink_for(const std::string& target) {
  if (target == "stderr") return std::make_shared<StderrSink>();
  if (target == "syslog") return std::make_shared<SyslogSink>();
  return std::make_shared<FileSink>(target);
}

}  // namespace

OwnLog::OwnLog(const std::string& target) {
  if (target != "off") {
    logger_ = std::make_unique<spdlog::logger>(std::string("impasse"), sink_for(target));
  }
}

OwnLog::~OwnLog() = default;

void OwnLog::info(std::string_view line) {
  if (logger_) logger_->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void OwnLog::warn(std::string_view line) {
  if (logger_) logger_->log(spdlog::level::warn, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace impasse::witness
