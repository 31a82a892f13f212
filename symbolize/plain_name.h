// What Boost.Stacktrace says of an address: the function that was not inlined, and one place in the
// source. Kept in a file of its own because Boost is configured by macros.
//
// Promises: asks the state of libbacktrace that the present burst has, and no loader.
#pragma once

#include <cstdint>

#include "symbolize/stack.h"

struct backtrace_state;

namespace impasse::symbolize {

Source plain_name(std::uint64_t address);

// The state that plain_name() asks, on the calling thread.
void set_state_of_burst(backtrace_state* state);

}  // namespace impasse::symbolize
