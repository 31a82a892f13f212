#include "report/stuck_words.h"

#include <algorithm>
#include <optional>

#include "report/ages.h"
#include "report/kin_words.h"
#include "report/signal_words.h"
#include "report/stuck_group.h"
#include "report/words.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kObjectsTold = 4;  // in one line

// A waiter keeps a lock, and whoever signals what it waits for waits for that lock.
struct KeptLock {
  std::uint32_t waiter = kNobody;
  std::uint32_t lock = kNobody;
  const Awaited* awaited = nullptr;
};

class Writer {
 public:
  explicit Writer(const Phrases& say) : say_(say), finding_(say.report().finding), group_(say) {}

  Lines all() const;
  std::string line(std::size_t most) const;

 private:
  bool everybody() const { return finding_.kind == FindingKind::kAllAsleep; }
  std::size_t count() const { return group_.members().size(); }
  const Wait& wait_of(std::uint32_t thread) const { return *say_.thread_at(thread)->wait; }

  std::string first_sentence() const;
  std::string all_sentence() const;
  std::string one_object_sentence(const Awaited& object) const;
  std::string kept_sentence(const KeptLock& kept) const;
  std::string mixed_sentence() const;
  std::string only_signallers(const Awaited& object) const;

  std::string kept_line(const KeptLock& kept) const;
  std::string ended_signallers() const;
  std::string how_sure() const;
  std::string way_out() const;

  std::optional<KeptLock> kept_lock() const;
  bool keeps_out_all(const KeptLock& kept) const;
  bool some_ended() const;                         // threads that signalled, too
  bool takes_in_all(const Awaited& object) const;  // nobody but its waiters gives it
  std::string object_in_full(const Awaited& object) const;
  std::string wish_of(const Awaited& object, bool many) const;
  const Awaited* fed_by_its_waiters() const;
  bool any(WaitKind kind) const;
  std::string give_verb() const;
  bool several() const;  // conditions and semaphores

  const Phrases& say_;
  const Finding& finding_;
  const StuckGroup group_;
};

// ---- the pattern

// The first such lock, if it is the only one.
std::optional<KeptLock> Writer::kept_lock() const {
  std::optional<KeptLock> found;
  for (const Awaited& object : group_.objects()) {
    if (!object.signalled()) continue;
    for (const std::uint32_t giver : object.givers) {
      const Awaited* const wanted = group_.object_of(giver);
      if (wanted == nullptr || wanted->lock == kNobody || wanted->signalled()) continue;
      for (const std::uint32_t waiter : object.waiters) {
        if (say_.hold_of(waiter, wanted->lock) == nullptr) continue;
        if (found && (found->waiter != waiter || found->lock != wanted->lock)) return std::nullopt;
        found = KeptLock{waiter, wanted->lock, &object};
      }
    }
  }
  return found;
}

// All that ever signalled wait for it.
bool Writer::keeps_out_all(const KeptLock& kept) const {
  const ThreadList& givers = kept.awaited->givers;
  return std::all_of(givers.begin(), givers.end(), [&](std::uint32_t giver) {
    const Awaited* const wanted = group_.object_of(giver);
    return wanted != nullptr && wanted->lock == kept.lock;
  });
}

bool Writer::some_ended() const {
  const auto& objects = group_.objects();
  return std::any_of(objects.begin(), objects.end(), [this](const Awaited& object) {
    const Lock* const lock = say_.lock_at(object.lock);
    return object.signalled() && lock != nullptr && lock->signallers_ended;
  });
}

bool Writer::takes_in_all(const Awaited& object) const {
  return object.signalled() && object.waiters.size() == count() && !object.givers.empty() &&
         std::all_of(object.givers.begin(), object.givers.end(),
                     [this](std::uint32_t giver) { return group_.has(giver); });
}

