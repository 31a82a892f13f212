#include "command/watchable.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "command/elf_file.h"
#include "command/file.h"

namespace impasse::command {
namespace {

constexpr int kMostInterpreters = 5;  // as the kernel does
constexpr std::string_view kLoader = "ld-linux-x86-64.so.2";

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// The loader drops the preload when a program gains rights by being executed.
std::string gains_rights(int fd) {
  struct stat facts {};
  struct statvfs place {};
  if (fstat(fd, &facts) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return "";
  if (fstatvfs(fd, &place) == 0 && (place.f_flag & ST_NOSUID) != 0) return "";
  if ((facts.st_mode & S_ISUID) != 0 && facts.st_uid != getuid()) {
    return "is a setuid program";
  }
  constexpr mode_t kSetgid = S_ISGID | S_IXGRP;
  if ((facts.st_mode & kSetgid) == kSetgid && facts.st_gid != getgid()) {
    return "is a setgid program";
  }
  if (getuid() != 0 && fgetxattr(fd, "security.capability", nullptr, 0) > 0) {
    return "has file capabilities";
  }
  return "";
}

std::string about_elf(const ElfFile& elf) {
  if (elf.interpreter.empty()) {
    // The loader itself, called with a program: it reads the preload.
    if (elf.soname == kLoader) return "";
    return "is statically linked";
  }
  if (base_name(elf.interpreter) != kLoader) {
    return "does not use glibc (its loader is " + elf.interpreter + ")";
  }
  if (!elf.sanitizer.empty()) return "is built with " + elf.sanitizer;
  for (const std::string& library : elf.needed) {
    const auto is = [&library](std::string_view name) {
      return library.find(name) != std::string::npos;
    };
    if (is("libasan.so") || is("libclang_rt.asan")) return "is built with AddressSanitizer";
    if (is("libtsan.so") || is("libclang_rt.tsan")) return "is built with ThreadSanitizer";
  }
  return "";
}

// The interpreter that the first line of a script names.
std::optional<std::string> script_interpreter(int fd) {
  std::array<char, 256> start;
  const ssize_t n = pread(fd, start.data(), start.size(), 0);
  if (n < 3) return std::nullopt;
  std::string_view line(start.data(), static_cast<std::size_t>(n));
  if (!line.starts_with("#!")) return std::nullopt;
  line = line.substr(2, line.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return std::string(line.substr(0, line.find_first_of(" \t")));
}

}  // namespace

std::string why_not_watchable(const std::string& program) {
  std::string path = program;
  for (int i = 0; i <= kMostInterpreters; ++i) {
    const OpenFile file(path);
    if (!file)
      return "";  // what cannot be looked at is tried; the loader says what it thinks of it
    const ElfFile elf = read_elf(file.fd());
    std::string reason;
    switch (elf.kind) {
      case ElfFile::Kind::kUnreadable:
        return "";
      case ElfFile::Kind::kForeign:
        reason = elf.is_32_bit ? "is a 32-bit program" : "is a program for another machine";
        break;
      case ElfFile::Kind::kElf:
        reason = gains_rights(file.fd());
        if (reason.empty()) reason = about_elf(elf);
        break;
      case ElfFile::Kind::kOther:
        // Without a first line of its own a script is given to sh.
        path = script_interpreter(file.fd()).value_or("/bin/sh");
        continue;
    }
    if (reason.empty()) return "";
    std::string who = "it ";
    if (path != program) who.assign("its interpreter ").append(path).append(" ");
    return who.append(reason);
  }
  return "";
}

}  // namespace impasse::command
