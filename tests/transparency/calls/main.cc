// Calls that may block, without a lock and under two of them: the same answers, the same errno,
// the same bytes; interrupted, timed out, cancelled. Built once more as distributions build
// (_FORTIFY_SOURCE, large files), which makes other functions of libc out of the same calls.
#include "calls/scene.h"

using namespace transparency::calls;

namespace {

constexpr transparency::Case kCases[] = {
    {"pipes", pipes},
    {"files", files},
    {"sockets", sockets},
    {"polling", polling},
    {"sleeping", sleeping},
    {"children", children},
    {"in-children", in_children},
    {"names", names},
    {"interrupted", interrupted},
    {"in-handlers", in_handlers},
    {"cancelled", cancelled},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
