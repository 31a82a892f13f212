// The impasse command: starts programs under impasse and shows what their ledgers say.
#include <exception>
#include <string>
#include <string_view>

#include "command/baseline.h"
#include "command/dump.h"
#include "command/graph.h"
#include "command/help.h"
#include "command/output.h"
#include "command/run.h"
#include "command/show.h"
#include "command/stats.h"
#include "options/nearest_name.h"

namespace impasse::command {
namespace {

constexpr std::string_view kSubcommands[] = {"run",   "dump",  "show", "baseline",
                                             "graph", "stats", "help"};

int unknown(std::string_view word) {
  const std::string_view nearest = nearest_name(word, kSubcommands);
  std::string sentence = "there is no command '" + std::string(word) + "'";
  sentence += nearest.empty() ? "; impasse --help lists them"
                              : "; did you mean '" + std::string(nearest) + "'?";
  return fail(sentence);
}

int help(char** arguments) {
  if (*arguments == nullptr) return print(general_help());
  const std::string text = help_about(*arguments);
  return text.empty() ? unknown(*arguments) : print(text);
}

int dispatch(char** arguments) {
  if (*arguments == nullptr) {
    return fail("it needs to be told what to do; impasse --help shows what there is");
  }
  const std::string_view word = *arguments++;
  if (word == "run") return run(arguments);
  if (word == "dump") return dump(arguments);
  if (word == "show") return show(arguments);
  if (word == "baseline") return baseline(arguments);
  if (word == "graph") return graph(arguments);
  if (word == "stats") return stats(arguments);
  if (word == "help") return help(arguments);
  if (word == "--help" || word == "-h") return print(general_help());
  if (word == "--version") return print("impasse " IMPASSE_VERSION "\n");
  if (word == "--list-functions") return print(function_list());
  if (word == "--options-markdown") return print(options_markdown());
  return unknown(word);
}

}  // namespace
}  // namespace impasse::command

int main(int argc, char** argv) {
  using namespace impasse::command;
  guard_standard_descriptors();
  try {
    return dispatch(argv + (argc > 0 ? 1 : 0));
  } catch (const std::exception& error) {
    return fail(std::string("it ran into something unexpected: ") + error.what());
  }
}
