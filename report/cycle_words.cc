#include "report/cycle_words.h"

#include <algorithm>

#include "report/ages.h"
#include "report/ink.h"
#include "report/verdict.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr const char* kAnotherForm =
    "a second form of the inner function, for callers that hold the lock already; or give it back "
    "before the call.";
constexpr std::size_t kThreadsTold = 8;  // of a larger circle, before the "…"

// ---- one thread

// How a thread came to wait for itself.
enum class Itself { kRelock, kUpgrade, kDowngrade, kHandler, kJoin, kOnce, kUnseen, kUnknown };

// Taken by the signal handler that asks for it again, or by what that has called.
bool since_signal(const Phrases& say, const Thread& thread, const Hold* hold) {
  const std::vector<symbolize::Frame>& frames = say.report().stack_of(thread).frames;
  if (hold == nullptr || hold->frame >= frames.size()) return false;
  return std::none_of(frames.begin(), frames.begin() + hold->frame,
                      [](const symbolize::Frame& frame) { return frame.signal; });
}

Itself way_to_itself(const Phrases& say, const Thread& thread, const Link& link) {
  const Hold* const hold = say.hold_of(link.waiter, link.lock);
  if (!thread.wait) return Itself::kUnknown;
  const Wait& wait = *thread.wait;
  if (wait.in_signal_handler && !since_signal(say, thread, hold)) return Itself::kHandler;
  if (wait.kind == WaitKind::kJoin) return Itself::kJoin;
  if (wait.kind == WaitKind::kOnce) return Itself::kOnce;
  if (hold == nullptr) {
    const Lock* const lock = say.lock_at(link.lock);
    const bool owner = lock != nullptr && lock->owner_word != 0 && lock->owner_word == thread.tid;
    return owner ? Itself::kUnseen : Itself::kUnknown;
  }
  if (wait.kind == WaitKind::kWrite && hold->shared) return Itself::kUpgrade;
  if (wait.kind == WaitKind::kRead && !hold->shared) return Itself::kDowngrade;
  return Itself::kRelock;
}

struct Self {
  const char* sentence;
  const char* way_out;
};

Self words_for(Itself way) {
  switch (way) {
    case Itself::kUpgrade:
      return {" holds %s for reading and now wants to write it: its own read lock keeps it out.",
              "give the read lock back before asking to write, then look again at what was read; "
              "or take it for writing from the start."};
    case Itself::kDowngrade:
      return {" holds %s for writing and now wants to read it: its own write lock keeps it out.",
              "a second form of the inner function, for callers that hold the lock already."};
    case Itself::kHandler:
      return {
          " waits for itself: a signal handler asks for %s, which the code that it interrupted "
          "holds.",
          "no locks in signal handlers; or block the signal while the lock is held."};
    case Itself::kJoin:
      return {" waits for its own end.", "the thread that started it joins it, or it is detached."};
    case Itself::kRelock:
      return {" asks for %s, which it holds already: it waits for itself.", kAnotherForm};
    case Itself::kOnce:
      return {" waits for the initializer of %s to end, which it is running itself.",
              "nothing that an initializer calls may ask for the same once; what both need goes "
              "into a function that asks for none."};
    case Itself::kUnseen:
      return {
          " asks for %s, whose owner it is by libc's own word: it waits for itself. Where it took "
          "it is not known: impasse did not see that.",
          kAnotherForm};
    case Itself::kUnknown:
      break;
  }
  return {" waits for itself, for %s.", ""};
}

std::string filled(const char* sentence, const std::string& lock) {
  std::string text = sentence;
  const std::size_t at = text.find("%s");
  return at == std::string::npos ? text : text.replace(at, 2, lock);
}

std::string behind_it(const Phrases& say) {
  const std::size_t n = crowd_of(say).threads;
  return n == 0 ? "" : " " + counted(n, "more waits", "more wait") + " behind ";
}

std::string ago(const std::string& age) {
  return age.empty() ? "" : ", " + age + " ago";
}

void add_taken_at(const Phrases& say, const Link& link, Lines& lines) {
  const Hold* const hold = say.hold_of(link.waiter, link.lock);
  if (hold == nullptr) return;
  lines.push_back("  taken at      " + say.hold_place(*say.thread_at(link.waiter), *hold) +
                  ago(say.hold_age(*hold)));
}

