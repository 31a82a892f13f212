#include "command/run.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "command/elf_file.h"
#include "command/file.h"
#include "command/find_program.h"
#include "command/help.h"
#include "command/option_text.h"
#include "command/output.h"
#include "command/watchable.h"

namespace impasse::command {
namespace {

constexpr const char* kOptions = "IMPASSE_OPTIONS";
constexpr const char* kPreload = "LD_PRELOAD";
constexpr const char* kLibrary = "IMPASSE_LIBRARY";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

void set_or_unset(const char* name, const std::string& value) {
  if (value.empty()) {
    unsetenv(name);
  } else {
    setenv(name, value.c_str(), 1);
  }
}

// Our own directory; empty when the system does not tell.
std::string own_directory() {
  std::string path(4096, '\0');
  const ssize_t n = readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return "";
  path.resize(static_cast<std::size_t>(n));
  return path.substr(0, path.rfind('/'));
}

// Why the loader could not make use of this file, or would and nobody would watch; a clause.
std::string why_not_our_library(const std::string& path) {
  constexpr std::size_t kLargestLibrary = std::size_t{256} << 20;
  const OpenFile file(path);
  const ElfFile elf = read_elf(file.fd());
  const bool shared_object = elf.kind == ElfFile::Kind::kElf && elf.interpreter.empty();
  if (!shared_object) return "is no shared object for 64-bit x86";
  // It reads its options by this name; other libraries have no reason to know it.
  const bool ours = read_file(path, kLargestLibrary).text.find(kOptions) != std::string::npos;
  return ours ? "" : "is another library than libimpasse.so";
}

// The shared object; empty, after a sentence, when it is nowhere.
std::string find_library() {
  std::vector<std::string> places;
  if (const std::string given = environment(kLibrary); !given.empty()) {
    // A name without a directory would be looked up in the loader's path, later, in another
    // process.
    char* absolute = realpath(given.c_str(), nullptr);
    places.push_back(absolute != nullptr ? absolute : given);
    std::free(absolute);
  } else if (const std::string own = own_directory(); !own.empty()) {
    for (const char* place : {"/", "/../lib/", "/../lib/x86_64-linux-gnu/"}) {
      places.push_back(std::filesystem::path(own + place + "libimpasse.so").lexically_normal());
    }
  }
  for (const std::string& place : places) {
    if (access(place.c_str(), R_OK) != 0) continue;
    // The loader takes these as separators and as names of its own.
    if (place.find_first_of(" :$") != std::string::npos) {
      complain("LD_PRELOAD cannot name " + place +
               ": no space, colon or dollar sign may be in the path");
      return "";
    }
    if (const std::string reason = why_not_our_library(place); !reason.empty()) {
      std::string sentence = place;
      complain(sentence.append(" ").append(reason) + "; IMPASSE_LIBRARY can name the right one");
      return "";
    }
    return place;
  }
  std::string sentence = "libimpasse.so was not found; looked at";
  for (const std::string& place : places) sentence += " " + place;
  complain(sentence + "; IMPASSE_LIBRARY can name it");
  return "";
}

bool is_ours(std::string_view library) {
  return library.substr(library.rfind('/') + 1) == "libimpasse.so";
}

// `library` first (empty: none), then what was there without any of ours.
std::string merged_preload(const std::string& library, std::string_view before) {
  std::string merged = library;
  while (!before.empty()) {
    const std::size_t end = before.find_first_of(" :");
    const std::string_view one = before.substr(0, end);
    if (!one.empty() && one != library && !is_ours(one)) {
      if (!merged.empty()) merged += ':';
      merged += one;
    }
    before.remove_prefix(end == std::string_view::npos ? before.size() : end + 1);
  }
  return merged;
}

bool is_elf(const std::string& path) {
  return read_file(path, 4).text ==
         "\x7f"
         "ELF";
}

int execute(const std::string& path, char** arguments) {
  execv(path.c_str(), arguments);
  const int error = errno;
  if (error == ENOEXEC && !is_elf(path)) {
    // A script without a first line of its own, as shells treat it.
    std::string shell = "/bin/sh";
    std::string script = path;
    std::vector<char*> with_shell = {shell.data(), script.data()};
    for (char** rest = arguments + 1; *rest != nullptr; ++rest) with_shell.push_back(*rest);
    with_shell.push_back(nullptr);
    execv(shell.c_str(), with_shell.data());
  }
  return fail("cannot execute '" + path + "': " + std::strerror(error));
}

}  // namespace

int run(char** arguments) {
  std::vector<std::string> flags;
  bool dashes = false;
  for (; *arguments != nullptr && **arguments == '-'; ++arguments) {
    const std::string_view flag = *arguments;
    if (flag == "--") {
      dashes = true;
      ++arguments;
      break;
    }
    if (flag == "--help" || flag == "-h") return print(run_help());
    if (!flag.starts_with("--")) {
      return fail("impasse run has no flag '" + std::string(flag) +
                  "'; options look like --wait=5s");
    }
    flags.emplace_back(flag.substr(2));
  }
  if (*arguments == nullptr) {
    return fail(
        "impasse run needs a program: impasse run [--KEY=VALUE ...] -- PROGRAM [ARGUMENT ...]");
  }
  const FoundProgram program = find_program(*arguments);
  if (!program.problem.empty()) {
    // `--wait 5s`: what stands behind it was taken for the program.
    const bool lacks_value =
        !dashes && !flags.empty() && flags.back().find('=') == std::string::npos;
    return fail(!lacks_value ? program.problem
                             : "--" + flags.back() + " has no value (it is written --" +
                                   flags.back() + "=VALUE), and " + program.problem);
  }

  const OptionText options = merge_options(environment(kOptions), flags);
  for (const std::string& complaint : options.complaints) complain(complaint);

  if (const std::string reason = why_not_watchable(program.path); !reason.empty()) {
    complain("'" + std::string(*arguments) + "' runs without impasse: " + reason);
    // Nor with one that was set for us: in such a program it would do harm, or make the loader
    // complain.
    set_or_unset(kPreload, merged_preload("", environment(kPreload)));
    return execute(program.path, arguments);
  }
  const std::string library = find_library();
  if (library.empty()) return kFailed;
  set_or_unset(kPreload, merged_preload(library, environment(kPreload)));
  set_or_unset(kOptions, options.text);
  return execute(program.path, arguments);
}

}  // namespace impasse::command
