#include "system/system_calls.h"

#include <algorithm>
#include <iterator>

namespace impasse::system {
namespace {

struct SystemCall {
  long number;
  std::string_view name;
  std::string_view words;
};

#define IMPASSE_SYSTEM_CALL(number, name, words) SystemCall{number, #name, words},
constexpr SystemCall kTable[] = {
#include "system/system_calls.def"
};
#undef IMPASSE_SYSTEM_CALL

constexpr bool before(const SystemCall& a, const SystemCall& b) {
  return a.number < b.number;
}
static_assert(std::is_sorted(std::begin(kTable), std::end(kTable), before));

const SystemCall* find(long number) {
  const auto* const at =
      std::lower_bound(std::begin(kTable), std::end(kTable), SystemCall{number, {}, {}}, before);
  return at == std::end(kTable) || at->number != number ? nullptr : at;
}

}  // namespace

std::string system_call_name(long number) {
  const SystemCall* const call = find(number);
  return call ? std::string(call->name) : "system call " + std::to_string(number);
}

std::string_view system_call_words(long number) {
  const SystemCall* const call = find(number);
  return call ? call->words : std::string_view();
}

}  // namespace impasse::system
