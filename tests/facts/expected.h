// What must be seen now, as one line of JSON on standard output.
#pragma once

#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facts {

class Expected {
 public:
  Expected& number(std::string_view key, long value);
  Expected& numbers(std::string_view key, std::span<const int> values);
  Expected& text(std::string_view key, std::string_view value);
  // An address, as impasse writes them.
  Expected& address(std::string_view key, const volatile void* object);
  Expected& addresses(std::string_view key, std::span<const volatile void* const> objects);

  void print();
  // Prints, then waits until somebody has looked: a byte of standard input, or its end.
  void show();

 private:
  std::string& member(std::string_view key);

  std::string members_;
};

// The addresses of some objects in a row.
template <typename Objects>
std::vector<const volatile void*> addresses_of(const Objects& objects) {
  std::vector<const volatile void*> result;
  result.reserve(std::size(objects));
  for (const auto& object : objects) result.push_back(&object);
  return result;
}

}  // namespace facts
