#include "interpose/waking.h"

namespace impasse {

void note_waking(const Signal& signal) {
  ThreadSlot* const slot = attach_current();
  if (slot == nullptr) return;
  const ErrnoKept errno_kept;
  note_signal(*slot, ledger(), signal, tick_now());
}

}  // namespace impasse
