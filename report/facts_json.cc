#include "report/facts_json.h"

#include "report/ages.h"
#include "report/fact_names.h"
#include "report/json_writer.h"
#include "report/report_words.h"
#include "report/roster.h"
#include "report/words.h"
#include "system/system_calls.h"

namespace impasse::report {
namespace {

std::string_view origin_word(Origin origin) {
  switch (origin) {
    case Origin::kLive:
      return "live";
    case Origin::kLeftBehind:
      return "left_behind";
    case Origin::kFile:
      return "file";
  }
  return "unknown";
}

class Writer {
 public:
  explicit Writer(const Facts& facts)
      : facts_(facts), ages_(facts), roster_(facts), holders_(facts.snapshot), names_(facts) {}

  std::string all() {
    json_.begin_object();
    json_.text("schema", kFactsSchema);
    json_.text("impasse", facts_.version);
    process();
    clock();
    json_.begin_array("threads");
    for (const std::size_t i : roster_.order()) thread(facts_.snapshot.threads[i]);
    json_.end_array();
    json_.begin_array("unlisted_threads");
    for (const LiveThread* live : roster_.unlisted()) {
      json_.begin_object();
      json_.number("tid", live->tid);
      name(live->name);
      live_facts(*live);
      json_.end_object();
    }
    json_.end_array();
    departures();
    locks();
    dropped();
    modules();
    json_.end_object();
    return json_.take();
  }

 private:
  void process();
  void clock();
  void thread(const ThreadFact& thread);
  void wait(const Waiting& waiting);
  void signalled_by(std::uint64_t object);
  void hold_words(const HoldFact& hold);
  void live_facts(const LiveThread& live);
  void departures();
  void locks();
  void dropped();
  void modules();

  void age(std::string_view key, std::optional<std::uint64_t> ns) {
    ns ? json_.number(key, *ns) : json_.null(key);
  }
  void name(const std::string& name) {
    name.empty() ? json_.null("name") : json_.text("name", name);
  }
  void known_as(std::string_view key, const std::string& name) {
    if (!name.empty()) json_.text(key, name);
  }
  void place(std::string_view key, std::uint64_t address) {
    json_.begin_object(key);
    json_.text("address", hex(address));
    if (const auto found = facts_.modules.find(address)) {
      json_.text("module", found->module->path);
      json_.text("offset", hex(found->offset));
    }
    known_as("name", names_.place_name(address));
    json_.end_object();
  }

