#include "preload/kept_options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <string_view>

namespace impasse {
namespace {

// Constant-initialized, and never torn down: other threads run on during exit.
constinit Options the_options;
constinit char options_text[kTextBytes] = {};
constinit char report_directory[2 * kTextBytes] = {};
constinit char temporary_directory[kTextBytes] = {};

// Appends what fits. Not by printf, whose code no program has in memory when it begins.
void append(const char* text, char* into, std::size_t room) {
  const std::size_t there = std::strlen(into);
  const std::size_t bytes = std::min(std::strlen(text), room - 1 - there);
  std::memcpy(into + there, text, bytes);
  into[there + bytes] = '\0';
}

// What does not fit is cut off.
void make_absolute(const char* path, char* into, std::size_t room) {
  into[0] = '\0';
  const bool relative = path[0] != '/' && getcwd(into, std::min(room, kTextBytes)) != nullptr;
  if (!relative) into[0] = '\0';
  if (std::strcmp(path, ".") == 0 && relative) return;
  if (relative && path[0] != '\0') append("/", into, room);
  append(path, into, room);
}

void make_absolute(Target& path, std::initializer_list<std::string_view> words) {
  if (std::find(words.begin(), words.end(), path.view()) != words.end()) return;
  char absolute[2 * kTextBytes];
  make_absolute(path.c_str(), absolute, sizeof absolute);
  path.assign(absolute);
}

}  // namespace

const Options& keep_options(const char* text, Complaints& complaints) {
  // In its place: to copy it would touch twice the memory.
  new (&the_options) Options(parse(text, complaints));
  append(text, options_text, sizeof options_text);
  make_absolute(the_options.dir.c_str(), report_directory, sizeof report_directory);
  make_absolute(the_options.log, {"off", "stderr", "syslog"});
  make_absolute(the_options.on_finding, {"off"});
  make_absolute(the_options.suppressions, {"off"});
  make_absolute(the_options.baseline, {"off"});
  const char* const temporary = secure_getenv("TMPDIR");
  if (temporary != nullptr) append(temporary, temporary_directory, sizeof temporary_directory);
  return the_options;
}

const Options& kept_options() {
  return the_options;
}

witness::Settings settings_of_options() {
  witness::Settings settings;
  settings.directory = report_directory;
  settings.temporary_directory = temporary_directory;
  settings.thresholds.wait_ns = the_options.wait.ns;
  settings.thresholds.conditions = the_options.conditions;
  settings.most_reports = the_options.max_reports;
  settings.counts_findings = the_options.exit_code != 0;
  settings.running_stacks = the_options.running_stacks;
  if (!the_options.suppressions.is("off")) {
    settings.suppressions = the_options.suppressions.view();
  }
  if (!the_options.baseline.is("off")) settings.baseline = the_options.baseline.view();
  std::string_view rest = options_text;
  for (OptionToken token; next_token(rest, token);) {
    settings.options.emplace_back(token.key, token.value);
  }
  return settings;
}

}  // namespace impasse
