#include "command/help.h"

#include <set>

#include "command/output.h"
#include "options/nearest_name.h"
#include "options/options_table.h"

namespace impasse::command {
namespace {

TextSink into(std::string& text) {
  return {[](void* to, std::string_view piece) { static_cast<std::string*>(to)->append(piece); },
          &text};
}

std::string option_help(std::string_view prefix) {
  std::string text;
  render_help(prefix, into(text));
  return text;
}

}  // namespace

std::string general_help() {
  std::string text =
      "impasse answers one question about a running program: who is stuck, behind whom,\n"
      "and what is that one doing right now?\n"
      "\n"
      "usage: impasse run [--KEY=VALUE ...] -- PROGRAM [ARGUMENT ...]\n"
      "         starts a program under impasse, which reports deadlocks, orders of\n"
      "         locks that can lead to one, long waits, conditions that nobody is left\n"
      "         to signal, and broken rules of locks\n"
      "       impasse dump [--json] [--facts] PID|FILE\n"
      "         asks a process that runs under impasse for a report of all its threads,\n"
      "         or shows what the ledger of a dead one says\n"
      "       impasse show [--json|--suppression] FILE...\n"
      "         prints reports that impasse wrote, or the rules that would silence them\n"
      "       impasse baseline FILE...\n"
      "         makes a list of known findings from reports, for the option baseline\n"
      "       impasse graph [--dot|--json] PID|FILE\n"
      "         prints the orders in which a process was seen taking its locks\n"
      "       impasse stats [--by=ORDER] [--top=N] [--json] PID|FILE\n"
      "         prints how often each lock was taken, and how long waited for and held,\n"
      "         of a process that was started with --stats=on\n"
      "       impasse help [run|dump|show|baseline|graph|stats]\n"
      "       impasse --list-functions\n"
      "         the functions of the program that impasse answers\n"
      "       impasse --version\n"
      "\n"
      "Options, for impasse run as --KEY=VALUE, for LD_PRELOAD=libimpasse.so as\n"
      "IMPASSE_OPTIONS=\"KEY=VALUE KEY=VALUE\":\n\n";
  text += option_help("--");
  return text;
}

std::string run_help() {
  std::string text =
      "usage: impasse run [--KEY=VALUE ...] [--] PROGRAM [ARGUMENT ...]\n"
      "\n"
      "Starts PROGRAM with libimpasse.so preloaded; its exit status is the program's.\n"
      "2 is also the exit status when it cannot be started at all.\n"
      "A program that cannot be watched (statically linked, setuid, for another\n"
      "machine, built with AddressSanitizer or ThreadSanitizer) is started without\n"
      "impasse, after a line on standard error that says why.\n"
      "\n"
      "Environment:\n"
      "  IMPASSE_OPTIONS  options; what stands on the command line wins\n"
      "  IMPASSE_LIBRARY  the shared object, if neither beside impasse nor in ../lib\n"
      "  LD_PRELOAD       other libraries in it are kept, after impasse\n"
      "\n"
      "Options:\n\n";
  text += option_help("--");
  return text;
}

std::string dump_help() {
  return "usage: impasse dump [--json] [--facts] [--running-stacks] [--debug-dir=DIR]...\n"
         "                    PID|FILE\n"
         "\n"
         "Asks a live process for a report of all its threads: what each does, its stack,\n"
         "what it waits for and who holds that, what it holds. The watchdog in the process\n"
         "makes it; no thread is stopped, and none gets a signal. When the process does\n"
         "not answer within 5 seconds, is stopped or gone, what its ledger says is shown,\n"
         "as with --facts. Of a process that is gone, the ledger is looked for in /dev/shm\n"
         "(or in the directory that IMPASSE_OPTIONS names with ledger=). FILE is a ledger;\n"
         "a file with a number for a name is written ./NUMBER.\n"
         "\n"
         "  --json            for programs: a report has \"schema\": \"impasse/1\", what a\n"
         "                    ledger says has \"schema\": \"impasse-facts/1\"\n"
         "  --facts           only what the ledger says: who holds and who waits, without\n"
         "                    stacks; the process is not asked\n"
         "  --running-stacks  threads that run are asked for their stacks too, by a signal\n"
         "                    that they do not notice; those that sleep never are\n"
         "  --debug-dir=DIR   a directory with debug files, to look names up in; may be\n"
         "                    given several times\n"
         "\n"
         "Exit status: 0, also for a process that had no reason to make a ledger yet;\n"
         "2 when nothing can be shown, after a sentence on standard error that says why.\n";
}

std::string show_help() {
  return "usage: impasse show [--json|--suppression] [--raw] [--colour=WHEN]\n"
         "                    [--debug-dir DIR]... FILE...\n"
         "\n"
         "Prints reports. FILE is the JSON form of one, or the text form beside it: then\n"
         "the JSON form is what is read. A text form that stands alone is printed as is.\n"
         "\n"
         "  --json            the JSON form, with the names that were found\n"
         "  --suppression     the rule that would silence the finding, for a file that the\n"
         "                    option suppressions names\n"
         "  --raw             no names are looked up; only those that the report has\n"
         "  --colour=WHEN     auto (on a terminal, unless NO_COLOR is set), always, never\n"
         "  --debug-dir DIR   a directory with debug files, to look names up in; may be\n"
         "                    given several times\n"
         "\n"
         "Exit status: 0; 2 when a report cannot be shown, after a sentence on standard\n"
         "error that says why.\n";
}

std::string graph_help() {
  return "usage: impasse graph [--dot|--json] [--debug-dir=DIR]... PID|FILE\n"
         "\n"
         "Prints every order in which a live process was seen taking its locks: an arrow\n"
         "from a lock that was held to one that was taken then. Arrows on a circle are\n"
         "red. The process answers as to impasse dump: nothing in it is stopped. FILE is\n"
         "what --json printed, or the JSON form of a lock_order report; a file with a\n"
         "number for a name is written ./NUMBER.\n"
         "\n"
         "  --dot            for Graphviz: impasse graph PID | dot -Tsvg (the default)\n"
         "  --json           for programs: a report (\"schema\": \"impasse/1\") whose\n"
         "                   finding.orders are the arrows\n"
         "  --debug-dir=DIR  a directory with debug files, to look names up in; may be\n"
         "                   given several times\n"
         "\n"
         "Exit status: 0; 2 when there is nothing to print, after a sentence on standard\n"
         "error that says why.\n";
}

std::string baseline_help() {
  return "usage: impasse baseline FILE... >known.json\n"
         "\n"
         "Makes a list of the findings of these reports, each once, for the option\n"
         "baseline: what is in it is told as ever, and does not count for exit_code.\n"
         "FILE is the JSON form of a report, the text form beside it, or a list that was\n"
         "made before. Dumps and graphs are passed over.\n"
         "\n"
         "Exit status: 0; 2 when one of them cannot be read, after a sentence on standard\n"
         "error that says why; then there is no list.\n";
}

std::string stats_help() {
  return "usage: impasse stats [--by=ORDER] [--top=N] [--json] [--debug-dir=DIR]...\n"
         "                     PID|FILE\n"
         "\n"
         "Prints the numbers of a process that was started with stats=on: for each call\n"
         "site and each lock how often it was taken, how often that had to wait, and how\n"
         "long it was waited for and held: half of the times, nine of ten and 99 of 100\n"
         "were no longer than p50, p90 and p99. A live process is neither stopped nor\n"
         "asked. FILE is a ledger; one that a killed process left behind is found by its\n"
         "PID, too. A file with a number for a name is written ./NUMBER.\n"
         "\n"
         "  --by=ORDER       what comes first: wait (the most time waited; the default),\n"
         "                   hold (the most time held) or count (taken most often)\n"
         "  --top=N          so many rows of each table; 20, if not given\n"
         "  --json           for programs: \"schema\": \"impasse-stats/1\"\n"
         "  --debug-dir=DIR  a directory with debug files, to look names up in; may be\n"
         "                   given several times\n"
         "\n"
         "Exit status: 0; 2 when there are no numbers to print, after a sentence on\n"
         "standard error that says why.\n";
}

std::string help_about(std::string_view subcommand) {
  if (subcommand == "run") return run_help();
  if (subcommand == "dump") return dump_help();
  if (subcommand == "show") return show_help();
  if (subcommand == "stats") return stats_help();
  if (subcommand == "baseline") return baseline_help();
  if (subcommand == "graph") return graph_help();
  return "";
}

int unknown_flag(std::string_view subcommand, std::string_view flag,
                 std::span<const std::string_view> flags) {
  const std::string_view nearest = nearest_name(flag.substr(0, flag.find('=')), flags);
  const std::string name(subcommand);
  if (nearest == flag) {
    return fail("'" + std::string(flag) + "' of impasse " + name + " needs a value: " +
                std::string(flag) + "=VALUE; impasse help " + name + " shows what it can be");
  }
  return fail("impasse " + name + " has no flag '" + std::string(flag) + "'; " +
              (nearest.empty() ? "impasse help " + name + " lists them"
                               : "did you mean '" + std::string(nearest) + "'?"));
}

std::string options_markdown() {
  std::string text;
  render_markdown(into(text));
  return text;
}

std::string function_list() {
  static constexpr std::string_view kFunctions[] = {
#define IMPASSE_FUNCTION(result, name, parameters, arguments, version) #name,
#include "interpose/functions.def"
#undef IMPASSE_FUNCTION
  };
  const std::set<std::string_view> sorted(std::begin(kFunctions), std::end(kFunctions));
  std::string text;
  for (const std::string_view name : sorted) {
    text += name;
    text += '\n';
  }
  return text;
}

}  // namespace impasse::command
