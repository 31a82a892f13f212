// libunwind for another process's frames, loaded privately: a table of its functions.
//
// Promises: none of its names meets the program's (RTLD_LOCAL; it is never linked). load() takes
// the loader's lock and libc's malloc and may therefore hang for ever: only a thread whose hanging
// does no harm may call it. Cost of loading: 0.2 ms. Its walks call neither malloc nor
// dl_iterate_phdr; they do call sigprocmask and pthread_mutex_lock.
#pragma once

#include <libunwind.h>

#include <array>
#include <cstdint>
#include <span>

// Exported for perf's use as for ours, and declared nowhere.
extern "C" int _Ux86_64_dwarf_search_unwind_table(unw_addr_space_t space, unw_word_t ip,
                                                  unw_dyn_info_t* table, unw_proc_info_t* found,
                                                  int need_unwind_info, void* context);

namespace impasse::symbolize {

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): each name is a member and a symbol
#define IMPASSE_UNWIND_FUNCTIONS(X) \
  X(create_addr_space)              \
  X(destroy_addr_space)             \
  X(set_caching_policy)             \
  X(flush_cache)                    \
  X(init_remote) X(step) X(get_reg) X(get_proc_info_by_ip) X(dwarf_search_unwind_table)

struct UnwindLibrary {
#define IMPASSE_MEMBER(name) decltype(&_Ux86_64_##name) name = nullptr;
  IMPASSE_UNWIND_FUNCTIONS(IMPASSE_MEMBER)
#undef IMPASSE_MEMBER
};

using LoadTrouble = std::array<char, 160>;

// False: `trouble` says why, as a clause.
bool load_unwind_library(UnwindLibrary& library, LoadTrouble& trouble);

// Where it was loaded to, with what it needs itself; nothing before it was loaded.
std::span<const std::uint64_t> unwind_library_images();

}  // namespace impasse::symbolize
