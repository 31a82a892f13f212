#include "report/verdict.h"

#include <algorithm>
#include <set>

#include "report/ages.h"
#include "report/cycle_words.h"
#include "report/dump_words.h"
#include "report/ink.h"
#include "report/order_words.h"
#include "report/signal_words.h"
#include "report/stuck_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;

std::string first_for(const Crowd& crowd, const char* who) {
  if (crowd.longest_ns == 0) return "";
  return std::string(who) + " for " + duration(crowd.longest_ns);
}

// "37 threads wait for it, the first of them for 5m 01s."
std::string waiters(const Phrases& say, const char* behind) {
  const Crowd crowd = crowd_of(say);
  if (crowd.threads == 0) return "";
  return spoken_number(crowd.threads) + (crowd.threads == 1 ? " thread waits " : " threads wait ") +
         behind + first_for(crowd, crowd.threads == 1 ? "," : ", the first of them") + ".";
}

void add(Lines& lines, std::string line) {
  if (!line.empty()) lines.push_back(std::move(line));
}

// ---- orphaned lock

void orphaned(const Phrases& say, Lines& lines) {
  const Finding& finding = say.report().finding;
  const Thread* const holder = say.thread_at(finding.root);
  const std::string lock = say.lock_in_full(finding.root_lock);
  if (holder == nullptr) {
    add(lines, capital(lock) + " is held by a thread that is gone: nobody will give it back.");
    add(lines, waiters(say, "for it"));
    return;
  }
  const Hold* const hold = say.hold_of(finding.root, finding.root_lock);
  const std::string taken = hold == nullptr ? "" : say.hold_place(*holder, *hold);
  if (holder->activity.kind == system::ActivityKind::kLeftBehind) {
    add(lines, "When this process was forked, " + say.thread(finding.root) +
                   " of its parent held " + lock + ". That thread does not exist here: nobody " +
                   "will give the lock back.");
    if (!taken.empty()) add(lines, "It was taken at " + taken + ".");
    add(lines, waiters(say, "for it"));
    add(lines,
        "Usual ways out: in the child only what is async-signal-safe, then exec; or take "
        "the lock around fork (pthread_atfork).");
    return;
  }
  const auto ago = say.age(holder->ended_ns);
  add(lines, capital(say.thread(finding.root)) + " ended" +
                 (ago ? " " + duration(*ago) + " ago" : "") + " and still held " + lock +
                 ": nobody will give it back.");
  if (!taken.empty()) add(lines, "It was taken at " + taken + ".");
  add(lines, waiters(say, "for it"));
  add(lines,
      "Usual ways out: unlock on every way out of the thread (a guard object; mind "
      "pthread_cancel and pthread_exit).");
}

// ---- long wait

std::string mode_of_holding(const Phrases& say, const Hold& hold, std::uint32_t lock) {
  const Lock* const held = say.lock_at(lock);
  if (held == nullptr || held->kind != LockKind::kRwlock) return "";
  return hold.shared ? " for reading" : " for writing";
}

std::size_t other_holders(const Phrases& say, std::uint32_t lock, std::uint32_t but) {
  std::size_t n = 0;
  for (std::uint32_t i = 0; i < say.report().threads.size(); ++i) {
    if (i != but && say.hold_of(i, lock) != nullptr) ++n;
  }
  return n;
}

// The lock goes round, and those who wait long are passed over: not the same as one who keeps it.
bool starves(const Phrases& say) {
  const Finding& finding = say.report().finding;
  if (finding.changed_hands.value_or(0) == 0) return false;
  const Hold* const hold = say.hold_of(finding.root, finding.root_lock);
  const auto held = hold == nullptr ? std::nullopt : say.age(hold->since_ns);
  return !held || *held < crowd_of(say).longest_ns / 2;
}

std::string holder_sentence(const Phrases& say, bool now) {
  const Finding& finding = say.report().finding;
  const Hold* const hold = say.hold_of(finding.root, finding.root_lock);
  const std::string who =
      now ? "At the moment " + say.thread(finding.root) : capital(say.thread(finding.root));
  const std::string what = now ? "it" : say.lock_in_full(finding.root_lock);
  if (hold == nullptr) return who + (now ? " has " : " is what stands before ") + what + ".";
  const std::string age = say.hold_age(*hold);
  std::string text = who + (now ? " has " : " has held ") + what +
                     mode_of_holding(say, *hold, finding.root_lock) +
                     (age.empty() ? "" : (now ? ", for " : " for ") + age);
  const std::size_t others = other_holders(say, finding.root_lock, finding.root);
  if (others != 0) text += "; " + counted(others, "other holds", "others hold") + " it too";
  return text + ".";
}

