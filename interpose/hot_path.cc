#include "interpose/hot_path.h"

namespace impasse {

int intent_failed(const Hold& intent, int answer) {
  settle(*current_slot, intent.lock.load(std::memory_order_relaxed), answer);
  return answer;
}

}  // namespace impasse
