#include "preload/kept_options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string_view>

namespace impasse {
namespace {

// Constant-initialized, and never torn down: other threads run on during exit.
constinit Options the_options;
constinit char options_text[kTextBytes] = {};
constinit char report_directory[2 * kTextBytes] = {};
constinit char temporary_directory[kTextBytes] = {};

// What does not fit is cut off.
void make_absolute(const char* path, char* into, std::size_t room) {
  char here[kTextBytes] = "";
  const bool relative = path[0] != '/' && getcwd(here, sizeof here) != nullptr;
  if (std::strcmp(path, ".") == 0 && relative) path = "";
  std::snprintf(into, room, "%s%s%s", relative ? here : "", relative && path[0] != '\0' ? "/" : "",
                path);
}

void make_absolute(Target& path, std::initializer_list<std::string_view> words) {
  if (std::find(words.begin(), words.end(), path.view()) != words.end()) return;
  char absolute[2 * kTextBytes];
  make_absolute(path.c_str(), absolute, sizeof absolute);
  path.assign(absolute);
}

}  // namespace

void keep_options(const Options& options, const char* text) {
  the_options = options;
  std::snprintf(options_text, sizeof options_text, "%s", text);
  make_absolute(options.dir.c_str(), report_directory, sizeof report_directory);
  make_absolute(the_options.log, {"off", "stderr", "syslog"});
  make_absolute(the_options.on_finding, {"off"});
  make_absolute(the_options.suppressions, {"off"});
  make_absolute(the_options.baseline, {"off"});
  const char* const temporary = secure_getenv("TMPDIR");
  if (temporary != nullptr) {
    std::snprintf(temporary_directory, sizeof temporary_directory, "%s", temporary);
  }
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
