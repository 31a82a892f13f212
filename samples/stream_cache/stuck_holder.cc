#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "stream_cache/stream.h"
#include "stream_cache/variants.h"

namespace stream_cache {

using SharedStream = Stream<std::shared_mutex>;

constexpr std::string_view kSnapshot = "miniblock 41";

[[gnu::noinline]] void lockMuAndLoadView(SharedStream& stream, Storage& storage) {
  std::unique_lock lock(stream.mu);
  stream.set(storage.readStreamFromLastSnapshot(kSnapshot.size()));
}

[[gnu::noinline]] void loadViewAndSwap(SharedStream& stream, Storage& storage) {
  stream.setView(
      std::make_shared<const StreamView>(storage.readStreamFromLastSnapshot(kSnapshot.size())));
}

[[gnu::noinline]] std::string GetLastMiniblockHash(SharedStream& stream) {
  const auto view = stream.tryGetView();
  return "hash of " + view->last_miniblock;
}

[[gnu::noinline]] std::size_t SyncStreams(SharedStream& stream) {
  const auto view = stream.tryGetView();
  return view->last_miniblock.size();
}

namespace {

// The threads that want to read: "sync-1", "rpc-1", "sync-2", … in turn.
class Readers {
 public:
  Readers(SharedStream& stream, int count) {
    for (int i = 0; i < count; ++i) {
      const bool syncs = i % 2 == 0;
      names_.push_back((syncs ? "sync-" : "rpc-") + std::to_string(i / 2 + 1));
      threads_.emplace_back(names_.back().c_str(), [this, &stream, syncs] {
        if (syncs) {
          seen_.fetch_add(SyncStreams(stream));
        } else {
          seen_.fetch_add(GetLastMiniblockHash(stream).size() - std::strlen("hash of "));
        }
      });
    }
  }

  bool all_blocked_on(const std::shared_mutex& lock) const {
    for (const samples::Actor& thread : threads_) {
      if (!thread.is_blocked_on(lock)) return false;
    }
    return true;
  }

  // How much of the stream all of them saw together.
  std::size_t join() {
    for (samples::Actor& thread : threads_) thread.join();
    return seen_;
  }

 private:
  std::atomic<std::size_t> seen_{0};
  std::deque<std::string> names_;
  std::deque<samples::Actor> threads_;
};

}  // namespace

int stuck_holder(const samples::Arguments& arguments, int readers, int answer_after_seconds) {
  samples::SilentPeer peer;
  Storage storage(peer.port());
  const auto stream = std::make_unique<SharedStream>();
  samples::Actor loader("stream-load", [&] { lockMuAndLoadView(*stream, storage); });
  // The request is sent under the lock: whoever comes from now on finds it taken.
  if (!samples::wait_until([&] { return peer.was_asked(); })) {
    samples::not_as_claimed("the peer is not asked");
  }
  Readers waiting(*stream, readers);
  const auto stuck = [&] { return waiting.all_blocked_on(stream->mu); };
  if (answer_after_seconds == 0) samples::stay_stuck_when(arguments, stuck, {&loader});

  if (!samples::wait_until(stuck)) samples::not_as_claimed("the readers do not block");
  samples::announce({&loader});
  std::this_thread::sleep_for(std::chrono::seconds(answer_after_seconds));
  peer.answer(kSnapshot);
  loader.join();
  return waiting.join() == kSnapshot.size() * static_cast<std::size_t>(readers) ? 0 : 1;
}

int load_before_lock(int readers) {
  samples::SilentPeer peer;
  Storage storage(peer.port());
  const auto stream = std::make_unique<SharedStream>();
  samples::Actor loader("stream-load", [&] { loadViewAndSwap(*stream, storage); });
  if (!samples::wait_until([&] { return peer.was_asked(); })) {
    samples::not_as_claimed("the peer is not asked");
  }
  // All of them are served, with the view of before, while the peer is still silent.
  const bool served_at_once = Readers(*stream, readers).join() == 0;
  peer.answer(kSnapshot);
  loader.join();
  return served_at_once && stream->tryGetView()->last_miniblock == kSnapshot ? 0 : 1;
}

}  // namespace stream_cache
