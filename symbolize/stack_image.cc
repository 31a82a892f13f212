#include "symbolize/stack_image.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace impasse::symbolize {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kRedZone = 128;  // below the stack pointer, and still the function's own
constexpr std::size_t kMostAtOnce = std::size_t{1} << 20;

}  // namespace

StackImage::~StackImage() {
  for (const Window& window : windows_) {
    if (window.bytes != nullptr) munmap(window.bytes, window.room);
  }
}

void StackImage::clear() {
  give_up_windows_after(0);
  // What one deep stack needed is given back.
  for (Window& window : windows_) {
    if (window.room <= kFirstBytes || window.bytes == nullptr) continue;
    munmap(window.bytes, window.room);
    window = {};
  }
  registers_ = {};
  same_as_before_ = nullptr;
  changed_ = full_ = false;
}

void StackImage::reset() {
  windows_ = {};
  windows_used_ = bytes_ = 0;
  std::construct_at(&same_as_before_);
  clear();
}

void StackImage::allow_more(std::function<bool()> same_as_before) {
  same_as_before_ = std::move(same_as_before);
}

void StackImage::give_up_windows_after(std::size_t count) {
  while (windows_used_ > count) bytes_ -= windows_[--windows_used_].size;
}

std::size_t StackImage::windows_elsewhere() const {
  const auto end = windows_.begin() + static_cast<std::ptrdiff_t>(windows_used_);
  return static_cast<std::size_t>(
      std::count_if(windows_.begin(), end, [](const Window& w) { return w.elsewhere; }));
}

bool StackImage::make_room(Window& window, std::size_t size) {
  if (window.room >= size) return true;
  if (window.bytes != nullptr) munmap(window.bytes, window.room);
  window = {};
  const std::size_t room = (std::max(size, kFirstBytes) + kPage - 1) & ~(kPage - 1);
  void* const made = mmap(nullptr, room, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) return false;
  window.bytes = static_cast<unsigned char*>(made);
  window.room = room;
  return true;
}

bool StackImage::add_window(std::uint64_t low, std::size_t size, bool elsewhere) {
  size = std::min(size, kMostBytes - bytes_);
  if (windows_used_ == kMostWindows || size < sizeof(std::uint64_t)) {
    full_ = true;
    return false;
  }
  Window& window = windows_[windows_used_];
  if (!make_room(window, size)) return false;
  window.low = low;
  window.size = space_.memory().read(low, window.bytes, size);
  window.elsewhere = elsewhere;
  if (window.size < sizeof(std::uint64_t)) return false;
  bytes_ += window.size;
  ++windows_used_;
  return true;
}

bool StackImage::copy(const Registers& registers, std::size_t most) {
  clear();
  registers_ = registers;
  const std::uint64_t sp = registers.sp();
  const Mapping* stack = space_.mapping(sp);
  // The main thread's stack grows as it is used, and threads are made at any time.
  if (stack == nullptr && space_.refresh()) stack = space_.mapping(sp);
  if (stack == nullptr || !stack->readable) return false;
  const std::uint64_t low = sp - std::min(kRedZone, sp - stack->start);
  return add_window(low, std::min<std::size_t>(most, stack->end - low), false);
}

bool StackImage::adopt(const Registers& registers, std::uint64_t address, const void* bytes,
                       std::size_t size) {
  clear();
  registers_ = registers;
  Window& window = windows_[0];
  if (size < sizeof(std::uint64_t) || size > kMostBytes || !make_room(window, size)) return false;
  std::memcpy(window.bytes, bytes, size);
  window.low = address;
  window.size = size;
  window.elsewhere = false;
  bytes_ = size;
  windows_used_ = 1;
  return true;
}

bool StackImage::holds_word(std::uint64_t address, std::uint64_t& word) const {
  for (std::size_t i = windows_used_; i > 0; --i) {
    const Window& window = windows_[i - 1];
    if (address < window.low || address - window.low > window.size - sizeof word) continue;
    std::memcpy(&word, window.bytes + (address - window.low), sizeof word);
    return true;
  }
  return false;
}

bool StackImage::read_word(std::uint64_t address, std::uint64_t& word) {
  if (holds_word(address, word)) return true;
  if (changed_ || same_as_before_ == nullptr || !copy_another(address)) return false;
  if (!same_as_before_()) {
    changed_ = true;
    give_up_windows_after(windows_used_ - 1);
    return false;
  }
  return holds_word(address, word);
}

bool StackImage::copy_another(std::uint64_t missed) {
  const Mapping* const stack = space_.mapping(missed);
  if (stack == nullptr || !stack->readable || !stack->writable) return false;
  bool elsewhere = true;
  for (std::size_t i = windows_used_; i > 0; --i) {
    const Window& last = windows_[i - 1];
    const std::uint64_t end = last.low + last.size;
    if (last.low < stack->start || end > stack->end) continue;
    elsewhere = false;
    const std::size_t next = std::min(2 * std::max(last.size, kFirstBytes), kMostAtOnce);
    if (missed < end || missed - end >= next) continue;
    return add_window(end, std::min<std::size_t>(next, stack->end - end), false);
  }
  if (elsewhere && windows_elsewhere() == kMostElsewhere) {
    full_ = true;
    return false;
  }
  // Another stack, or beyond a very large frame. Later reads lie lower than the first one: it is a
  // frame's upper end that is asked for.
  const std::uint64_t page = missed & ~(kPage - 1);
  const std::uint64_t low = page - std::min(kPage, page - stack->start);
  return add_window(low, std::min<std::size_t>(kFirstBytes, stack->end - low), elsewhere);
}

}  // namespace impasse::symbolize
