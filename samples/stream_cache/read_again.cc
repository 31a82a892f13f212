#include <memory>

#include "stream_cache/native_rwlock.h"
#include "stream_cache/stream.h"
#include "stream_cache/variants.h"

namespace stream_cache {

// Reads under a lock for reading, and calls what reads under a lock for reading.
template <typename Lock, typename BetweenTheTwo>
[[gnu::noinline]] std::size_t SyncStreams(Stream<Lock>& stream, BetweenTheTwo between) {
  std::shared_lock lock(stream.mu);
  between();
  return stream.tryGetView()->last_miniblock.size();
}

template <typename Lock>
[[gnu::noinline]] void lockMuAndClearView(Stream<Lock>& stream) {
  std::unique_lock lock(stream.mu);
  stream.set({"cleared"});
}

namespace {

template <typename Lock>
int run(const samples::Arguments& arguments, bool gets_stuck) {
  const auto stream = std::make_unique<Stream<Lock>>();
  std::atomic<bool> reads{false};
  std::atomic<bool> writer_waits{false};
  samples::Actor reader("sync", [&] {
    SyncStreams(*stream, [&] {
      reads = true;
      while (!writer_waits) std::this_thread::yield();
    });
  });
  samples::Actor writer("stream-load", [&] {
    while (!reads) std::this_thread::yield();
    lockMuAndClearView(*stream);
  });
  if (!samples::wait_until([&] { return writer.is_blocked_on(stream->mu); })) {
    samples::not_as_claimed("the writer does not wait");
  }
  writer_waits = true;
  if (gets_stuck) {
    samples::stay_stuck_when(
        arguments,
        [&] { return reader.is_blocked_on(stream->mu) && writer.is_blocked_on(stream->mu); },
        {&reader, &writer});
  }
  reader.join();
  writer.join();
  return stream->view().last_miniblock == "cleared" ? 0 : 1;
}

}  // namespace

int read_again(const samples::Arguments& arguments, bool writers_first) {
  return writers_first ? run<WritersFirst>(arguments, true) : run<NativeRwlock>(arguments, false);
}

}  // namespace stream_cache
