#include "report/kin_words.h"

#include <algorithm>

#include "report/ink.h"
#include "report/signal_words.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kKinTold = 8;     // of more, the others are counted
constexpr std::size_t kPlacesTold = 3;  // of one kin's signals

class Writer {
 public:
  Writer(const Phrases& say, const StuckGroup& group) : say_(say), group_(group) {}

  Lines kin_lines() const;

 private:
  std::string kin_who(const Kin& kin) const;
  Lines kin_parts(const Kin& kin) const;
  std::string gift_words(const Kin& kin, std::uint32_t lock) const;
  std::string wait_words(const Kin& kin) const;

  const Phrases& say_;
  const StuckGroup& group_;
};

std::string Writer::kin_who(const Kin& kin) const {
  if (kin.threads.size() == 1) return say_.who(kin.threads.front());
  return with_commas(kin.threads.size()) + " threads";
}

// "signalled not_full at Queue::pop queue.cc:58 (2,113 times, last about 1.4s ago)"
std::string Writer::gift_words(const Kin& kin, std::uint32_t lock) const {
  std::uint64_t count = 0;
  const Signaller* newest = nullptr;
  std::string places;
  std::size_t told = 0;
  std::size_t more = 0;
  for (const Gift& gift : kin.gifts) {
    if (gift.lock != lock) continue;
    count += gift.count;
    if (newest == nullptr) newest = gift.newest;
    if (told == kPlacesTold) {
      ++more;
      continue;
    }
    places += (told++ == 0 ? " at " : " and ") + gift.place;
  }
  if (more != 0) places += " and " + counted(more, "other place", "other places");
  const std::string age = signal_age(say_, *newest);
  std::string times = spoken_times(count);
  if (!age.empty()) times += (count > 1 ? ", last " : ", ") + age;
  const Lock& object = *say_.lock_at(lock);
  return std::string(signal_verb(object.kind)) + " " + say_.lock(lock) + places + " (" + times +
         ")";
}

std::string Writer::wait_words(const Kin& kin) const {
  const Thread& first = *say_.thread_at(kin.threads.front());
  const Wait& wait = *first.wait;
  std::string text(wish(wait.kind));
  if (kin.threads.size() > 1) text = plural_verb(std::move(text));
  text += " ";
  text += wait.kind == WaitKind::kJoin ? say_.thread(wait.thread) : say_.awaited(wait);
  text += " at " + say_.wait_place(first);
  if (wait.mutex != kNobody && kin.threads.size() == 1) {
    text += ", having given back " + say_.lock(wait.mutex);
  }
  return text;
}

Lines Writer::kin_parts(const Kin& kin) const {
  const Thread& first = *say_.thread_at(kin.threads.front());
  Lines parts;
  for (const std::uint32_t lock : kin.keeps) {
    const Hold* const hold = say_.hold_of(kin.threads.front(), lock);
    if (hold == nullptr) continue;
    const std::string mode = say_.mode(*hold, lock);
    parts.push_back("took " + say_.lock(lock) + (mode.empty() ? "" : " (" + mode + ")") + " at " +
                    say_.hold_place(first, *hold));
  }
  for (const Awaited& object : group_.objects()) {
    const bool gave = std::any_of(kin.gifts.begin(), kin.gifts.end(),
                                  [&object](const Gift& gift) { return gift.lock == object.lock; });
    if (gave) parts.push_back(gift_words(kin, object.lock));
  }
  parts.push_back((parts.empty() ? "" : "now ") + wait_words(kin));
  return parts;
}

Lines Writer::kin_lines() const {
  const auto& all = group_.kin();
  const std::size_t shown = all.size() <= kKinTold + 1 ? all.size() : kKinTold;
  std::size_t width = 0;
  for (std::size_t i = 0; i < shown; ++i) width = std::max(width, columns(kin_who(all[i])));
  Lines lines;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::vector<std::string> parts = kin_parts(all[i]);
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const std::string start =
          part == 0 ? "  " + padded(kin_who(all[i]), width) + "  " : std::string(width + 4, ' ');
      lines.push_back(start + parts[part] + (part + 1 < parts.size() ? "," : ""));
    }
  }
  if (shown < all.size()) {
    std::size_t left = 0;
    for (std::size_t i = shown; i < all.size(); ++i) left += all[i].threads.size();
    lines.push_back("  … " + counted(left, "more thread", "more threads") + " at " +
                    counted(all.size() - shown, "other place", "other places"));
  }
  return lines;
}

}  // namespace

std::string plural_verb(std::string text) {
  text.erase(4, 1);
  return text;
}

std::vector<std::string> kin_lines(const Phrases& say, const StuckGroup& group) {
  return Writer(say, group).kin_lines();
}

}  // namespace impasse::report