// Whose wait is no longer than a turn of the others gets the lock.
std::string who_starves(const Phrases& say) {
  const Finding& finding = say.report().finding;
  const Crowd crowd = crowd_of(say);
  const std::uint64_t long_ns = std::min(finding.threshold_ns, crowd.longest_ns);
  std::set<std::uint32_t> starving;
  for (const Link& link : finding.crowd) {
    const Thread* const waiter = say.thread_at(link.waiter);
    if (waiter == nullptr || !waiter->wait || link.waiter == finding.root) continue;
    const auto age = say.age(waiter->wait->since_ns);
    if (!age || *age >= long_ns) starving.insert(link.waiter);
  }
  if (starving.size() == 1) return say.thread(*starving.begin()) + " starves";
  if (starving.empty() || starving.size() >= crowd.threads) return "these threads starve";
  return with_commas(starving.size()) + " of these threads starve";
}

void hands(const Phrases& say, Lines& lines) {
  const auto& changed = say.report().finding.changed_hands;
  if (!changed) return;
  const std::string times = counted(*changed, "time", "times");
  if (*changed == 0) {
    add(lines, "The lock has not changed hands in all that time.");
  } else if (starves(say)) {
    add(lines, "The lock changed hands at least " + times + " meanwhile: nobody is stuck, " +
                   who_starves(say) + ".");
  } else {
    add(lines, "The lock changed hands at least " + times +
                   " while the first of them waited, but not since it was taken now.");
  }
}

void long_wait(const Phrases& say, Lines& lines) {
  const Finding& finding = say.report().finding;
  const Crowd crowd = crowd_of(say);
  const Thread* const root = say.thread_at(finding.root);
  const std::string many = spoken_number(crowd.threads) +
                           (crowd.threads == 1 ? " thread waits for " : " threads wait for ") +
                           say.lock_in_full(finding.root_lock) +
                           first_for(crowd, crowd.threads == 1 ? "," : ", the first of them") + ".";
  if (root == nullptr) {
    add(lines, many);
    add(lines, "Who holds it is not known: no thread that impasse watches.");
    hands(say, lines);
    return;
  }
  if (starves(say)) {
    add(lines, many);
    hands(say, lines);
    add(lines, holder_sentence(say, true));
    return;
  }
  add(lines, holder_sentence(say, false));
  add(lines, "It is " + say.doing(*root) + ".");
  if (root->wait) {
    const std::string last = last_signal(say, root->wait->lock);
    if (!last.empty()) add(lines, capital(say.awaited_of_kind(*root->wait)) + " was " + last + ".");
  }
  add(lines, waiters(say, "behind it"));
  hands(say, lines);
}

// ---- misuse

std::string where_it_did(const Phrases& say, const Thread& thread) {
  const symbolize::Frame& call = say.report().finding.call;
  if (call.pc != 0) return ", at " + say.call_place(thread, call);
  return say.report().stack_of(thread).frames.empty() ? "" : ", at " + say.stack_place(thread);
}

std::uint32_t holder_of(const Phrases& say, std::uint32_t lock, std::uint32_t but) {
  for (std::uint32_t i = 0; i < say.report().threads.size(); ++i) {
    if (i != but && say.hold_of(i, lock) != nullptr) return i;
  }
  return kNobody;
}

// "Thread 4 "a" holds it, taken at f x.cc:3."
std::string held_by(const Phrases& say, std::uint32_t holder, std::uint32_t lock) {
  const Hold& hold = *say.hold_of(holder, lock);
  const std::string age = say.hold_age(hold);
  return capital(say.thread(holder)) + " holds it" + (age.empty() ? "" : ", for " + age) +
         ", taken at " + say.hold_place(*say.thread_at(holder), hold) + ".";
}

void misuse(const Phrases& say, Lines& lines) {
  const Finding& finding = say.report().finding;
  const std::uint32_t lock_index = finding.root_lock;
  const Thread* const root = say.thread_at(finding.root);
  const std::string who = capital(say.thread(finding.root));
  const std::string lock = say.lock_in_full(lock_index);
  const std::string where = root == nullptr ? "" : where_it_did(say, *root);
  const Hold* const own = say.hold_of(finding.root, lock_index);
  const std::string taken =
      own == nullptr || root == nullptr ? "" : "taken at " + say.hold_place(*root, *own);
  const std::uint32_t other = holder_of(say, lock_index, finding.root);
  switch (finding.misuse) {
    case MisuseKind::kUnlockByOther:
      add(lines, who + " unlocked " + lock + ", which it does not hold" + where + ".");
      if (other != kNobody) add(lines, held_by(say, other, lock_index));
      break;
    case MisuseKind::kUnlockOfFree:
      add(lines, who + " unlocked " + lock + ", which nobody held" + where + ".");
      break;
    case MisuseKind::kDestroyWhileHeld:
      add(lines, who + " destroyed " + lock + where + (where.empty() ? " while " : ", while ") +
                     (own != nullptr ? "it held it itself, " + taken : "it was held") + ".");
      if (own == nullptr && other != kNobody) {
        add(lines, held_by(say, other, lock_index));
      }
      break;
    case MisuseKind::kExitWhileHolding:
      add(lines, who + " ended while it held " + lock + (taken.empty() ? "" : ", " + taken) +
                     ". Whoever asks for it next will wait for ever.");
      break;
    case MisuseKind::kRefusedRelock:  // a circle of one
    case MisuseKind::kNone:
      add(lines, who + " broke a rule of " + lock + where + ".");
      break;
  }
}

}  // namespace

