#include "options/complaints.h"

namespace impasse {

void Complaints::add(std::initializer_list<std::string_view> pieces) {
  if (size_ == kMost) {
    ++lost_;
    return;
  }
  Line& line = lines_[size_++];
  line.size = 0;
  for (const std::string_view piece : pieces) {
    for (const char c : piece) {
      if (line.size == kLineBytes) return;
      const auto byte = static_cast<unsigned char>(c);
      line.bytes[line.size++] = byte < 0x20 || byte == 0x7f ? '?' : c;
    }
  }
}

}  // namespace impasse
