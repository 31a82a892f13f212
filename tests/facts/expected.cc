#include "expected.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "situation.h"

namespace facts {
namespace {

std::string quoted(const volatile void* object) {
  char text[24];
  std::snprintf(text, sizeof text, "\"0x%llx\"",
                static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(object)));
  return text;
}

}  // namespace

std::string& Expected::member(std::string_view key) {
  if (!members_.empty()) members_ += ", ";
  return (members_ += '"').append(key) += "\": ";
}

Expected& Expected::number(std::string_view key, long value) {
  member(key) += std::to_string(value);
  return *this;
}

Expected& Expected::numbers(std::string_view key, std::span<const int> values) {
  std::string list;
  for (const int value : values) list += (list.empty() ? "" : ", ") + std::to_string(value);
  member(key) += "[" + list + "]";
  return *this;
}

Expected& Expected::text(std::string_view key, std::string_view value) {
  (member(key) += '"').append(value) += '"';
  return *this;
}

Expected& Expected::address(std::string_view key, const volatile void* object) {
  member(key) += quoted(object);
  return *this;
}

Expected& Expected::addresses(std::string_view key, std::span<const volatile void* const> objects) {
  std::string list;
  for (const auto* object : objects) list += (list.empty() ? "" : ", ") + quoted(object);
  member(key) += "[" + list + "]";
  return *this;
}

// Straight to the descriptor: nothing waits in a buffer that a fork could double.
void Expected::print() {
  const std::string line = "{" + members_ + "}\n";
  must(write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
}

void Expected::show() {
  print();
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) < 0) must(errno == EINTR);
}

}  // namespace facts
