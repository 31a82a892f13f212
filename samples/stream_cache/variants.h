// The ways in which the node's streams get stuck, each with its healthy twin.
//
// Each returns the exit status, 0 if all went well; one that is stuck does not return.
#pragma once

#include "sample.h"

namespace stream_cache {

// A writer that nobody sees: it holds the lock and waits for a peer that is silent.
int stuck_holder(const samples::Arguments& arguments, int readers, int answer_after_seconds);
int load_before_lock(int readers);

// The writers take and give back the lock, again and again; the readers starve.
int reconcile(const samples::Arguments& arguments);
int reconcile_outside_of_lock();

// A reader reads again while a writer waits: that writer is in its way, if the kind prefers
// writers.
int read_again(const samples::Arguments& arguments, bool writers_first);

// A reader wants to write.
int upgrade(const samples::Arguments& arguments, bool native);
int give_back_before_writing(bool native);

}  // namespace stream_cache