  const Facts& facts_;
  const Ages ages_;
  const Roster roster_;
  const HolderIndex holders_;
  const FactNames names_;
  JsonWriter json_;
};

void Writer::process() {
  const Snapshot& s = facts_.snapshot;
  json_.begin_object("process");
  json_.number("pid", s.pid);
  json_.text("program", s.program);
  json_.boolean("alive", facts_.alive());
  json_.text("origin", origin_word(facts_.origin));
  json_.text("library_version", s.library_version);
  json_.text("ledger", facts_.ledger);
  json_.text("watched_since", iso_time(s.started_wall));
  age("watched_ns", ages_.since(s.started_ns));
  json_.end_object();
  json_.text("written", iso_time(facts_.wall_ns));
}

void Writer::clock() {
  json_.begin_object("clock");
  json_.number("tick", facts_.snapshot.tick);
  json_.number("tick_ns", facts_.snapshot.tick_ns);
  json_.number("stamp_step_ns", kStampStepNs);
  age("standstill_ns", ages_.standstill());
  json_.end_object();
}

void Writer::thread(const ThreadFact& thread) {
  json_.begin_object();
  json_.number("tid", thread.tid);
  name(roster_.name(thread));
  json_.text("life", life_word(thread.life));
  json_.boolean("changing", thread.changing);
  json_.boolean("gone", roster_.is_gone(thread));
  age("started_ago_ns", ages_.since(thread.started_ns));
  if (thread.entry != 0) place("entry", thread.entry);
  if (thread.creator != 0) json_.number("creator", thread.creator);
  json_.number("lock_waits", thread.contended);
  if (const auto waiting = roster_.waiting(thread)) {
    wait(*waiting);
  } else {
    json_.null("wait");
  }
  json_.begin_array("holds");
  for (const HoldFact& hold : thread.holds) {
    json_.begin_object();
    hold_words(hold);
    json_.end_object();
  }
  json_.end_array();
  json_.number("holds_unread", thread.holds_unread);
  if (const LiveThread* live = roster_.live(thread.tid)) live_facts(*live);
  json_.end_object();
}

void Writer::wait(const Waiting& waiting) {
  json_.begin_object("wait");
  json_.text("kind", wait_word(waiting.kind));
  json_.text("object", hex(waiting.object));
  if (waiting.kind != WaitKind::kJoin) known_as("object_name", names_.lock_name(waiting.object));
  if (waiting.kind == WaitKind::kCondition) json_.text("mutex", hex(waiting.partner));
  if (waiting.kind == WaitKind::kJoin) {
    const ThreadFact* awaited = roster_.by_handle(waiting.object);
    awaited ? json_.number("thread", awaited->tid) : json_.null("thread");
  }
  place("site", waiting.site);
  age("age_ns", waiting.age_ns);
  json_.boolean("age_exact", waiting.exact);
  json_.boolean("timed", waiting.timed);
  json_.number("interrupted_waits", waiting.outer);
  if (waits_for_lock(waiting.kind)) {
    json_.begin_array("held_by");
    for (const HolderIndex::Holder& holder : holders_.of(waiting.object)) {
      json_.number({}, facts_.snapshot.threads[holder.thread].tid);
    }
    json_.end_array();
  }
  if (waiting.kind == WaitKind::kCondition || waiting.kind == WaitKind::kSemaphore) {
    signalled_by(waiting.object);
  }
  json_.end_object();
}

void Writer::signalled_by(std::uint64_t object) {
  json_.begin_array("signalled_by");
  for (const auto& [thread, signal] : roster_.signals_of(object)) {
    json_.begin_object();
    json_.number("tid", thread->tid);
    json_.text("how", word_of(kSignalWords, signal->kind));
    place("site", signal->site);
    json_.number("count", signal->count);
    age("age_ns", ages_.since_tick(signal->tick));
    json_.end_object();
  }
  json_.end_array();
}

void Writer::hold_words(const HoldFact& hold) {
  json_.text("lock", hex(hold.lock));
  known_as("lock_name", names_.lock_name(hold.lock));
  json_.text("kind", lock_word(hold.kind));
  json_.text("mode", mode_word(hold));
  json_.text("phase", phase_word(hold.phase));
  json_.number("levels", hold.levels);
  place("site", hold.site);
  age("age_ns", ages_.since_tick(hold.tick));
  json_.boolean("tried", hold.tried);
  json_.boolean("timed", hold.timed);
}

void Writer::live_facts(const LiveThread& live) {
  json_.begin_object("system");
  json_.text("state", std::string(live.state == '\0' ? 0 : 1, live.state));
  if (live.system_call) {
    json_.number("system_call_number", static_cast<std::uint64_t>(*live.system_call));
    json_.text("system_call", system::system_call_name(*live.system_call));
  }
  if (!live.kernel_function.empty()) json_.text("kernel_function", live.kernel_function);
  json_.end_object();
}

void Writer::departures() {
  json_.begin_array("departed_holds");
  for (const DepartureFact& gone : facts_.snapshot.departures) {
    json_.begin_object();
    json_.number("tid", gone.tid);
    name(gone.name);
    json_.text("reason", departure_word(gone.reason));
    age("ago_ns", ages_.since(gone.when_ns));
    hold_words(gone.hold);
    json_.end_object();
  }
  json_.end_array();
}

void Writer::locks() {
  json_.number("locks_known", facts_.snapshot.locks_known);
  json_.begin_array("locks");
  for (const LockFact& lock : facts_.snapshot.locks) {
    json_.begin_object();
    json_.text("address", hex(lock.address));
    known_as("name", names_.lock_name(lock.address));
    json_.text("kind", lock_word(lock.kind));
    json_.number("record_life", (std::uint64_t{lock.generation} + 1) / 2);
    json_.number("contended", lock.contended);
    json_.number("waited_ns", lock.waited_ns);
    json_.number("last_contended_holder", lock.last_holder);
    place("first_mattered", lock.first_site);
    json_.end_object();
  }
  json_.end_array();
}

void Writer::dropped() {
  json_.begin_object("dropped");
  for (std::size_t i = 0; i < facts_.snapshot.counters.size(); ++i) {
    json_.number(counter_texts()[i].name, facts_.snapshot.counters[i]);
  }
  json_.number("senseless_records", facts_.snapshot.senseless);
  json_.end_object();
}

void Writer::modules() {
  json_.begin_array("modules");
  for (const symbolize::Module& module : facts_.modules.all()) {
    json_.begin_object();
    json_.text("path", module.path);
    json_.text("base", hex(module.base));
    json_.text("end", hex(module.end));
    if (module.deleted) json_.boolean("deleted", true);
    json_.end_object();
  }
  json_.end_array();
}

}  // namespace

std::string facts_json(const Facts& facts) {
  return Writer(facts).all();
}

}  // namespace impasse::report
