#include "symbolize/frame_pointer.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>

#include "symbolize/call_site.h"

namespace impasse::symbolize {
namespace {

constexpr std::uint64_t kWord = 8;
constexpr std::uint64_t kMostSearched = std::uint64_t{32} << 10;
constexpr int kMostTrials = 100;
constexpr int kMostTrialFrames = 256;

// Takes the bytes off the front when they stand there.
bool take(std::span<const unsigned char>& code, std::initializer_list<unsigned char> bytes) {
  if (code.size() < bytes.size() || std::memcmp(code.data(), bytes.begin(), bytes.size()) != 0) {
    return false;
  }
  code = code.subspan(bytes.size());
  return true;
}

// push rbp; mov rbp, rsp; push …; sub rsp, …: how far the saved rbp lies above the stack pointer.
// With memory that is reserved later (a variable-length array) it is a lower bound.
std::optional<std::uint64_t> frame_size(AddressSpace& space, std::uint64_t function) {
  std::array<unsigned char, 64> bytes{};
  const std::size_t size = space.read(function, bytes.data(), bytes.size());
  auto code = std::span<const unsigned char>(bytes).first(size);
  take(code, {0xf3, 0x0f, 0x1e, 0xfa});  // endbr64
  if (!take(code, {0x55})) return std::nullopt;
  if (!take(code, {0x48, 0x89, 0xe5}) && !take(code, {0x48, 0x8b, 0xec})) return std::nullopt;
  std::uint64_t below = 0;
  for (; code.size() >= 2; below += kWord) {
    const std::size_t prefix = code[0] == 0x41 ? 1 : 0;
    if ((code[prefix] & 0xf8) != 0x50) break;  // push
    code = code.subspan(prefix + 1);
  }
  if (take(code, {0x48, 0x83, 0xec}) && !code.empty()) {
    below += code[0] < 0x80 ? code[0] : 0;
  } else if (take(code, {0x48, 0x81, 0xec}) && code.size() >= 4) {
    std::uint32_t reserved;
    std::memcpy(&reserved, code.data(), sizeof reserved);
    below += reserved;
  }
  return below;
}

class Search {
 public:
  Search(const Walker& walker, StackImage& image, std::uint64_t function)
      : walker_(walker), image_(image), function_(function) {}

  std::optional<FramePointer> by_prologue(std::uint64_t at) {
    const CallSite site = caller_of(at);
    if (!site.is_call) return std::nullopt;
    if (calls(walker_.space, site, function_) == Calls::kYes) {
      return FramePointer{at, Grade::kChecked};
    }
    // A function that was jumped to, or called through a register.
    return leads_to_the_end(at) ? std::optional(FramePointer{at, Grade::kGuessed}) : std::nullopt;
  }

  std::optional<FramePointer> by_search(std::uint64_t from, std::uint64_t to) {
    std::optional<FramePointer> called;  // by a call of this very function, but no way to the end
    for (std::uint64_t at = from; at < to && trials_ < kMostTrials; at += kWord) {
      const CallSite site = caller_of(at);
      if (!site.is_call) continue;
      const Calls verdict = calls(walker_.space, site, function_);
      if (verdict == Calls::kNo) continue;
      const bool checked = verdict == Calls::kYes;
      if (leads_to_the_end(at)) {
        return FramePointer{at, checked ? Grade::kChecked : Grade::kGuessed};
      }
      if (checked && !called) called = FramePointer{at, Grade::kGuessed};
    }
    return called;
  }

 private:
  CallSite caller_of(std::uint64_t frame_pointer) const {
    std::uint64_t return_address = 0;
    if (!image_.holds_word(frame_pointer + kWord, return_address)) return {};
    // A handler of a signal was called by nobody.
    if (returns_from_signal(walker_.space, return_address))
      return {.is_call = true, .is_open = true};
    return call_before(walker_.space, return_address);
  }

  // Whether the whole walk from here makes sense: a call before each return address, up to the
  // outermost frame, or for so long that it cannot be chance.
  bool leads_to_the_end(std::uint64_t frame_pointer) {
    ++trials_;
    Registers registers = image_.registers();
    registers.set(kRbp, frame_pointer);
    const std::size_t windows = image_.windows();
    Walk walk(walker_, image_, registers);
    bool sense = true;
    auto outcome = Walk::Outcome::kFrame;
    for (int frames = 0; sense && frames < kMostTrialFrames; ++frames) {
      outcome = walk.next();
      if (outcome != Walk::Outcome::kFrame) break;
      sense = !walk.returns_here() || call_before(walker_.space, walk.pc()).is_call;
    }
    sense = sense && (outcome == Walk::Outcome::kEnd || outcome == Walk::Outcome::kFrame);
    if (!sense) image_.give_up_windows_after(windows);
    return sense;
  }

  const Walker& walker_;
  StackImage& image_;
  std::uint64_t function_;
  int trials_ = 0;
};

}  // namespace

std::optional<FramePointer> find_frame_pointer(const Walker& walker, StackImage& image,
                                               std::uint64_t function, std::uint64_t sp) {
  Search search(walker, image, function);
  std::uint64_t from = (sp + kWord - 1) & ~(kWord - 1);
  if (const auto below = frame_size(walker.space, function)) {
    from += *below & ~(kWord - 1);
    if (const auto found = search.by_prologue(from)) return found;
  }
  return search.by_search(from, sp + kMostSearched);
}

}  // namespace impasse::symbolize
