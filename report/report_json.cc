#include "report/report_json.h"

#include "report/ages.h"
#include "report/json_sheet.h"
#include "report/orders_json.h"
#include "report/report_words.h"

namespace impasse::report {
namespace {

// Of a thread that wrote down its wait nothing else is asked.
bool says_nothing(const system::Activity& activity) {
  return activity.state == '\0' && activity.number < 0 && activity.call.empty() &&
         activity.detail.empty() && activity.kernel_function.empty() && !activity.uninterruptible &&
         activity.since_ns == 0 && activity.trouble.empty();
}

class Writer {
 public:
  explicit Writer(const Report& report) : report_(report), sheet_(report), out_(sheet_.out()) {}

  std::string all();

 private:
  void process();
  void finding();
  void links(std::string_view key, const std::vector<Link>& links);
  void thread(const Thread& thread, std::uint32_t index);
  void activity(const system::Activity& activity);
  void wait(const Wait& wait);
  void hold(const Hold& hold);
  void lock(const Lock& lock, std::uint32_t index);
  void signaller(const Signaller& signaller);
  void calls();
  void modules();
  void small_print();

  const Report& report_;
  JsonSheet sheet_;
  JsonWriter& out_;
};

std::string Writer::all() {
  out_.begin_object();
  out_.text("schema", kReportSchema);
  process();
  out_.begin_row("moment");
  out_.text("time", iso_time(report_.moment.wall_ns));
  out_.number("monotonic_ns", report_.moment.monotonic_ns);
  out_.number("wall_ns", report_.moment.wall_ns);
  out_.end_object();
  finding();
  out_.begin_array("threads");
  for (std::uint32_t i = 0; i < report_.threads.size(); ++i) thread(report_.threads[i], i);
  out_.end_array();
  out_.number("threads_not_looked_at", report_.threads_not_looked_at);
  out_.begin_array("locks");
  for (std::uint32_t i = 0; i < report_.locks.size(); ++i) lock(report_.locks[i], i);
  out_.end_array();
  calls();
  sheet_.tables();
  modules();
  small_print();
  out_.end_object();
  return out_.take();
}

void Writer::process() {
  const Process& process = report_.process;
  out_.begin_object("process");
  out_.number("pid", process.pid);
  sheet_.text("program", process.program);
  sheet_.text("executable", process.executable);
  sheet_.text("host", process.host);
  sheet_.text("version", process.version);
  out_.number("started_ns", process.started_ns);
  out_.end_object();
}

void Writer::finding() {
  const Finding& finding = report_.finding;
  out_.begin_object("finding");
  if (finding.foreign_kind.empty()) {
    out_.text("kind", word_of(kFindingWords, finding.kind));
  } else {
    sheet_.text("kind", finding.foreign_kind);
  }
  if (finding.misuse == MisuseKind::kNone) {
    out_.null("misuse");
  } else {
    out_.text("misuse", word_of(kMisuseWords, finding.misuse));
  }
  sheet_.place("call", finding.call);
  out_.text("call_mode", word_of(kModeWords, finding.call_shared));
  out_.number("number", finding.number);
  out_.number("update", finding.update);
  sheet_.text("fingerprint", finding.fingerprint);
  out_.boolean("certain", finding.certain);
  out_.number("found_ns", finding.found_ns);
  links("cycle", finding.cycle);
  links("crowd", finding.crowd);
  sheet_.index("root", finding.root);
  sheet_.index("root_lock", finding.root_lock);
  if (finding.changed_hands) {
    out_.number("changed_hands", *finding.changed_hands);
  } else {
    out_.null("changed_hands");
  }
  out_.number("threshold_ns", finding.threshold_ns);
  write_orders(sheet_, finding);
  out_.end_object();
}

void Writer::links(std::string_view key, const std::vector<Link>& links) {
  out_.begin_array(key);
  for (const Link& link : links) {
    out_.begin_row();
    sheet_.index("waiter", link.waiter);
    sheet_.index("blocker", link.blocker);
    sheet_.index("lock", link.lock);
    out_.text("reason", word_of(kReasonWords, link.reason));
    out_.end_object();
  }
  out_.end_array();
}

void Writer::thread(const Thread& thread, std::uint32_t number) {
  out_.begin_object();
  out_.number("index", number);
  out_.number("tid", thread.tid);
  sheet_.text("name", thread.name);
  out_.boolean("involved", thread.involved);
  out_.boolean("ours", thread.ours);
  out_.text("state", word_of(kStateWords, thread.activity.kind));
  activity(thread.activity);
  if (thread.wait) {
    wait(*thread.wait);
  } else {
    out_.null("wait");
  }
  out_.begin_array("holds");
  for (const Hold& one : thread.holds) hold(one);
  out_.end_array();
  sheet_.stack("stack", thread.stack);
  out_.number("started_ns", thread.started_ns);
  out_.number("ended_ns", thread.ended_ns);
  sheet_.place("entry", thread.entry);
  out_.end_object();
}

void Writer::activity(const system::Activity& activity) {
  if (says_nothing(activity)) {
    out_.null("activity");
    return;
  }
  out_.begin_row("activity");
  sheet_.text("letter", activity.state == '\0' ? "" : std::string(1, activity.state));
  if (activity.number < 0) {
    out_.null("number");
  } else {
    out_.number("number", static_cast<std::uint64_t>(activity.number));
  }
  sheet_.text("call", activity.call);
  sheet_.text("detail", activity.detail);
  sheet_.text("kernel_function", activity.kernel_function);
  out_.boolean("uninterruptible", activity.uninterruptible);
  sheet_.since(activity.since_ns);
  sheet_.text("trouble", activity.trouble);
  out_.end_object();
}

void Writer::wait(const Wait& wait) {
  out_.begin_row("wait");
  out_.text("kind", word_of(kWaitWords, wait.kind));
  sheet_.address("object", wait.object);
  sheet_.index("lock", wait.lock);
  sheet_.index("mutex", wait.mutex);
  sheet_.index("thread", wait.thread);
  sheet_.since(wait.since_ns);
  out_.boolean("since_about", wait.since_about);
  out_.boolean("timed", wait.timed);
  out_.boolean("in_signal_handler", wait.in_signal_handler);
  sheet_.place("site", wait.site);
  out_.end_object();
}

void Writer::hold(const Hold& hold) {
  out_.begin_row();
  sheet_.index("lock", hold.lock);
  out_.text("mode", word_of(kModeWords, hold.shared));
  out_.boolean("tried", hold.tried);
  out_.boolean("timed", hold.timed);
  out_.number("levels", hold.levels);
  out_.text("phase", word_of(kPhaseWords, hold.phase));
  sheet_.since(hold.since_ns);
  sheet_.place("site", hold.site);
  sheet_.index("frame", hold.frame);
  out_.end_object();
}

void Writer::lock(const Lock& lock, std::uint32_t number) {
  out_.begin_object();
  out_.number("index", number);
  sheet_.address("address", lock.address);
  out_.text("kind", word_of(kLockWords, lock.kind));
  sheet_.text("variety", lock.variety);
  sheet_.text("name", lock.name);
  out_.text("memory", word_of(kMemoryWords, lock.memory));
  sheet_.index("stack_of", lock.stack_of);
  sheet_.index("module", lock.module);
  out_.number("contended", lock.contended);
  out_.number("waited_ns", lock.waited_ns);
  out_.number("owner_word", lock.owner_word);
  out_.begin_array("signallers");
  for (const Signaller& one : lock.signallers) signaller(one);
  out_.end_array();
  out_.boolean("signallers_ended", lock.signallers_ended);
  sheet_.index("signallers_maker", lock.signallers_maker);
  out_.end_object();
}

void Writer::signaller(const Signaller& signaller) {
  out_.begin_row();
  sheet_.index("thread", signaller.thread);
  out_.number("tid", signaller.tid);
  sheet_.text("name", signaller.name);
  out_.text("how", word_of(kSignalWords, signaller.how));
  sheet_.place("site", signaller.site);
  out_.number("count", signaller.count);
  out_.number("last_ns", signaller.last_ns);
  sheet_.time("last", signaller.last_ns);
  out_.end_object();
}

void Writer::calls() {
  out_.begin_array("calls");
  for (const CallTally& call : report_.calls) {
    out_.begin_row();
    sheet_.index("lock", call.lock);
    out_.text("call", word_of(call.call));
    sheet_.place("site", call.site);
    sheet_.place("held_site", call.held_site);
    out_.number("count", call.count);
    out_.number("sum_ns", call.sum_ns);
    out_.number("most_ns", call.most_ns);
    out_.number("last_ns", call.last_ns);
    sheet_.time("last", call.last_ns);
    out_.end_object();
  }
  out_.end_array();
}

void Writer::modules() {
  out_.begin_array("modules");
  for (const Module& module : report_.modules) {
    out_.begin_row();
    sheet_.text("path", module.path);
    sheet_.address("base", module.base);
    sheet_.address("end", module.end);
    sheet_.text("build_id", module.build_id);
    out_.boolean("deleted", module.deleted);
    out_.end_object();
  }
  out_.end_array();
}

void Writer::small_print() {
  out_.begin_array("options");
  for (const auto& [name, value] : report_.options) {
    out_.begin_row();
    sheet_.text("name", name);
    sheet_.text("value", value);
    out_.end_object();
  }
  out_.end_array();
  out_.begin_array("dropped");
  for (const auto& [what, count] : report_.dropped) {
    out_.begin_row();
    sheet_.text("what", what);
    out_.number("count", count);
    out_.end_object();
  }
  out_.end_array();
  out_.begin_object("names");
  out_.boolean("looked_up", report_.named);
  sheet_.text("trouble", report_.names_trouble);
  out_.end_object();
  out_.begin_array("notes");
  for (const std::string& note : report_.notes) sheet_.text("", note);
  out_.end_array();
}

}  // namespace

std::string report_json(const Report& report) {
  return Writer(report).all();
}

}  // namespace impasse::report
