#include "witness/delivery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "witness/own_output.h"

namespace impasse::witness {
namespace {

constexpr unsigned kRenameNoReplace = 1;
constexpr std::uint32_t kNumbersTried = 10'000;

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

int rename_new(const char* from, const char* to) {
  if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, kRenameNoReplace) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system that cannot: a link fails where the name is taken.
  if (link(from, to) == 0) {
    unlink(from);
    return 0;
  }
  if (errno != EPERM && errno != EOPNOTSUPP) return errno;
  struct stat there {};
  if (lstat(to, &there) == 0) return EEXIST;
  return rename(from, to) == 0 ? 0 : errno;
}

// Needs no room where there is none: takes the place of the promise in the file itself.
constexpr std::string_view kNamesUnknown = "names are still not known";
static_assert(kNamesUnknown.size() == kNamesPending.size());

void take_promise_back(const std::string& path) {
  constexpr std::size_t kStep = 64 << 10;
  const int fd = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return;
  std::string piece(kStep, '\0');
  off_t offset = 0;
  for (;;) {
    const ssize_t n = pread(fd, piece.data(), piece.size(), offset);
    if (n < static_cast<ssize_t>(kNamesPending.size())) break;
    const std::string_view read(piece.data(), static_cast<std::size_t>(n));
    if (const std::size_t at = read.find(kNamesPending); at != std::string_view::npos) {
      static_cast<void>(
          !pwrite(fd, kNamesUnknown.data(), kNamesUnknown.size(), offset + static_cast<off_t>(at)));
      break;
    }
    // The next piece begins where the sentence could have begun.
    offset += n - static_cast<ssize_t>(kNamesPending.size()) + 1;
  }
  close(fd);
}

// On standard error no full form can take its place.
std::string without_promise(std::string_view text) {
  constexpr std::string_view kNever = "no file takes this report, and so they are not looked up";
  std::string last(text);
  if (const std::size_t at = last.find(kNamesPending); at != std::string::npos) {
    last.replace(at, kNamesPending.size(), kNever);
  }
  return last;
}

std::string report_path(const std::string& directory, std::uint32_t process, std::uint32_t number,
                        const char* ending) {
  return directory + "/impasse." + std::to_string(process) + "." + std::to_string(number) + ending;
}

}  // namespace

int write_file(const std::string& path, std::string_view bytes, bool replace) {
  // Two threads of ours may write the same report: one has looked up names for what the other tells
  // anew.
  const std::string draft = path + "." + std::to_string(gettid()) + ".draft";
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
  int fd = open(draft.c_str(), kFlags, 0600);
  if (fd < 0 && errno == EEXIST) {
    unlink(draft.c_str());  // of an earlier thread of this number, which was killed
    fd = open(draft.c_str(), kFlags, 0600);
  }
  if (fd < 0) return errno;
  int error = fchmod(fd, 0600) == 0 ? 0 : errno;  // whatever the program's umask is
  if (error == EPERM || error == EOPNOTSUPP) error = 0;
  if (error == 0) error = write_all(fd, bytes);
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0) {
    if (!replace) {
      error = rename_new(draft.c_str(), path.c_str());
    } else if (rename(draft.c_str(), path.c_str()) != 0) {
      error = errno;
    }
  }
  if (error != 0) unlink(draft.c_str());
  return error;
}

Delivery::Delivery(std::string directory, std::string temporary, std::uint32_t process)
    : process_(process) {
  const auto add = [this](std::string place) {
    const bool known = std::find(places_.begin(), places_.end(), place) != places_.end();
    if (!known) places_.push_back(std::move(place));
  };
  add(std::move(directory));
  if (!temporary.empty() && temporary.front() == '/') add(std::move(temporary));
  add("/tmp");
}

// The first that no file has in any of the places.
std::uint32_t Delivery::next_number() {
  const auto taken = [this](std::uint32_t number) {
    for (const std::string& place : places_) {
      struct stat there {};
      if (lstat(report_path(place, process_, number, ".txt").c_str(), &there) == 0 ||
          lstat(report_path(place, process_, number, ".json").c_str(), &there) == 0) {
        return true;
      }
    }
    return false;
  };
  for (std::uint32_t tries = 0; tries < kNumbersTried; ++tries) {
    if (!taken(++last_number_)) break;
  }
  return last_number_;
}

bool Delivery::put_into(const std::string& directory, std::uint32_t number, std::string_view text,
                        std::string_view json, Files& files, int& error) const {
  const std::string text_path = report_path(directory, process_, number, ".txt");
  const std::string json_path = report_path(directory, process_, number, ".json");
  error = write_file(json_path, json, false);
  if (error != 0) return false;
  error = write_file(text_path, text, false);
  if (error != 0) {
    unlink(json_path.c_str());
    return false;
  }
  files = {text_path, json_path, number};
  return true;
}

Delivery::Files Delivery::put(std::uint32_t number, std::string_view text, std::string_view json,
                              std::string& complaint) {
  Files files;
  files.number = number;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    int error = 0;
    const bool written = put_into(places_[i], number, text, json, files, error);
    if (written) return files;
    if (i < complained_) continue;
    complained_ = i + 1;
    if (!complaint.empty()) complaint += "\nimpasse: ";  // a line of its own
    complaint += "reports cannot be written to " + places_[i] + " (" + strerrordesc_np(error) +
                 "); next: " + (i + 1 < places_.size() ? places_[i + 1] : "standard error");
  }
  write_to_stderr(without_promise(text));
  return files;
}

bool Delivery::replace(const Files& files, std::string_view text, std::string_view json) {
  if (files.text.empty()) return false;
  if (write_file(files.json, json, true) == 0 && write_file(files.text, text, true) == 0) {
    return true;
  }
  take_promise_back(files.json);
  take_promise_back(files.text);
  return false;
}

void Delivery::remove(const Files& files) {
  if (files.text.empty()) return;
  unlink(files.text.c_str());
  unlink(files.json.c_str());
}

}  // namespace impasse::witness
