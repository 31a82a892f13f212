// The table of options as text: for `impasse --help`, for the README, for whoever wants to compare.
#pragma once

#include <span>
#include <string_view>

namespace impasse {

struct OptionRow {
  std::string_view name;
  std::string_view initial;
  std::string_view values;
  std::string_view help;
};
std::span<const OptionRow> option_rows();

// Where the rendered bytes go, piece by piece.
struct TextSink {
  void (*write)(void* context, std::string_view piece);
  void* context;
  void operator()(std::string_view piece) const { write(context, piece); }
};

// Two lines and more per option, at most 80 columns wide; `prefix` stands before each name ("--").
void render_help(std::string_view prefix, TextSink sink);
// A table in Markdown.
void render_markdown(TextSink sink);

}  // namespace impasse
