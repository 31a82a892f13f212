#include "options/options_table.h"

#include <cstddef>

namespace impasse {
namespace {

constexpr OptionRow kRows[] = {
#define IMPASSE_OPTION(type, name, initial, values, help) {#name, initial, values, help},
#include "options/options.def"
#undef IMPASSE_OPTION
};

constexpr std::size_t kColumns = 80;
constexpr std::string_view kIndent = "        ";

void wrapped(std::string_view text, TextSink sink) {
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (column == 0 || column + 1 + word.size() > kColumns) {
      if (column != 0) sink("\n");
      sink(kIndent);
      column = kIndent.size();
    } else {
      sink(" ");
      ++column;
    }
    sink(word);
    column += word.size();
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  sink("\n");
}

// In a cell of a Markdown table a bar must not look like the cell's end.
void cell(std::string_view text, TextSink sink) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '|') sink("\\");
    sink(text.substr(i, 1));
  }
}

void code_cell(std::string_view text, TextSink sink) {
  if (text.empty()) {
    sink("(empty)");
    return;
  }
  sink("`");
  cell(text, sink);
  sink("`");
}

}  // namespace

std::span<const OptionRow> option_rows() {
  return kRows;
}

void render_help(std::string_view prefix, TextSink sink) {
  for (const OptionRow& row : kRows) {
    sink("  ");
    sink(prefix);
    sink(row.name);
    sink("=");
    sink(row.values);
    if (row.initial.empty()) {
      sink("   (default: empty)\n");
    } else {
      sink("   (default: ");
      sink(row.initial);
      sink(")\n");
    }
    wrapped(row.help, sink);
  }
}

void render_markdown(TextSink sink) {
  sink("| option | values | default | meaning |\n|---|---|---|---|\n");
  for (const OptionRow& row : kRows) {
    sink("| ");
    code_cell(row.name, sink);
    sink(" | ");
    code_cell(row.values, sink);
    sink(" | ");
    code_cell(row.initial, sink);
    sink(" | ");
    cell(row.help, sink);
    sink(" |\n");
  }
}

}  // namespace impasse
