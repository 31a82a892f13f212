// Calls that may block, made while a lock is held: how often, how long, from where (a tally, no
// alarm). What a thread does that holds nothing is none of our business: seven instructions, and a
// tail jump.
//
// Promises: results, errno and cancellation are libc's own; works in signal handlers, in vfork
// children (which write into their parent's tally what they do with its locks held) and before our
// constructor.
#include <sys/syscall.h>
#include <unistd.h>

#include "detector/call_tally.h"
#include "interpose/answer.h"

// Where our own code begins and ends: the linker knows.
extern "C" const char __ehdr_start __attribute__((visibility("hidden")));
extern "C" const char _end __attribute__((visibility("hidden")));

namespace impasse {
namespace {

constexpr unsigned kMostLocksNoted = 8;

// What we do in a program's thread is not the program's call.
bool is_our_own(std::uint64_t pc) {
  return pc >= reinterpret_cast<std::uint64_t>(&__ehdr_start) &&
         pc < reinterpret_cast<std::uint64_t>(&_end);
}

// A vfork child may be killed at any moment: it must not leave its parent's ledger half-grown.
bool may_grow() {
  return static_cast<std::uint32_t>(syscall(SYS_getpid)) == ledger()->header().pid;
}

// The newest locks that the thread holds now, once each.
[[gnu::noinline]] void note_call(const ThreadSlot& slot, const EndedCall& call) {
  Ledger* const here = ledger();
  if (here == nullptr) return;
  CallTally tally(*here, may_grow);
  const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_relaxed));
  unsigned noted = 0;
  for (std::uint64_t i = depth < kInlineHolds ? depth : kInlineHolds;
       i-- > 0 && noted < kMostLocksNoted;) {
    const Hold& hold = slot.holds[i];
    const std::uint64_t lock = hold.lock.load(std::memory_order_acquire);
    const std::uint64_t site = hold.site.load(std::memory_order_relaxed);
    const bool again = (site >> kTraitShift & hold_trait::kAgain) != 0;
    if (lock == 0 || again || phase_of(hold) != hold_phase::kHeld) continue;
    tally.note(call, lock, site);
    ++noted;
  }
}

// A call under a lock, from its beginning to its end; cancellation is an end too.
class CallUnderLock {
 public:
  explicit CallUnderLock(std::uint64_t site) : site_(site), began_ns_(monotonic_ns()) {}
  ~CallUnderLock() {
    const ErrnoKept errno_kept;
    ThreadSlot* const slot = current_slot;
    if (slot == nullptr) return;
    const std::uint64_t now = monotonic_ns();
    note_call(*slot, {site_, now - began_ns_, now});
  }
  CallUnderLock(const CallUnderLock&) = delete;
  CallUnderLock& operator=(const CallUnderLock&) = delete;

 private:
  const std::uint64_t site_;
  const std::uint64_t began_ns_;
};

[[gnu::always_inline]] inline bool holds_nothing() {
  const ThreadSlot* const slot = current_slot;
  return slot == nullptr || depth_of(slot->state.load(std::memory_order_relaxed)) == 0;
}

// Reached by a tail jump: its return address is the program's.
template <auto& kReal, BlockingCall kCall, typename... Args>
[[gnu::noinline]] auto make_call(Args... args) {
  const auto pc = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
  if (ledger() == nullptr || is_our_own(pc)) return real::call(kReal)(args...);
  const CallUnderLock under_lock(call_word(kCall, pc));
  return real::call(kReal)(args...);
}

consteval BlockingCall call_named(std::string_view symbol) {
  const std::size_t call = blocking_call_named(symbol);
  if (call == kBlockingCalls) throw "not in detector/blocking_calls.def";
  return static_cast<BlockingCall>(call);
}

}  // namespace
}  // namespace impasse

using namespace impasse;

#define IMPASSE_FUNCTION(result, name, params, args, version) \
  IMPASSE_ANSWER(result, name, params) {                      \
    if (holds_nothing()) [[likely]]                           \
      return real::call(real::name) args;                     \
    return make_call<real::name, call_named(#name)> args;     \
  }
#define IMPASSE_BLOCKING_CALLS_ONLY
#include "interpose/functions.def"
#undef IMPASSE_BLOCKING_CALLS_ONLY
#undef IMPASSE_FUNCTION