// Those that could wake its waiters are among these. nullptr: there is no such object.
const Awaited* Writer::fed_by_its_waiters() const {
  for (const Awaited& object : group_.objects()) {
    const auto waits_too = [this, &object](std::uint32_t giver) {
      return group_.object_of(giver) == &object;
    };
    if (!object.signalled() || object.givers.empty()) continue;
    if (std::all_of(object.givers.begin(), object.givers.end(), waits_too)) return &object;
  }
  return nullptr;
}

bool Writer::any(WaitKind kind) const {
  const auto& objects = group_.objects();
  return std::any_of(objects.begin(), objects.end(),
                     [kind](const Awaited& object) { return object.kind == kind; });
}

std::string Writer::object_in_full(const Awaited& object) const {
  if (object.kind == WaitKind::kJoin) return say_.thread(object.thread);
  return say_.awaited_in_full(wait_of(object.waiters.front()));
}

std::string Writer::wish_of(const Awaited& object, bool many) const {
  std::string text(wish(object.kind));
  return many ? plural_verb(std::move(text)) : text;
}

std::string Writer::give_verb() const {
  const bool posts = any(WaitKind::kSemaphore);
  const bool signals = any(WaitKind::kCondition);
  return posts && signals ? "signalled or posted" : posts ? "posted" : "signalled";
}

bool Writer::several() const {
  std::size_t n = 0;
  for (const Awaited& object : group_.objects()) n += object.signalled() ? 1 : 0;
  return n > 1;
}

// ---- the first sentence

std::string Writer::only_signallers(const Awaited& object) const {
  const std::string verb(signal_verb(lock_kind(object.kind)));
  const std::size_t signallers = object.givers.size();
  if (count() == 1) return "It alone has ever " + verb + " it";
  if (signallers == count()) {
    return (some_ended() ? "Of all that live only" : "Only") +
           std::string(" they themselves have ever ") + verb + " it";
  }
  if (signallers == 1) {
    return "Only one of them, " + say_.thread(object.givers.front()) + ", has ever " + verb + " it";
  }
  return "Only threads among them have ever " + verb + " it (" + with_commas(signallers) +
         " of them)";
}

std::string Writer::one_object_sentence(const Awaited& object) const {
  const bool one = count() == 1;
  const Thread& first = *say_.thread_at(object.waiters.front());
  const std::string age = say_.wait_age(*first.wait);
  std::string text =
      one ? capital(say_.thread(object.waiters.front())) : spoken_number(count()) + " threads";
  text += " " + wish_of(object, !one) + " " + object_in_full(object);
  if (!age.empty()) text += (one ? ", for " : ", the first of them for ") + age;
  return text + ". " + only_signallers(object) + ": nobody is left who could wake " +
         (one ? "it." : "them.");
}

std::string Writer::kept_sentence(const KeptLock& kept) const {
  const Awaited& object = *kept.awaited;
  const std::size_t givers = object.givers.size();
  const bool one = givers == 1;
  std::string text = capital(say_.thread(kept.waiter)) + " holds " + say_.lock_in_full(kept.lock) +
                     " while it " + wish_of(object, false) + " " + object_in_full(object) +
                     ". The ";
  const std::string threads = some_ended() ? "living thread" : "thread";
  text += one ? "only " + threads : with_commas(givers) + " " + threads + "s";
  text += " that ever " + std::string(signal_verb(lock_kind(object.kind))) + " it";
  if (one) text += ", " + say_.who(object.givers.front()) + ",";
  text += (one ? " waits for " : " wait for ") + say_.lock(kept.lock) + ": ";
  text += one ? "neither can go on" : "none of them can go on";
  const std::size_t more = count() - std::min(count(), givers + 1);
  return text + (more == 0 ? "." : "; " + counted(more, "more waits", "more wait") + " with them.");
}