// Nobody waits: the thread went on without it.
Lines refused(const Phrases& say, const Link& link) {
  const Finding& finding = say.report().finding;
  const Thread& thread = *say.thread_at(link.waiter);
  Lines lines = {capital(say.thread(link.waiter)) + " " + std::string(refused_wish(say)) + " " +
                 say.lock_in_full(link.lock) +
                 ", which it holds already. libc refused (EDEADLK): the call failed, and nobody "
                 "waits."};
  add_taken_at(say, link, lines);
  if (finding.call.pc != 0) {
    const auto age = say.age(finding.found_ns);
    lines.push_back("  refused at    " + say.call_place(thread, finding.call) +
                    ago(age ? duration(*age) : ""));
  }
  lines.emplace_back(
      "A program that does not look at the result goes on as if it had the lock twice.");
  lines.push_back(std::string("Usual way out: ") + kAnotherForm);
  return lines;
}

Lines alone(const Phrases& say, const Link& link) {
  const Thread& thread = *say.thread_at(link.waiter);
  const Self words = words_for(way_to_itself(say, thread, link));
  Lines lines;
  std::string first = capital(say.thread(link.waiter)) +
                      filled(words.sentence, say.lock_in_full(link.lock)) + " It can never go on.";
  if (crowd_of(say).threads != 0) first += behind_it(say) + "it.";
  lines.push_back(std::move(first));
  add_taken_at(say, link, lines);
  if (thread.wait) {
    lines.push_back("  asked for at  " + say.wait_place(thread) + ago(say.wait_age(*thread.wait)));
  }
  if (*words.way_out != '\0') lines.push_back(std::string("Usual way out: ") + words.way_out);
  return lines;
}

// ---- several

// By what it keeps the one before it from going on.
std::string what_it_keeps(const Phrases& say, const Link& before) {
  const Thread& thread = *say.thread_at(before.blocker);
  if (before.reason == LinkReason::kWaitingWriter) {
    return "waits to write " + say.lock(before.lock) + ", which lets no new reader pass it,";
  }
  const Hold* const hold = say.hold_of(before.blocker, before.lock);
  if (hold == nullptr) return "holds " + say.lock(before.lock);
  const std::string mode = say.mode(*hold, before.lock);
  return "took " + say.lock(before.lock) + (mode.empty() ? "" : " (" + mode + ")") + " at " +
         say.hold_place(thread, *hold);
}

std::string what_it_wants(const Phrases& say, const Link& link) {
  const Thread& thread = *say.thread_at(link.waiter);
  if (link.reason == LinkReason::kJoin) {
    return "waits for the end of " + say.who(link.blocker) + " at " + say.wait_place(thread);
  }
  std::string mode;
  if (thread.wait && thread.wait->kind == WaitKind::kRead) mode = " (shared)";
  if (thread.wait && thread.wait->kind == WaitKind::kWrite) mode = " (exclusive)";
  return "asked for " + say.lock(link.lock) + mode + " at " + say.wait_place(thread);
}

void tell_threads(const Phrases& say, Lines& lines) {
  const auto& cycle = say.report().finding.cycle;
  std::size_t width = 0;
  for (std::size_t i = 0; i < cycle.size() && i < kThreadsTold; ++i) {
    width = std::max(width, columns(say.who(cycle[i].waiter)));
  }
  for (std::size_t i = 0; i < cycle.size() && i < kThreadsTold; ++i) {
    const Link& before = cycle[(i + cycle.size() - 1) % cycle.size()];
    const std::string wants = what_it_wants(say, cycle[i]);
    const std::string who = "  " + padded(say.who(cycle[i].waiter), width) + "  ";
    if (before.reason == LinkReason::kWaitingWriter && before.lock == cycle[i].lock) {
      lines.push_back(who + wants + ",");
      lines.push_back(std::string(width + 4, ' ') + "and no new reader passes a waiting writer");
    } else if (before.reason == LinkReason::kJoin) {
      lines.push_back(who + wants);
    } else {
      lines.push_back(who + what_it_keeps(say, before) + ",");
      lines.push_back(std::string(width + 4, ' ') + "then " + wants);
    }
  }
  if (cycle.size() > kThreadsTold) {
    lines.push_back("  … " + std::to_string(cycle.size() - kThreadsTold) + " more");
  }
}

bool any(const std::vector<Link>& cycle, LinkReason reason) {
  return std::any_of(cycle.begin(), cycle.end(),
                     [reason](const Link& link) { return link.reason == reason; });
}

