// Ledgers that killed processes left behind: the newest ones stay, for `impasse dump`; the others
// go, so that a program that is killed again and again fills no file system.
//
// Promises: only files of this user, of this pid namespace and of processes that are gone. For our
// own threads; under a filter of system calls that might punish it nothing is done.
// Cost: one listing of the directory; some system calls for each file that was left.
#pragma once

#include <cstddef>
#include <cstdint>

namespace impasse::witness {

inline constexpr std::size_t kMostLedgersLeft = 8;
inline constexpr std::uint64_t kMostBytesLeft = std::uint64_t{64} << 20;  // but always the newest

// `own`: the path of this process's ledger, DIRECTORY/impasse.PID.NAMESPACE; null: it has none.
void remove_old_ledgers(const char* own);

}  // namespace impasse::witness
