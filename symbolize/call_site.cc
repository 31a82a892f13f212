#include "symbolize/call_site.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace impasse::symbolize {
namespace {

using Code = std::span<const unsigned char>;

constexpr std::size_t kLongestCall = 7;
constexpr std::array<unsigned char, 4> kLanding{0xf3, 0x0f, 0x1e, 0xfa};  // endbr64

std::uint64_t distance(Code code) {
  std::int32_t value;
  std::memcpy(&value, code.data(), sizeof value);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
}

// Whether `code`, all of it, is one "call through a register or memory": ff /2.
bool is_indirect_call(Code code, bool& through_slot) {
  if (code.size() > 2 && (code[0] & 0xf0) == 0x40) code = code.subspan(1);  // REX
  if (code.size() < 2 || code[0] != 0xff || (code[1] >> 3 & 7) != 2) return false;
  const unsigned mode = code[1] >> 6;
  const unsigned base = code[1] & 7U;
  through_slot = mode == 0 && base == 5;
  std::size_t length = 2;
  if (mode != 3 && base == 4) {
    ++length;  // SIB
    if (mode == 0 && code.size() > 2 && (code[2] & 7) == 5) length += 4;
  }
  if (mode == 1) length += 1;
  if (mode == 2 || through_slot) length += 4;
  return length == code.size();
}

// Where a stub or a jump at `address` goes; 0: it is none.
std::uint64_t jump_target(AddressSpace& space, std::uint64_t address) {
  std::array<unsigned char, 16> bytes{};
  const std::size_t size = space.read(address, bytes.data(), bytes.size());
  std::size_t at = 0;
  if (size >= kLanding.size() && std::memcmp(bytes.data(), kLanding.data(), kLanding.size()) == 0) {
    at = kLanding.size();
  }
  if (at < size && bytes[at] == 0xf2) ++at;  // bnd
  const Code code = Code(bytes).first(size).subspan(at);
  if (code.size() >= 6 && code[0] == 0xff && code[1] == 0x25) {  // jmp *slot(%rip)
    std::uint64_t target = 0;
    const std::uint64_t slot = address + at + 6 + distance(code.subspan(2));
    return space.read_all(slot, &target, sizeof target) ? target : 0;
  }
  if (code.size() >= 5 && code[0] == 0xe9) return address + at + 5 + distance(code.subspan(1));
  return 0;
}

bool leads_to(AddressSpace& space, std::uint64_t target, std::uint64_t function) {
  constexpr int kMostJumps = 3;
  for (int jumps = 0; jumps <= kMostJumps && target != 0; ++jumps) {
    if (target == function) return true;
    target = jump_target(space, target);
  }
  return false;
}

}  // namespace

CallSite call_before(AddressSpace& space, std::uint64_t return_address) {
  if (return_address <= kLongestCall) return {};
  const Mapping* const mapping = space.mapping(return_address - 1);
  if (mapping == nullptr || !mapping->executable || mapping->module == kNoModule) return {};
  std::array<unsigned char, kLongestCall> bytes;
  if (!space.read_all(return_address - bytes.size(), bytes.data(), bytes.size())) return {};
  const Code code(bytes);
  CallSite site;
  if (code[2] == 0xe8) {
    const std::uint64_t target = return_address + distance(code.subspan(3));
    if (space.is_code(target)) site.direct = target;
  }
  for (std::size_t length = 2; length <= kLongestCall; ++length) {
    bool through_slot = false;
    if (!is_indirect_call(code.last(length), through_slot)) continue;
    const std::uint64_t slot = return_address + distance(code.last(4));
    std::uint64_t target = 0;
    if (through_slot && space.read_all(slot, &target, sizeof target) && space.is_code(target)) {
      site.slot = target;
    } else {
      site.is_open = true;
    }
  }
  site.is_call = site.is_open || site.direct != 0 || site.slot != 0;
  return site;
}

Calls calls(AddressSpace& space, const CallSite& site, std::uint64_t function) {
  if (leads_to(space, site.direct, function) || leads_to(space, site.slot, function)) {
    return Calls::kYes;
  }
  return site.is_open ? Calls::kPerhaps : Calls::kNo;
}

bool returns_from_signal(AddressSpace& space, std::uint64_t pc) {
  constexpr std::array<unsigned char, 9> kWide{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  constexpr std::array<unsigned char, 7> kNarrow{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
  std::array<unsigned char, kWide.size()> code{};
  if (space.read(pc, code.data(), code.size()) < kNarrow.size()) return false;
  return code == kWide || std::equal(kNarrow.begin(), kNarrow.end(), code.begin());
}

}  // namespace impasse::symbolize
