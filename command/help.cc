#include "command/help.h"

#include <set>

#include "options/options_table.h"

namespace impasse::command {
namespace {

// Until findings are made, most options have nothing to act on.
constexpr std::string_view kToday =
    "This version records who holds and who waits, and shows it with impasse dump.\n"
    "It makes no findings and writes no reports yet: only and ledger work today, the\n"
    "other options take effect together with findings.\n";

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
      "         starts a program under impasse\n"
      "       impasse dump [--json] PID|FILE\n"
      "         shows who holds and who waits in a process that runs under impasse,\n"
      "         or in the ledger that a dead one left behind\n"
      "       impasse show [--json] FILE...\n"
      "         prints reports that impasse wrote\n"
      "       impasse help [run|dump|show]\n"
      "       impasse --list-functions\n"
      "         the functions of the program that impasse answers\n"
      "       impasse --version\n"
      "\n"
      "Options, for impasse run as --KEY=VALUE, for LD_PRELOAD=libimpasse.so as\n"
      "IMPASSE_OPTIONS=\"KEY=VALUE KEY=VALUE\":\n\n";
  text += option_help("--");
  text += '\n';
  text += kToday;
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
  text += '\n';
  text += kToday;
  return text;
}

std::string dump_help() {
  return "usage: impasse dump [--json] PID|FILE\n"
         "\n"
         "Shows every thread of the process: what it waits for, since when and who\n"
         "holds it; what it holds, since when and taken where. The process is neither\n"
         "stopped nor signalled. For a process that is gone, what it left in /dev/shm is\n"
         "shown (or in the directory that IMPASSE_OPTIONS names with ledger=). FILE is\n"
         "such a ledger; a file with a number for a name is written ./NUMBER.\n"
         "\n"
         "  --json   the same and more for programs (\"schema\": \"impasse-facts/1\")\n"
         "\n"
         "Exit status: 0, also for a process that had no reason to make a ledger yet;\n"
         "2 when nothing can be shown, after a sentence on standard error that says why.\n";
}

std::string show_help() {
  return "usage: impasse show [--json] [--raw] [--colour=WHEN] [--debug-dir DIR]... FILE...\n"
         "\n"
         "Prints reports. FILE is the JSON form of one, or the text form beside it: then\n"
         "the JSON form is what is read. A text form that stands alone is printed as it is.\n"
         "\n"
         "  --json            the JSON form, with the names that were found\n"
         "  --raw             no names are looked up; only those that the report has\n"
         "  --colour=WHEN     auto (on a terminal, unless NO_COLOR is set), always, never\n"
         "  --debug-dir DIR   a directory with debug files, to look names up in; may be\n"
         "                    given several times\n"
         "\n"
         "Exit status: 0; 2 when a report cannot be shown, after a sentence on standard\n"
         "error that says why.\n";
}

std::string help_about(std::string_view subcommand) {
  if (subcommand == "run") return run_help();
  if (subcommand == "dump") return dump_help();
  if (subcommand == "show") return show_help();
  return "";
}

std::string options_markdown() {
  std::string text;
  render_markdown(into(text));
  text += '\n';
  text += kToday;
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