std::string_view title(const Report& report) {
  switch (report.finding.kind) {
    case FindingKind::kDeadlock:
      return "DEADLOCK";
    case FindingKind::kSelfDeadlock:
      return "SELF-DEADLOCK";
    case FindingKind::kOrphanedLock:
      return "ORPHANED LOCK";
    case FindingKind::kLongWait:
      return "LONG WAIT";
    case FindingKind::kMisuse:
      return "MISUSE OF A LOCK";
    case FindingKind::kLockOrder:
      return "LOCK ORDER";
    case FindingKind::kStuckCondition:
      return "STUCK CONDITION";
    case FindingKind::kAllAsleep:
      return "ALL ASLEEP";
    case FindingKind::kDump:
      break;
  }
  return report.finding.foreign_kind.empty() ? "ALL THREADS" : "SOMETHING ELSE";
}

Crowd crowd_of(const Phrases& say) {
  Crowd crowd;
  const Finding& finding = say.report().finding;
  // Where a signal handler closed the way round, the root of a long wait waits for its waiters.
  const auto is_behind_itself = [&finding](std::uint32_t waiter) {
    return finding.kind == FindingKind::kLongWait && waiter == finding.root;
  };
  for (const Link& link : finding.crowd) {
    const Thread* const thread = say.thread_at(link.waiter);
    if (thread == nullptr || is_behind_itself(link.waiter)) continue;
    ++crowd.threads;
    if (thread->wait) {
      crowd.longest_ns = std::max(crowd.longest_ns, say.age(thread->wait->since_ns).value_or(0));
    }
  }
  return crowd;
}

std::vector<std::string> verdict(const Phrases& say) {
  Lines lines;
  switch (say.report().finding.kind) {
    case FindingKind::kDeadlock:
    case FindingKind::kSelfDeadlock:
      lines = cycle_words(say);
      break;
    case FindingKind::kOrphanedLock:
      orphaned(say, lines);
      break;
    case FindingKind::kLongWait:
      long_wait(say, lines);
      break;
    case FindingKind::kMisuse:
      misuse(say, lines);
      break;
    case FindingKind::kLockOrder:
      lines = order_words(say);
      break;
    case FindingKind::kStuckCondition:
    case FindingKind::kAllAsleep:
      lines = stuck_words(say);
      break;
    case FindingKind::kDump:
      if (!say.report().finding.foreign_kind.empty()) {
        add(lines, "It is of the kind \"" + cut(printable(say.report().finding.foreign_kind), 60) +
                       "\", which this version of impasse does not know. The facts are these.");
        break;
      }
      lines = dump_words(say);
      break;
  }
  return lines;
}

// ---- one line

std::string verdict_line(const Phrases& say) {
  const Finding& finding = say.report().finding;
  std::string text =
      "impasse: " + std::string(title(say.report())) + (finding.certain ? ": " : " (likely): ");
  const auto behind = [&] {
    const std::size_t n = crowd_of(say).threads;
    return n == 0 ? std::string() : "; " + counted(n, "thread waits", "threads wait") + " behind";
  };
  const std::string end = behind();
  std::string middle;
  switch (finding.kind) {
    case FindingKind::kDeadlock:
    case FindingKind::kSelfDeadlock:
      middle = cycle_line(say, kLongestLine - text.size() - end.size()) + end;
      break;
    case FindingKind::kLongWait: {
      const Crowd crowd = crowd_of(say);
      const auto& links = finding.crowd;
      const bool all_for_it = std::all_of(links.begin(), links.end(), [&](const Link& link) {
        return link.lock == finding.root_lock;
      });
      middle =
          (all_for_it ? counted(crowd.threads, "thread waits for ", "threads wait for ")
                      : counted(crowd.threads, "thread waits behind ", "threads wait behind ")) +
          say.lock_in_full(finding.root_lock) +
          first_for(crowd, crowd.threads == 1 ? "," : ", the first") + "; ";
      const Thread* const root = say.thread_at(finding.root);
      middle += root == nullptr ? "who holds it is not known"
                                : "held by " + say.thread(finding.root) + ", " + say.doing(*root);
      break;
    }
    case FindingKind::kOrphanedLock:
      middle = say.lock_in_full(finding.root_lock) + " is held by " + say.thread(finding.root) +
               ", which is gone" + end;
      break;
    case FindingKind::kLockOrder:
      middle = order_line(say, kLongestLine - text.size());
      break;
    case FindingKind::kStuckCondition:
    case FindingKind::kAllAsleep:
      middle = stuck_line(say, kLongestLine - text.size());
      break;
    default: {
      const Lines lines = verdict(say);
      if (!lines.empty()) middle = lines.front();
      if (middle.ends_with('.')) middle.pop_back();
    }
  }
  text += middle;
  while (text.size() > kLongestLine)
    text = cut(text, columns(text) - 1 - (text.size() - kLongestLine) / 4);
  return text;
}

}  // namespace impasse::report