bool has_once(const Phrases& say, const std::vector<Link>& cycle) {
  return std::any_of(cycle.begin(), cycle.end(), [&say](const Link& link) {
    const Lock* const lock = say.lock_at(link.lock);
    return lock != nullptr && lock->kind == LockKind::kOnce;
  });
}

std::string way_out(const Phrases& say) {
  const auto& cycle = say.report().finding.cycle;
  if (any(cycle, LinkReason::kWaitingWriter)) {
    return "Usual way out: do not take a read lock that the thread has already; a writer may have "
           "come in between.";
  }
  const auto joins = [](const Link& link) { return link.reason == LinkReason::kJoin; };
  if (std::all_of(cycle.begin(), cycle.end(), joins)) {
    return "Usual way out: joining goes one way; of threads that need each other a third one joins "
           "all, or they are detached.";
  }
  if (any(cycle, LinkReason::kJoin)) {
    return "Usual way out: give back every lock that the other thread may need before joining it.";
  }
  if (has_once(say, cycle)) {
    return "Usual way out: no lock in an initializer that others hold while they ask for its once; "
           "or that lock before the once, in every thread.";
  }
  if (cycle.size() == 2) {
    return "Usual way out: one order for both locks, in every thread.";
  }
  return "Usual way out: one order for all of these locks, in every thread.";
}

bool all_known(const Phrases& say, const std::vector<Link>& cycle) {
  return !cycle.empty() && std::all_of(cycle.begin(), cycle.end(), [&say](const Link& link) {
    return say.thread_at(link.waiter) != nullptr && say.thread_at(link.blocker) != nullptr;
  });
}

}  // namespace

bool is_refused(const Report& report) {
  return report.finding.misuse == MisuseKind::kRefusedRelock;
}

std::string_view refused_wish(const Phrases& say) {
  const Finding& finding = say.report().finding;
  const Lock* const lock = say.lock_at(finding.root_lock);
  if (lock == nullptr || lock->kind != LockKind::kRwlock) return "asked for";
  return finding.call_shared ? "asked to read" : "asked to write";
}

std::vector<std::string> cycle_words(const Phrases& say) {
  const auto& cycle = say.report().finding.cycle;
  if (!all_known(say, cycle)) return {"Threads wait for each other; which ones is not known."};
  if (cycle.size() == 1) {
    return is_refused(say.report()) ? refused(say, cycle.front()) : alone(say, cycle.front());
  }
  const bool two = cycle.size() == 2;
  Lines lines;
  std::string first = spoken_number(cycle.size()) + " threads wait for each other" +
                      (two ? "; neither" : " in a circle; none of them") + " can ever go on.";
  if (crowd_of(say).threads != 0) first += behind_it(say) + "them.";
  lines.push_back(std::move(first));
  tell_threads(say, lines);
  lines.push_back(way_out(say));
  return lines;
}

std::string cycle_line(const Phrases& say, std::size_t most) {
  const auto& cycle = say.report().finding.cycle;
  if (!all_known(say, cycle)) return "threads wait for each other";
  if (is_refused(say.report())) {
    const Link& link = cycle.front();
    return say.thread(link.waiter) + " " + std::string(refused_wish(say)) + " " +
           say.lock_in_full(link.lock) + ", which it holds itself; libc refused";
  }
  std::string text;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const Link& link = cycle[i];
    std::string part = i == 0 ? say.thread(link.waiter) : "";
    if (link.reason == LinkReason::kJoin) {
      part += " waits for the end of ";
    } else {
      const Thread& waiter = *say.thread_at(link.waiter);
      const WaitKind kind = waiter.wait ? waiter.wait->kind : WaitKind::kMutex;
      part += " " + std::string(wish(kind)) + " " + say.lock_in_full(link.lock);
      part +=
          link.reason == LinkReason::kWaitingWriter ? " behind the waiting writer " : ", held by ";
    }
    const bool last = i + 1 == cycle.size();
    part += link.waiter == link.blocker ? "itself" : say.thread(link.blocker);
    if (!last) part += ", which";
    const std::string rest = " … in a circle of " + std::to_string(cycle.size());
    if (i > 0 && text.size() + part.size() + (last ? 0 : rest.size()) > most) return text + rest;
    text += part;
  }
  return text;
}

}  // namespace impasse::report
