// The lock is of the kind that prefers writers, and there are several that retry: whenever one
// gives it back another one waits already, so that it goes from writer to writer and past the
// readers.
#include <chrono>
#include <deque>
#include <memory>

#include "busy_peer.h"
#include "stream_cache/native_rwlock.h"
#include "stream_cache/stream.h"
#include "stream_cache/variants.h"

namespace stream_cache {

using ContendedStream = Stream<WritersFirst>;

constexpr std::string_view kBusy = "busy";
constexpr std::chrono::milliseconds kBackOff{1};
constexpr int kHealthyAttempts = 20;
constexpr int kHealthyReads = 100;

[[gnu::noinline]] bool reconcileUnderLock(ContendedStream& stream, Storage& storage) {
  std::unique_lock lock(stream.mu);
  StreamView loaded = storage.readStreamFromLastSnapshot(kBusy.size());
  if (loaded.last_miniblock == kBusy) return false;
  stream.set(std::move(loaded));
  return true;
}

[[gnu::noinline]] bool reconcileAndSwap(ContendedStream& stream, Storage& storage) {
  auto loaded =
      std::make_shared<const StreamView>(storage.readStreamFromLastSnapshot(kBusy.size()));
  const bool complete = loaded->last_miniblock != kBusy;
  stream.setView(std::move(loaded));
  return complete;
}

[[gnu::noinline]] std::size_t SyncStreams(ContendedStream& stream) {
  const auto view = stream.tryGetView();
  return view->last_miniblock.size();
}

namespace {

constexpr const char* kReconcilers[] = {"reconcile-1", "reconcile-2", "reconcile-3"};

}  // namespace

int reconcile(const samples::Arguments& arguments) {
  samples::BusyPeer peer(kBusy);
  Storage storage(peer.port());
  const auto stream = std::make_unique<ContendedStream>();
  std::deque<samples::Actor> reconcilers;
  for (const char* name : kReconcilers) {
    reconcilers.emplace_back(name, [&] {
      while (!reconcileUnderLock(*stream, storage)) std::this_thread::sleep_for(kBackOff);
    });
  }
  // From then on one of them has the lock at any time.
  if (!samples::wait_until([&] { return peer.times_asked() > 3; })) {
    samples::not_as_claimed("the peer is not asked");
  }
  samples::Actor reader("sync", [&] {
    for (;;) SyncStreams(*stream);
  });
  samples::stay_stuck_when(arguments, [&] { return reader.is_blocked_on(stream->mu); }, {&reader});
}

int reconcile_outside_of_lock() {
  samples::BusyPeer peer(kBusy);
  Storage storage(peer.port());
  const auto stream = std::make_unique<ContendedStream>();
  std::deque<samples::Actor> threads;
  for (const char* name : kReconcilers) {
    threads.emplace_back(name, [&] {
      for (int i = 0; i < kHealthyAttempts && !reconcileAndSwap(*stream, storage); ++i) {
        std::this_thread::sleep_for(kBackOff);
      }
    });
  }
  threads.emplace_back("sync", [&] {
    for (int i = 0; i < kHealthyReads; ++i) {
      SyncStreams(*stream);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  for (samples::Actor& thread : threads) thread.join();
  return stream->tryGetView()->last_miniblock == kBusy ? 0 : 1;
}

}  // namespace stream_cache
