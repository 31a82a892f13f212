// Words that need no report to be said: kinds of waits, spans of time, numbers, names of files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "detector/words.h"

namespace impasse::report {

// "wants to read", "wants", "waits for the end of": what a wait of this kind is called.
std::string_view wish(WaitKind kind);
// "pthread_rwlock_rdlock"
std::string_view wait_function(WaitKind kind);

// "5 minutes", "1 minute", "12 seconds", "250 ms": one unit, cut off.
std::string spoken_duration(std::uint64_t ns);
// "Two", "37": a number at the start of a sentence.
std::string spoken_number(std::uint64_t number);
std::string with_commas(std::uint64_t number);  // "1,204"
// "1 thread waits", "3 threads wait"
std::string counted(std::uint64_t number, std::string_view one, std::string_view many);
std::string file_name(std::string_view path);  // without directories, printable
std::string capital(std::string text);

}  // namespace impasse::report
