// Reads the ledger of the own process: of the records of locks, of which there may be a million,
// only those of what others give (conditions, semaphores, barriers) and somebody waits for.
//
// Promises: as ledger_reader.h. For our own thread.
#pragma once

#include "detector/ledger.h"
#include "detector/ledger_reader.h"
#include "detector/stats_reader.h"

namespace impasse {

LockFact fact_of(const LockRecord& record, std::uint64_t address);
LedgerReading read_own_ledger(const Ledger& ledger);
// The numbers of its locks (stats=on).
StatsReading read_own_stats(const Ledger& ledger);

}  // namespace impasse
