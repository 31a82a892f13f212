// Reads the ledger of the own process: all but the records of locks, of which there may be a
// million.
//
// Promises: as ledger_reader.h. For our own thread.
#pragma once

#include "detector/ledger.h"
#include "detector/ledger_reader.h"

namespace impasse {

LedgerReading read_own_ledger(const Ledger& ledger);

}  // namespace impasse
