#include "symbolize/plain_name.h"

// NOLINTBEGIN(cppcoreguidelines-macro-usage): Boost's way
#define BOOST_STACKTRACE_USE_BACKTRACE
#define BOOST_STACKTRACE_BACKTRACE_INCLUDE_FILE "symbolize/burst_backtrace.h"
// NOLINTEND(cppcoreguidelines-macro-usage)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <boost/stacktrace/frame.hpp>
#pragma GCC diagnostic pop

namespace impasse::symbolize {
namespace {

constinit thread_local backtrace_state* present __attribute__((tls_model("initial-exec"))) =
    nullptr;

}  // namespace

void set_state_of_burst(backtrace_state* state) {
  present = state;
}

backtrace_state* state_of_burst() {
  return present;
}

Source plain_name(std::uint64_t address) {
  const boost::stacktrace::frame frame(
      reinterpret_cast<boost::stacktrace::frame::native_frame_ptr_t>(address));
  return {frame.name(), frame.source_file(), static_cast<std::uint32_t>(frame.source_line())};
}

}  // namespace impasse::symbolize
