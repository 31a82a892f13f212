#include <memory>

#include "stream_cache/native_rwlock.h"
#include "stream_cache/stream.h"
#include "stream_cache/variants.h"

namespace stream_cache {

template <typename Lock>
[[gnu::noinline]] void applyMiniblock(Stream<Lock>& stream) {
  std::unique_lock lock(stream.mu);
  stream.set({"miniblock 42"});
}

template <typename Lock>
[[gnu::noinline]] void reconcileView(Stream<Lock>& stream) {
  std::shared_lock lock(stream.mu);
  if (stream.view().last_miniblock.empty()) applyMiniblock(stream);
}

template <typename Lock>
[[gnu::noinline]] void reconcileViewInTurn(Stream<Lock>& stream) {
  std::shared_lock lock(stream.mu);
  const bool is_behind = stream.view().last_miniblock.empty();
  lock.unlock();
  if (is_behind) applyMiniblock(stream);
}

namespace {

template <typename Lock>
int run_stuck(const samples::Arguments& arguments) {
  const auto stream = std::make_unique<Stream<Lock>>();
  samples::Actor reader("reconcile", [&] { reconcileView(*stream); });
  samples::stay_stuck_when(arguments, [&] { return reader.is_blocked_on(stream->mu); }, {&reader});
}

template <typename Lock>
int run_repaired() {
  const auto stream = std::make_unique<Stream<Lock>>();
  samples::Actor one("reconcile", [&] { reconcileViewInTurn(*stream); });
  samples::Actor other("reconcile", [&] { reconcileViewInTurn(*stream); });
  one.join();
  other.join();
  return stream->view().last_miniblock == "miniblock 42" ? 0 : 1;
}

}  // namespace

int upgrade(const samples::Arguments& arguments, bool native) {
  return native ? run_stuck<NativeRwlock>(arguments) : run_stuck<std::shared_mutex>(arguments);
}

int give_back_before_writing(bool native) {
  return native ? run_repaired<NativeRwlock>() : run_repaired<std::shared_mutex>();
}

}  // namespace stream_cache
