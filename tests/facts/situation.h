// Situations: states into which this program brings its own threads, exactly, so that a test can
// look at it from outside and compare what impasse recorded.
//
// Promises: a situation is reached when its line has been printed (expected.h); it is undone, and
// the program ends with status 0, once standard input ends. Nothing in here knows of impasse: every
// situation is played the same without the preload.
#pragma once

#include <span>

namespace facts {

struct Situation {
  const char* name;
  void (*play)();
};

std::span<const Situation> mutex_situations();
std::span<const Situation> mutex_type_situations();
std::span<const Situation> mutex_life_situations();
std::span<const Situation> rwlock_situations();
std::span<const Situation> condition_situations();
std::span<const Situation> waking_situations();
std::span<const Situation> thread_situations();
std::span<const Situation> stranger_situations();
std::span<const Situation> departure_situations();
std::span<const Situation> signal_situations();
std::span<const Situation> alone_situations();
std::span<const Situation> process_situations();
std::span<const Situation> fork_situations();
std::span<const Situation> c11_situations();
std::span<const Situation> ending_situations();
std::span<const Situation> crowd_situations();

// Ends the program with status 3 and a line that names the place, when `condition` is false.
void must(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// This system does not let the situation be reached: says so to the test, and ends the program.
[[noreturn]] void not_possible_here(const char* why);

}  // namespace facts