// Of several objects, each given by those who wait for another one.
std::string Writer::mixed_sentence() const {
  if (count() == 1) {
    const std::uint32_t alone = group_.members().front();
    return capital(say_.thread(alone)) + " is " + say_.doing(*say_.thread_at(alone)) +
           ": nobody is left who could wake it.";
  }
  const auto only = [this](WaitKind kind) {
    const auto& objects = group_.objects();
    return std::all_of(objects.begin(), objects.end(),
                       [kind](const Awaited& object) { return object.kind == kind; });
  };
  const std::string what = only(WaitKind::kCondition)   ? "a signal"
                           : only(WaitKind::kSemaphore) ? "a post"
                                                        : "what";
  const auto crosswise = [this](const Awaited& object) {
    const Lock* const lock = say_.lock_at(object.lock);
    return object.waiters.size() == 1 && object.givers.size() == 1 &&
           object.givers[0] != object.waiters[0] && (lock == nullptr || !lock->signallers_ended);
  };
  const bool two = count() == 2;
  if (two && !std::all_of(group_.objects().begin(), group_.objects().end(), crosswise)) {
    return "Two threads wait in vain: of the threads that live, only these have ever given what "
           "they wait for. Nobody is left who could wake them.";
  }
  return spoken_number(count()) + " threads wait for each other: each for " + what +
         (what == "what" ? " only " : " that only ") + (two ? "the other one" : "others of them") +
         (what == "what" ? " could give."
          : two          ? " has ever given."
                         : " have ever given.") +
         " Nobody is left who could wake them.";
}

std::string Writer::all_sentence() const {
  if (count() == 1) {
    return "The only thread of the process waits for another one, and there is none: nobody is "
           "left to wake it.";
  }
  std::string text = "Every thread of the process (" + with_commas(count()) +
                     ") waits for another one of them; nobody is left to wake anybody.";
  const Awaited* const fed = fed_by_its_waiters();
  if (fed == nullptr || fed->waiters.size() < 2) return text;
  const std::size_t n = fed->waiters.size();
  return text + " " + spoken_number(n) + " of them " + wish_of(*fed, true) + " " +
         object_in_full(*fed) + ", which only " +
         (fed->givers.size() == n ? "they themselves" : "threads among these") + " have ever " +
         std::string(signal_verb(lock_kind(fed->kind))) + ".";
}

std::string Writer::first_sentence() const {
  if (everybody()) return all_sentence();
  const auto kept = kept_lock();
  if (kept && keeps_out_all(*kept)) return kept_sentence(*kept);
  const Awaited& first = group_.objects().front();
  return takes_in_all(first) ? one_object_sentence(first) : mixed_sentence();
}

// ---- how sure, and what to do

std::string Writer::ended_signallers() const {
  for (const Awaited& object : group_.objects()) {
    const Lock* const lock = say_.lock_at(object.lock);
    if (lock == nullptr || !lock->signallers_ended || !object.signalled()) continue;
    std::string text = "Threads that have ended " + std::string(signal_verb(lock->kind)) + " " +
                       (several() ? say_.lock(object.lock) : "it") + " too";
    if (!group_.has(lock->signallers_maker)) return text + ".";
    return text + "; " + say_.thread(lock->signallers_maker) +
           " made them and could make more, but is stuck itself.";
  }
  return "";
}

std::string Writer::how_sure() const {
  if (everybody() && finding_.certain) {
    return std::string(count() == 1 ? "It was" : "Each of them was") +
           " seen asleep in its wait, in two looks.";
  }
  if (everybody()) {
    return "Likely, not certain: the process catches signals, and a handler could still wake "
           "somebody.";
  }
  if (finding_.certain) return "";
  const std::string never =
      " never " + give_verb() + (several() ? " any of these" : " it") + ", but could begin to.";
  const std::uint64_t others = group_.others();
  if (group_.stuck_elsewhere() != 0) {
    return "Likely, not certain: who did is stuck, which is told apart; another thread could begin "
           "to.";
  }
  if (others == 0) return "Likely, not certain: a thread that is yet to be made could wake them.";
  if (others == 1) return "Likely, not certain: the one other thread of the process has" + never;
  return "Likely, not certain: the " + with_commas(others) + " other threads of the process have" +
         never;
}

