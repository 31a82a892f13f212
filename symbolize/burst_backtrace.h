// <backtrace.h> as Boost.Stacktrace sees it here: Boost keeps one state of libbacktrace for each
// thread for ever, ours lives as long as a burst of reports. What Boost gets and keeps is a token
// that stands for "the state of the present burst".
//
// To be included by nobody but Boost, through BOOST_STACKTRACE_BACKTRACE_INCLUDE_FILE.
#pragma once

#include <backtrace.h>

namespace impasse::symbolize {

// Of the calling thread; nullptr between bursts.
backtrace_state* state_of_burst();

}  // namespace impasse::symbolize

inline backtrace_state* impasse_burst_create_state(const char*, int, backtrace_error_callback,
                                                   void*) {
  static char token;
  return reinterpret_cast<backtrace_state*>(&token);
}

inline int impasse_burst_pcinfo(backtrace_state*, std::uintptr_t pc,
                                backtrace_full_callback callback, backtrace_error_callback error,
                                void* data) {
  backtrace_state* const state = impasse::symbolize::state_of_burst();
  return state == nullptr ? 0 : backtrace_pcinfo(state, pc, callback, error, data);
}

inline int impasse_burst_syminfo(backtrace_state*, std::uintptr_t address,
                                 backtrace_syminfo_callback callback,
                                 backtrace_error_callback error, void* data) {
  backtrace_state* const state = impasse::symbolize::state_of_burst();
  return state == nullptr ? 0 : backtrace_syminfo(state, address, callback, error, data);
}

// NOLINTBEGIN(cppcoreguidelines-macro-usage)
#define backtrace_create_state impasse_burst_create_state
#define backtrace_pcinfo impasse_burst_pcinfo
#define backtrace_syminfo impasse_burst_syminfo
// NOLINTEND(cppcoreguidelines-macro-usage)
