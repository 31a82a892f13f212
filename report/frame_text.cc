#include "report/frame_text.h"

#include "report/function_name.h"
#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kArgumentsShown = 64;  // of a template, in characters
constexpr std::size_t kFramesShown = 256;
constexpr std::size_t kLastFramesShown = 32;
constexpr std::size_t kLongestFile = 240;
constexpr std::size_t kSourcesShown = 64;  // of one frame

std::string source_place(const symbolize::Source& source) {
  if (source.file.empty()) return "";
  std::string text = cut(printable(source.file), kLongestFile);
  return source.line == 0 ? text : text + ":" + std::to_string(source.line);
}

std::string function_of(const symbolize::Source& source) {
  if (source.function.empty()) return "(function not known)";
  return short_function(source.function, kArgumentsShown) + "(...)";
}

std::string nameless(const Phrases& say, const symbolize::Frame& frame) {
  if (say.module_of(frame.pc) == nullptr) return hex(frame.pc) + dim(" in no module");
  return say.module_place(frame.pc);
}

// An inlined function has no code of its own: where it stands is told, the offset is the caller's.
void add_frame(const Phrases& say, const symbolize::Frame& frame, const std::string& note,
               std::string& out) {
  if (frame.signal) {
    out += "[signal handler called]" + note + "\n";
    return;
  }
  const std::string mark = frame.grade == symbolize::Grade::kGuessed ? "~ " : "";
  const auto& sources = frame.sources;
  if (sources.empty()) out += mark + nameless(say, frame) + note + "\n";
  for (std::size_t i = 0; i < sources.size() && i < kSourcesShown; ++i) {
    const bool inlined = i + 1 < sources.size();
    const bool outermost = i + 1 == sources.size() || i + 1 == kSourcesShown;
    const std::string place = source_place(sources[i]);
    out += mark + function_of(sources[i]) + (outermost ? note : "") + "\n\t";
    if (inlined) {
      out += (place.empty() ? "" : place + " ") + dim("inlined");
    } else if (place.empty()) {
      out += dim(say.module_place(frame.pc));
    } else {
      out += place + dim(" +" + hex(frame.function_offset));
    }
    out += "\n";
  }
}

void add_gap(std::uint64_t frames, std::string& out) {
  out += "… " + counted(frames, "frame", "frames") + " left out …\n";
}

}  // namespace

std::string stack_text(const Phrases& say, const symbolize::Stack& stack, const FrameMark& mark) {
  const std::string note = "  " + bold("◀ " + mark.words);
  std::string out;
  const std::size_t all = stack.frames.size();
  const bool shorten = all > kFramesShown;
  const std::size_t from = shorten ? kFramesShown - kLastFramesShown : all;
  const std::size_t to = shorten ? all - kLastFramesShown : all;
  for (std::size_t i = 0; i < all; ++i) {
    if (stack.left_out != 0 && i == stack.left_out_after) add_gap(stack.left_out, out);
    if (i == from) add_gap(to - from, out);
    if (i >= from && i < to) continue;
    add_frame(say, stack.frames[i], i == mark.frame ? note : "", out);
  }
  if (stack.left_out != 0 && stack.left_out_after >= all) add_gap(stack.left_out, out);
  if (!stack.trouble.empty()) {
    out += std::string(all == 0 ? "(no stack: " : "(walk stopped: ") +
           cut(printable(stack.trouble), 300) + ")\n";
  } else if (all != 0 && !stack.whole) {
    out += "(the stack goes on from here, not known how)\n";
  }
  return out;
}

}  // namespace impasse::report
