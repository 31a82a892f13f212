// What is to be done once. The thread that runs the initializer holds the control; the others wait
// for it. Calls after that are answered by a look at libc's word.
#include <type_traits>

#include "interpose/answer.h"

namespace impasse {
namespace {

// An unordered hold: what is done once is asked for without a lock order to be told.
constexpr std::uint8_t kTraits =
    static_cast<std::uint8_t>(LockKind::kOnce) | static_cast<std::uint8_t>(hold_trait::kTry);

// libc's word: bit 0 somebody runs the initializer, bit 1 it is done.
bool is_done(const void* control) {
  return (__atomic_load_n(static_cast<const int*>(control), __ATOMIC_ACQUIRE) & 2) != 0;
}
static_assert(sizeof(pthread_once_t) == sizeof(int) && sizeof(once_flag) == sizeof(int));

// A call that may run the initializer or wait for who does. libc calls back without an argument, on
// the thread that asked: this is how the initializer finds its call.
struct OnceCall {
  OnceCall(void (*with)(), WaitScope& waiting, const NewHold& hold);
  ~OnceCall();
  OnceCall(const OnceCall&) = delete;
  OnceCall& operator=(const OnceCall&) = delete;

  void (*initializer)();
  WaitScope& wait;
  NewHold intent;
  OnceCall* outer;  // whose initializer this thread is in
};
thread_local constinit OnceCall* innermost __attribute__((tls_model("initial-exec"))) = nullptr;

OnceCall::OnceCall(void (*with)(), WaitScope& waiting, const NewHold& hold)
    : initializer(with), wait(waiting), intent(hold), outer(innermost) {
  innermost = this;
}
OnceCall::~OnceCall() {
  innermost = outer;
}

// While it lives, this thread runs the initializer. Its exceptions and its cancellation end it too:
// then libc lets the next one try.
class Initializing {
 public:
  explicit Initializing(const NewHold& hold) : lock_(hold.lock) {
    const ErrnoKept errno_kept;
    if (current_slot != nullptr)
      HoldStack(*current_slot, ledger()).push(hold, hold_phase::kHeld, tick_now());
  }
  ~Initializing() {
    // Another slot than before, where the initializer made the first thread or a child.
    if (current_slot != nullptr) HoldStack(*current_slot, ledger()).remove(lock_);
  }
  Initializing(const Initializing&) = delete;
  Initializing& operator=(const Initializing&) = delete;

 private:
  std::uint64_t lock_;
};

void run_initializer() {
  OnceCall& call = *innermost;
  call.wait.end();
  const Initializing initializing(call.intent);
  call.initializer();
}

// Not done when we looked.
template <auto& kReal, typename Control>
[[gnu::noinline]] auto do_once(Control* control, void (*initializer)(), CallSite from) {
  ThreadSlot* slot = roomy_slot();
  if (slot == nullptr) return real::call(kReal)(control, initializer);
  const std::uint64_t object = address_of(control);
  if ((__atomic_load_n(reinterpret_cast<const int*>(control), __ATOMIC_RELAXED) & 1) != 0) {
    if (ledger() == nullptr) begin_watching();
    slot = current_slot;
    if (slot == nullptr) return real::call(kReal)(control, initializer);
    note_contention(*slot, LockKind::kOnce, object, from.pc);
  }
  WaitScope wait(slot->wait, {WaitKind::kOnce, object, 0, from.pc, 0, monotonic_ns(), tick_now()});
  const OnceCall call(initializer, wait, {object, from.pc, from.stack_pointer, kTraits});
  IMPASSE_SAVE_REGISTERS(wait.registers());
  wait.publish();
  return real::call(kReal)(control, &run_initializer);
}

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, pthread_once, (pthread_once_t * o, void (*f)())) {
  if (is_done(o)) [[likely]]
    return real::call(real::pthread_once)(o, f);
  return do_once<real::pthread_once>(o, f, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(void, call_once, (once_flag * o, void (*f)())) {
  if (is_done(o)) [[likely]]
    return real::call(real::call_once)(o, f);
  do_once<real::call_once>(o, f, IMPASSE_CALL_SITE);
}
