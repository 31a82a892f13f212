// Read-write locks: who really excludes whom.
#include "order_cases/order_cases.h"
#include "order_cases/rwlock.h"

namespace order_cases {

std::mutex prices_mutex;
Rwlock catalog_lock(Preference::kDefault);
Rwlock shelves_lock(Preference::kDefault);
Rwlock fair_catalog_lock(Preference::kWriters);
Rwlock fair_shelves_lock(Preference::kWriters);

namespace {

template <typename Lock>
[[gnu::noinline]] void writeOne(Lock& lock) {
  std::lock_guard one(lock);
  ++taken_forward;
}

}  // namespace

void mutex_and_write(Stage&) {
  Writing catalog(catalog_lock);
  in_turn({{"reprice", [&] { takeForward(prices_mutex, catalog); }},
           {"delist", [&] { takeBackward(catalog, prices_mutex); }}});
}

void readers_that_write(Stage&) {
  Reading read_catalog(catalog_lock);
  Writing write_catalog(catalog_lock);
  Reading read_shelves(shelves_lock);
  Writing write_shelves(shelves_lock);
  in_turn({{"restock", [&] { takeForward(read_catalog, write_shelves); }},
           {"relabel", [&] { takeBackward(read_shelves, write_catalog); }}});
}

void writers_that_read(Stage&) {
  Reading read_catalog(catalog_lock);
  Writing write_catalog(catalog_lock);
  Reading read_shelves(shelves_lock);
  Writing write_shelves(shelves_lock);
  in_turn({{"restock", [&] { takeForward(write_catalog, read_shelves); }},
           {"relabel", [&] { takeBackward(write_shelves, read_catalog); }}});
}

// In the catalog both of them are readers: there nobody is in anybody's way.
void meet_as_readers(Stage&) {
  Reading read_catalog(catalog_lock);
  Writing write_shelves(shelves_lock);
  in_turn({{"restock", [&] { takeForward(read_catalog, write_shelves); }},
           {"relabel", [&] { takeBackward(write_shelves, read_catalog); }}});
}

namespace {

// With two writers that wait, each reader's second lock is behind a writer where the kind says so.
void read_both_ways(Rwlock& catalog_of_kind, Rwlock& shelves_of_kind) {
  Reading catalog(catalog_of_kind);
  Reading shelves(shelves_of_kind);
  Writing write_catalog(catalog_of_kind);
  Writing write_shelves(shelves_of_kind);
  in_turn({{"writer-1", [&] { writeOne(write_catalog); }},
           {"writer-2", [&] { writeOne(write_shelves); }},
           {"browse", [&] { takeForward(catalog, shelves); }},
           {"count", [&] { takeBackward(shelves, catalog); }}});
}

// A writer that comes in between waits for the first reading, and the second one for the writer.
void read_twice(Rwlock& of_kind) {
  Reading reading(of_kind);
  Writing writing(of_kind);
  in_turn(
      {{"writer", [&] { writeOne(writing); }}, {"browse", [&] { takeForward(reading, reading); }}});
}

}  // namespace

void readers_behind_writers(Stage&) {
  read_both_ways(fair_catalog_lock, fair_shelves_lock);
}

void readers_default_kind(Stage&) {
  read_both_ways(catalog_lock, shelves_lock);
}

void read_again_behind_writer(Stage&) {
  read_twice(fair_catalog_lock);
}

void read_again_default_kind(Stage&) {
  read_twice(catalog_lock);
}

}  // namespace order_cases
