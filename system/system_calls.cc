#include "system/system_calls.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace impasse::system {
namespace {

// The texts lie in one block, and the table says where: with pointers it would be four pages that
// the loader has to write in every process that begins.
struct Texts {
#define IMPASSE_SYSTEM_CALL(number, name, words) \
  char name_of_##number[sizeof #name];           \
  char words_of_##number[sizeof(words)];
#include "system/system_calls.def"
#undef IMPASSE_SYSTEM_CALL
};

constexpr Texts kTexts = {
#define IMPASSE_SYSTEM_CALL(number, name, words) #name, words,
#include "system/system_calls.def"
#undef IMPASSE_SYSTEM_CALL
};

struct SystemCall {
  std::uint16_t number;
  std::uint16_t name;  // where it begins in kTexts
  std::uint16_t words;
};
static_assert(sizeof(Texts) <= UINT16_MAX);

constexpr SystemCall kTable[] = {
#define IMPASSE_SYSTEM_CALL(number, name, words) \
  {number, offsetof(Texts, name_of_##number), offsetof(Texts, words_of_##number)},
#include "system/system_calls.def"
#undef IMPASSE_SYSTEM_CALL
};

constexpr bool before(const SystemCall& a, const SystemCall& b) {
  return a.number < b.number;
}
static_assert(std::is_sorted(std::begin(kTable), std::end(kTable), before));

const SystemCall* find(long number) {
  if (number < 0 || number > UINT16_MAX) return nullptr;
  const SystemCall wanted{static_cast<std::uint16_t>(number), 0, 0};
  const auto* const at = std::lower_bound(std::begin(kTable), std::end(kTable), wanted, before);
  return at == std::end(kTable) || at->number != wanted.number ? nullptr : at;
}

std::string_view text_at(std::uint16_t offset) {
  return reinterpret_cast<const char*>(&kTexts) + offset;
}

}  // namespace

std::string system_call_name(long number) {
  const SystemCall* const call = find(number);
  return call ? std::string(text_at(call->name)) : "system call " + std::to_string(number);
}

std::string_view system_call_words(long number) {
  const SystemCall* const call = find(number);
  return call ? text_at(call->words) : std::string_view();
}

}  // namespace impasse::system
