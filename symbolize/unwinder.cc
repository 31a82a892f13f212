#include "symbolize/unwinder.h"

#include <vector>

#include "symbolize/frame_pointer.h"
#include "symbolize/unwind_library.h"
#include "symbolize/walk.h"

namespace impasse::symbolize {
namespace {

// What a frame is while it is not yet known whether it will be kept.
struct Seen {
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
  Grade grade = Grade::kExact;
  bool returns_here = false;
  bool signal = false;

  Frame frame() const {
    Frame frame;
    frame.pc = pc;
    frame.stack_pointer = sp;
    frame.grade = grade;
    frame.returns_here = returns_here;
    frame.signal = signal;
    return frame;
  }
};

// The first frames and the last ones.
class Keeper {
 public:
  explicit Keeper(const WalkLimits& limits) : limits_(limits) {}

  void add(const Seen& seen) {
    if (inner_ && seen.pc >= limits_.ours_begin && seen.pc < limits_.ours_end) return;
    inner_ = false;
    if (first_.size() < limits_.first) {
      first_.push_back(seen);
    } else if (last_.size() < limits_.last) {
      last_.push_back(seen);
    } else {
      if (!last_.empty()) last_[oldest_++ % last_.size()] = seen;
      ++left_out_;
    }
  }

  void give(Stack& stack) const {
    stack.frames.reserve(first_.size() + last_.size());
    for (const Seen& seen : first_) stack.frames.push_back(seen.frame());
    stack.left_out = left_out_;
    stack.left_out_after = left_out_ == 0 ? 0 : first_.size();
    for (std::size_t i = 0; i < last_.size(); ++i) {
      stack.frames.push_back(last_[(oldest_ + i) % last_.size()].frame());
    }
  }

 private:
  const WalkLimits& limits_;
  bool inner_ = true;  // no frame but ours was seen yet
  std::vector<Seen> first_;
  std::vector<Seen> last_;  // a ring once it is full
  std::size_t oldest_ = 0;
  std::uint64_t left_out_ = 0;
};

// A pass over the frames, and another one from the start when the frame pointer was found.
class Pass {
 public:
  Pass(const Walker& walker, StackImage& image, const WalkLimits& limits)
      : walker_(walker), image_(image), limits_(limits), registers_(image.registers()) {}

  Stack run() {
    Stack stack;
    if (!walk(stack)) return stack;
    stack = {};
    walk(stack);
    return stack;
  }

 private:
  // True: it is worth to begin again.
  bool walk(Stack& stack) {
    Keeper keeper(limits_);
    Walk frames(walker_, image_, registers_);
    auto outcome = Walk::Outcome::kFrame;
    std::size_t count = 0;
    for (; outcome == Walk::Outcome::kFrame && count < limits_.most; ++count) {
      const Grade grade = count > unsure_after_ ? grade_ : Grade::kExact;
      keeper.add({frames.pc(), frames.sp(), grade, frames.returns_here(), frames.signal()});
      outcome = frames.next();
    }
    const bool lost = outcome == Walk::Outcome::kNoRegister && frames.lost() == kRbp;
    if (lost && recover(frames, count - 1)) return true;
    keeper.give(stack);
    stack.whole = outcome == Walk::Outcome::kEnd;
    stack.trouble = outcome == Walk::Outcome::kFrame
                        ? "walk stopped after " + std::to_string(count) + " frames"
                        : frames.why(outcome);
    return false;
  }

  bool recover(Walk& frames, std::size_t frame) {
    const std::uint64_t function = frames.function_start();
    if (function == 0 || registers_.known(kRbp)) return false;
    const auto found = find_frame_pointer(walker_, image_, function, frames.sp());
    if (!found.has_value()) return false;
    registers_.set(kRbp, found->value);
    grade_ = found->grade;
    unsure_after_ = frame;
    return true;
  }

  const Walker& walker_;
  StackImage& image_;
  const WalkLimits& limits_;
  Registers registers_;
  Grade grade_ = Grade::kExact;
  std::size_t unsure_after_ = ~std::size_t{0};
};

// Set for as long as it lives.
class Mark {
 public:
  explicit Mark(std::atomic<bool>& mark) : mark_(mark) {
    mark_.store(true, std::memory_order_relaxed);
  }
  ~Mark() { mark_.store(false, std::memory_order_relaxed); }
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;

 private:
  std::atomic<bool>& mark_;
};

Stack innermost_only(const Registers& registers, std::string trouble) {
  Stack stack;
  Frame& frame = stack.frames.emplace_back();
  frame.pc = registers.pc();
  frame.stack_pointer = registers.sp();
  frame.returns_here = false;
  stack.trouble = std::move(trouble);
  return stack;
}

}  // namespace

struct Unwinder::Engine {
  UnwindLibrary library;
  bool loaded = false;
  LoadTrouble trouble{};
  unw_addr_space_t rows = nullptr;
  // A later libunwind reads further members behind those that we know.
  struct {
    unw_accessors_t known;
    void* later[8];
  } accessors{};
};

Unwinder::Unwinder(AddressSpace& space) : space_(space), engine_(std::make_unique<Engine>()) {}

Unwinder::~Unwinder() {
  if (ready()) engine_->library.destroy_addr_space(engine_->rows);
}

bool Unwinder::ready() const {
  return state_.load(std::memory_order_acquire) == State::kReady;
}

void Unwinder::load() {
  if (state_.load(std::memory_order_acquire) != State::kNotLoaded) return;
  Engine& engine = *engine_;
  bool fine = engine.loaded || load_unwind_library(engine.library, engine.trouble);
  engine.loaded = fine;
  if (fine) {
    engine.accessors.known = Walk::accessors();
    engine.rows = engine.library.create_addr_space(&engine.accessors.known, 0);
    fine = engine.rows != nullptr &&
           engine.library.set_caching_policy(engine.rows, UNW_CACHE_GLOBAL) == 0;
    if (!fine) engine.trouble = {"libunwind could not be set up"};
  }
  state_.store(fine ? State::kReady : State::kMissing, std::memory_order_release);
}

void Unwinder::reset() {
  engine_->rows = nullptr;
  generation_ = 0;
  if (walking_.load(std::memory_order_relaxed)) {
    engine_->trouble = {"this process was forked in the middle of a walk"};
    state_.store(State::kMissing, std::memory_order_release);
  } else {
    state_.store(State::kNotLoaded, std::memory_order_release);
  }
}

Stack Unwinder::walk(StackImage& image, const WalkLimits& limits) {
  switch (state_.load(std::memory_order_acquire)) {
    case State::kNotLoaded:
      return innermost_only(image.registers(),
                            "stacks cannot be walked yet: the loader of shared libraries has not "
                            "given us libunwind");
    case State::kMissing:
      return innermost_only(image.registers(),
                            std::string("stacks cannot be walked: ") + engine_->trouble.data());
    case State::kReady:
      break;
  }
  if (image.windows() == 0) {
    return innermost_only(image.registers(), "there is no memory at its stack pointer");
  }
  const Mark walking(walking_);
  if (generation_ != space_.generation()) {
    engine_->library.flush_cache(engine_->rows, 0, 0);
    generation_ = space_.generation();
  }
  const Walker walker{engine_->library, engine_->rows, space_};
  return Pass(walker, image, limits).run();
}

}  // namespace impasse::symbolize