std::string Writer::way_out() const {
  if (everybody() && count() == 1) {
    return "Usual way out: whoever is to wake it must be there. After fork() only the thread that "
           "called it is: in the child, make such threads anew, or exec.";
  }
  if (kept_lock()) {
    return "Usual way out: keep no second lock while waiting; a wait on a condition gives back its "
           "own mutex only.";
  }
  const bool conditions = any(WaitKind::kCondition);
  const Awaited* const fed = fed_by_its_waiters();
  if (fed != nullptr && fed->kind == WaitKind::kCondition) {
    return "Usual ways out: whoever makes room for others must not wait for room itself. No put "
           "without a time limit by those who also take; what comes back goes into a queue of its "
           "own, or one that may grow.";
  }
  if (any(WaitKind::kJoin) && conditions) {
    return "Usual way out: before threads are joined, tell them to end, and wake all that wait "
           "(broadcast).";
  }
  if (!conditions && !any(WaitKind::kBarrier) && any(WaitKind::kSemaphore)) {
    return "Usual ways out: post what the next one needs before waiting for one's own; a time "
           "limit "
           "on one of the waits; post on every way out.";
  }
  if (!conditions && any(WaitKind::kBarrier)) {
    return "Usual ways out: as many threads as the barrier was made for must come to it, each "
           "round; one that fails on its way must still come, or have the others told.";
  }
  return "Usual ways out: a time limit on one of the waits, so that one side gives up; no put that "
         "waits by those who also take; wake everybody (broadcast) when a side closes or fails.";
}

Lines Writer::all() const {
  if (group_.members().empty()) {
    return {everybody() ? "Every thread of the process waits for another one of them."
                        : "Threads wait for what nobody is left to give; which ones is not known."};
  }
  Lines lines = {first_sentence()};
  for (std::string& line : kin_lines(say_, group_)) lines.push_back(std::move(line));
  for (std::string line : {ended_signallers(), how_sure(), way_out()}) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

// ---- one line

std::string Writer::kept_line(const KeptLock& kept) const {
  const ThreadList& givers = kept.awaited->givers;
  const bool one = givers.size() == 1;
  return say_.thread(kept.waiter) + " " + wish_of(*kept.awaited, false) + " " +
         object_in_full(*kept.awaited) + " and holds " + say_.lock(kept.lock) + ", for which " +
         (one ? say_.thread(givers.front()) + " waits, the only " +
                    std::string(some_ended() ? "living one" : "one")
              : with_commas(givers.size()) + " threads wait, the only ones") +
         " that ever " + std::string(signal_verb(lock_kind(kept.awaited->kind))) + " it";
}

std::string Writer::line(std::size_t most) const {
  if (group_.members().empty()) return "threads wait for what nobody is left to give";
  const auto kept = kept_lock();
  if (kept && keeps_out_all(*kept) && !everybody()) return kept_line(*kept);
  const bool alone = count() == 1;
  std::string text;
  if (everybody()) {
    text = alone ? "the only thread of the process "
                 : "all " + with_commas(count()) + " threads of the process wait: ";
  }
  const std::string end =
      everybody()
          ? std::string("; nobody is left to wake ") + (alone ? "it" : "them")
          : (some_ended() ? "; nobody else that lives has ever " : "; nobody else has ever ") +
                give_verb() + (several() ? " these" : " it");
  std::size_t told = 0;
  for (const Awaited& object : group_.objects()) {
    const std::size_t n = object.waiters.size();
    std::string part = told == 0 ? "" : ", ";
    if (n > 1) {
      part += counted(n, "thread", "threads") + " ";
    } else if (!everybody() || !alone) {
      part += say_.thread(object.waiters.front()) + " ";
    }
    part += wish_of(object, n > 1) + " " + object_in_full(object);
    if (told == kObjectsTold || (told != 0 && text.size() + part.size() + end.size() + 8 > most)) {
      text += ", …";
      break;
    }
    text += part;
    ++told;
  }
  return text + end;
}

}  // namespace

std::vector<std::string> stuck_words(const Phrases& say) {
  return Writer(say).all();
}

std::string stuck_line(const Phrases& say, std::size_t most) {
  return Writer(say).line(most);
}

}  // namespace impasse::report
