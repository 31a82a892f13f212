#include "witness/answer.h"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace impasse::witness {

constinit Mailbox mailbox;

namespace {

constexpr std::uint64_t kPage = 4096;

// libc's syscall() writes errno.
long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                 long f = 0) {
  long result = number;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

// Whatever lies on a stack may be copied; sanitizers would not let memcpy do it.
void copy_bytes(void* into, std::uint64_t from, std::size_t size) {
  asm volatile("rep movsb" : "+D"(into), "+S"(from), "+c"(size) : : "memory");
}

// Through the kernel, for which memory that is not there is no crash.
std::size_t copy_by_kernel(void* into, std::uint64_t from, std::size_t size) {
  const iovec local{into, size};
  const iovec remote{reinterpret_cast<void*>(from), size};
  const long done = system_call(SYS_process_vm_readv, mailbox.pid, reinterpret_cast<long>(&local),
                                1, reinterpret_cast<long>(&remote), 1, 0);
  return done < 0 ? 0 : static_cast<std::size_t>(done);
}

// libc keeps a record of each thread at the top of its stack; its first word is its own address.
std::uint64_t thread_record() {
  std::uint64_t record = 0;
  asm("movq %%fs:0x10, %0" : "=r"(record));
  return record;
}

// How far above `sp` memory is this thread's own, so that nobody takes it away meanwhile: up to
// libc's record of the thread, or up to the end of the main thread's stack; otherwise (a second
// stack, a fibre) the rest of the page.
std::uint64_t end_of_own_stack(std::uint64_t sp) {
  if (sp >= mailbox.main_stack.start && sp < mailbox.main_stack.end) return mailbox.main_stack.end;
  const Area* const end = mailbox.areas.data() + mailbox.areas_used;
  const Area* const area = std::upper_bound<const Area*>(
      mailbox.areas.data(), end, sp, [](std::uint64_t at, const Area& a) { return at < a.end; });
  const std::uint64_t record = thread_record();
  const bool own = area != end && sp >= area->start && record > sp && record < area->end;
  return own ? record : (sp & ~(kPage - 1)) + kPage;
}

std::size_t copy_by_hand(void* into, std::uint64_t sp, std::size_t most) {
  const std::size_t size = std::min<std::uint64_t>(most, end_of_own_stack(sp) - sp);
  copy_bytes(into, sp, size);
  return size;
}

// mov $number, %eax; syscall; or: xor %eax, %eax; syscall. -1: neither.
long number_of_call_before(const unsigned char (&code)[7]) {
  if (code[5] != 0x0f || code[6] != 0x05) return -1;
  std::int32_t number = 0;
  std::memcpy(&number, code + 1, sizeof number);
  if (code[0] == 0xb8) return number;
  return code[3] == 0x31 && code[4] == 0xc0 ? 0 : -1;
}

// The thread blocked after it was seen running, and our signal ended its wait: it shall not know.
// Where another handler is to run first, its entry stands in RIP, and nothing matches.
void take_back_interruption(greg_t* registers, bool filtered) {
  if (registers[REG_RAX] != -EINTR) return;
  unsigned char code[7] = {};
  const std::uint64_t from = static_cast<std::uint64_t>(registers[REG_RIP]) - sizeof code;
  if (filtered) {
    // Without the kernel's help only what lies in the page of the present instruction is safe.
    if (from / kPage != (from + sizeof code) / kPage) return;
    copy_bytes(code, from, sizeof code);
  } else if (copy_by_kernel(code, from, sizeof code) != sizeof code) {
    return;
  }
  const long number = number_of_call_before(code);
  if (number < 0) return;
  registers[REG_RIP] -= 2;
  registers[REG_RAX] = number;
}

bool take_question(bool filtered) {
  std::uint64_t word = mailbox.word.load(std::memory_order_acquire);
  if ((word & 0xffff'ffff) != static_cast<std::uint32_t>(Phase::kAsked)) return false;
  // INV-MAILBOX-2: whose question it is need not be asked where it must not be.
  const auto tid = filtered ? static_cast<std::uint32_t>(word >> 32)
                            : static_cast<std::uint32_t>(system_call(SYS_gettid));
  word = mailbox_word(tid, Phase::kAsked);
  // INV-MAILBOX-1
  return mailbox.word.compare_exchange_strong(word, mailbox_word(tid, Phase::kCopying),
                                              std::memory_order_acquire);
}

void give_answer(const greg_t* registers, bool filtered) {
  std::copy_n(registers, mailbox.registers.size(), mailbox.registers.begin());
  const auto sp = static_cast<std::uint64_t>(registers[REG_RSP]);
  mailbox.address = sp;
  mailbox.size = filtered ? copy_by_hand(mailbox.bytes.data(), sp, kRunningStackBytes)
                          : copy_by_kernel(mailbox.bytes.data(), sp, kRunningStackBytes);
  const std::uint64_t word = mailbox.word.load(std::memory_order_relaxed);
  // Counted before it is given: the next question may follow at once (INV-MAILBOX-2).
  mailbox.answered.fetch_add(1, std::memory_order_release);
  mailbox.word.store(mailbox_word(static_cast<std::uint32_t>(word >> 32), Phase::kGiven),
                     std::memory_order_release);
}

}  // namespace

void answer(int, siginfo_t* info, void* context) {
  auto* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const bool filtered = mailbox.filtered.load(std::memory_order_acquire);
  const bool ours = info->si_code == SI_TKILL && info->si_pid == mailbox.pid;
  if (ours && take_question(filtered)) {
    give_answer(registers, filtered);
  } else if (ours) {
    mailbox.answered.fetch_add(1, std::memory_order_release);
  }
  take_back_interruption(registers, filtered);
}

}  // namespace impasse::witness
