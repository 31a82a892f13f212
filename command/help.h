// The texts of --help and its relatives.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace impasse::command {

std::string general_help();
std::string run_help();
std::string dump_help();
std::string show_help();
std::string baseline_help();
std::string graph_help();
std::string stats_help();
// The help of a subcommand by name; empty: there is no such one.
std::string help_about(std::string_view subcommand);
// Complains of a flag that a subcommand does not know; the exit status to return.
int unknown_flag(std::string_view subcommand, std::string_view flag,
                 std::span<const std::string_view> flags);
// The README's table of options.
std::string options_markdown();
// The functions that the library answers, one a line, sorted.
std::string function_list();

}  // namespace impasse::command
