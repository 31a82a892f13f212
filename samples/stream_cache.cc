// Readers behind a writer that nobody sees.
//
// A node serves streams. lockMuAndLoadView takes Stream::mu for writing and, still holding it,
// reads the stream from a storage peer that accepts the connection and never answers. The RPC
// threads that want the stream (GetLastMiniblockHash, SyncStreams) pile up in tryGetView, on the
// read lock.
//
// Prints "stuck: TID", the thread that holds the lock, once every reader is blocked.
//   --readers N            how many threads want to read (6)
//   --seconds S            the peer answers S seconds after that, and all ends well; else: never
// Other ways in which the same lock makes trouble:
//   --reconcile            three writers take it and give it back in a retry loop; a reader starves
//   --writer-preference    a reader reads again while a writer waits: deadlock
//   --reader-preference    the same with the default kind of lock: healthy
//   --upgrade              a reader asks for the write lock; --upgrade-native: of pthread's own
// and with each of them
//   --healthy              the repaired program, which ends with 0
#include "stream_cache/variants.h"

int main(int argc, char** argv) {
  samples::Arguments arguments(
      argc, argv,
      "[--readers N] [--seconds S] [--reconcile | --writer-preference | --reader-preference |"
      " --upgrade | --upgrade-native] [--healthy]");
  const bool healthy = arguments.flag("--healthy");
  const bool reconciles = arguments.flag("--reconcile");
  const bool writers_first = arguments.flag("--writer-preference");
  const bool readers_first = arguments.flag("--reader-preference");
  const bool upgrades = arguments.flag("--upgrade");
  const bool upgrades_native = arguments.flag("--upgrade-native");
  const int readers = arguments.number("--readers", 6);
  const int seconds = arguments.number("--seconds", 0);
  arguments.no_more();

  using namespace stream_cache;
  if (reconciles) return healthy ? reconcile_outside_of_lock() : reconcile(arguments);
  if (writers_first || readers_first) return read_again(arguments, writers_first && !healthy);
  if (upgrades || upgrades_native) {
    return healthy ? give_back_before_writing(upgrades_native)
                   : upgrade(arguments, upgrades_native);
  }
  return healthy ? load_before_lock(readers) : stuck_holder(arguments, readers, seconds);
}
