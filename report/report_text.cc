#include "report/report_text.h"

#include "report/ages.h"
#include "report/call_words.h"
#include "report/cycle_words.h"
#include "report/order_picture.h"
#include "report/order_text.h"
#include "report/phrases.h"
#include "report/picture.h"
#include "report/small_print.h"
#include "report/thread_text.h"
#include "report/timeline.h"
#include "report/verdict.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kLongestProgram = 60;

std::string ordinal(std::uint32_t n) {
  const std::uint32_t last = n % 100;
  const char* ending = "th";
  if (last < 11 || last > 13) {
    ending = n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
  }
  return with_commas(n) + ending;
}

std::string heading(const Report& report, std::size_t width) {
  const Process& process = report.process;
  const std::string start = "==== impasse: " + std::string(title(report)) + " ";
  std::string end = " ";
  if (report.finding.number != 0) {
    end += "report " + std::to_string(report.finding.number) + " · ";
  }
  end += cut(printable(process.program), kLongestProgram) + "[" + std::to_string(process.pid) +
         "] ====";
  const std::size_t used = columns(start) + columns(end);
  return bold(start + repeat("=", used + 4 < width ? width - used : 4) + end) + "\n";
}

std::string circumstances(const Phrases& say) {
  const Report& report = say.report();
  std::string text = wall_time(report.moment.wall_ns);
  const auto add = [&text](const std::string& words) { text += " · " + words; };
  if (!report.process.host.empty()) add("host " + cut(printable(report.process.host), 60));
  if (const auto age = say.age(report.process.started_ns)) add("watched for " + duration(*age));
  if (!report.process.version.empty()) {
    add("impasse " + cut(printable(report.process.version), 40));
  }
  if (report.finding.update != 0)
    add("told for the " + ordinal(report.finding.update + 1) + " time");
  text += "\n";
  if (!report.names_trouble.empty()) {
    text += std::string(report.named ? "Some names are missing: " : "Without names: ") +
            cut(printable(report.names_trouble), 300) + "\n";
  }
  return text;
}

// Where a line's words begin: behind who they are about, where that stands in a column of its own.
std::size_t hanging_indent(const std::string& text, std::size_t inside, std::size_t width) {
  if (inside == 0) return kIndent;
  const std::size_t gap = text.find("  ", inside);
  const std::size_t column = gap == std::string::npos ? gap : text.find_first_not_of(' ', gap);
  if (column == std::string::npos) return kIndent + inside + 4;
  const std::size_t indent = kIndent + columns(std::string_view(text).substr(0, column)) + 4;
  return indent < width / 2 ? indent : kIndent + inside + 4;
}

// Breaks a paragraph between words; what follows the first line is indented like it.
std::string paragraph(const std::string& text, std::size_t width) {
  const std::size_t inside = text.find_first_not_of(' ');
  const std::size_t indent = kIndent + (inside == std::string::npos ? 0 : inside);
  std::string out(indent, ' ');
  std::size_t used = indent;
  std::size_t at = inside == std::string::npos ? text.size() : inside;
  const std::size_t hanging = at < text.size() ? hanging_indent(text, inside, width) : indent;
  while (at < text.size()) {
    std::size_t end = text.find(' ', at);
    if (end == std::string::npos) end = text.size();
    // Spaces that align something stay as they are.
    while (end < text.size() && text[end] == ' ') ++end;
    const std::string_view word = std::string_view(text).substr(at, end - at);
    const std::string_view bare = word.substr(0, word.find_last_not_of(' ') + 1);
    if (used > indent && used + columns(bare) > width) {
      while (out.ends_with(' ')) out.pop_back();
      out += "\n" + std::string(hanging, ' ');
      used = hanging;
    }
    out += word;
    used += columns(word);
    at = end;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out + "\n";
}

void add_lines(std::string& out, const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out += "\n" + bold(title) + "\n";
  for (const std::string& line : lines) {
    out += line.empty() ? "\n" : std::string(kIndent, ' ') + line + "\n";
  }
}

}  // namespace

std::string report_text(const Report& report, const TextStyle& style) {
  const Phrases say(report);
  std::string out = heading(report, style.width) + circumstances(say) + "\n";
  bool first = true;
  for (const std::string& line : verdict(say)) {
    const std::string text = paragraph(line, style.width);
    out += first ? bold(text) : text;
    first = false;
  }
  add_lines(out, "WHAT ORDER", order_picture(say, style.width - kIndent));
  add_lines(out, is_refused(report) ? "WHO ASKED FOR WHAT" : "WHO WAITS FOR WHOM",
            picture(say, style.width - kIndent));
  add_lines(out, "TIMELINE", timeline(say, style.width));
  if (const std::vector<std::string> calls = call_lines(say); !calls.empty()) {
    out += "\n" + bold("CALLS UNDER THE LOCK") + "\n";
    for (const std::string& line : calls) out += paragraph(line, style.width);
  }
  out += order_section(say);
  out += thread_sections(say);
  out += small_print(say);
  return finished(out, style);
}

std::string report_line(const Report& report) {
  return verdict_line(Phrases(report));
}

}  // namespace impasse::report
