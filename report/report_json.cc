#include "report/report_json.h"

#include <array>
#include <cstdio>

#include "report/ages.h"
#include "report/json_writer.h"
#include "report/phrases.h"
#include "report/report_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

// As it is, but for bytes that are no UTF-8: the text form shows them in the same way.
std::string utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(bytes.front())));
      text += escaped.data();
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

class Writer {
 public:
  explicit Writer(const Report& report) : report_(report), say_(report) {}

  std::string all();

 private:
  void process();
  void finding();
  void links(std::string_view key, const std::vector<Link>& links);
  void thread(const Thread& thread, std::uint32_t index);
  void activity(const system::Activity& activity);
  void wait(const Wait& wait);
  void hold(const Hold& hold);
  void stack(const symbolize::Stack& stack);
  void frame(std::string_view key, const symbolize::Frame& frame);
  void lock(const Lock& lock, std::uint32_t index);
  void modules();
  void small_print();

  void text(std::string_view key, std::string_view value) { out_.text(key, utf8(value)); }
  void address(std::string_view key, std::uint64_t value) { out_.text(key, hex(value)); }
  void index(std::string_view key, std::uint32_t value) {
    if (value == kNobody) {
      out_.null(key);
    } else {
      out_.number(key, value);
    }
  }
  // An instant of CLOCK_MONOTONIC, how long ago it was, and when by the calendar.
  void since(std::uint64_t ns) {
    out_.number("since_ns", ns);
    if (ns == 0) {
      out_.null("since");
      out_.null("age_ns");
      return;
    }
    out_.text("since", iso_time(report_.moment.wall_of(ns)));
    out_.number("age_ns", say_.age(ns).value_or(0));
  }

  const Report& report_;
  const Phrases say_;
  JsonWriter out_;
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
  modules();
  small_print();
  out_.end_object();
  return out_.take();
}

void Writer::process() {
  const Process& process = report_.process;
  out_.begin_object("process");
  out_.number("pid", process.pid);
  text("program", process.program);
  text("executable", process.executable);
  text("host", process.host);
  text("version", process.version);
  out_.number("started_ns", process.started_ns);
  out_.end_object();
}

void Writer::finding() {
  const Finding& finding = report_.finding;
  out_.begin_object("finding");
  out_.text("kind", word_of(kFindingWords, finding.kind));
  if (finding.misuse == MisuseKind::kNone) {
    out_.null("misuse");
  } else {
    out_.text("misuse", word_of(kMisuseWords, finding.misuse));
  }
  out_.number("number", finding.number);
  out_.number("update", finding.update);
  text("fingerprint", finding.fingerprint);
  out_.boolean("certain", finding.certain);
  out_.number("found_ns", finding.found_ns);
  links("cycle", finding.cycle);
  links("crowd", finding.crowd);
  index("root", finding.root);
  index("root_lock", finding.root_lock);
  if (finding.changed_hands) {
    out_.number("changed_hands", *finding.changed_hands);
  } else {
    out_.null("changed_hands");
  }
  out_.number("threshold_ns", finding.threshold_ns);
  out_.end_object();
}

void Writer::links(std::string_view key, const std::vector<Link>& links) {
  out_.begin_array(key);
  for (const Link& link : links) {
    out_.begin_row();
    index("waiter", link.waiter);
    index("blocker", link.blocker);
    index("lock", link.lock);
    out_.text("reason", word_of(kReasonWords, link.reason));
    out_.end_object();
  }
  out_.end_array();
}

void Writer::thread(const Thread& thread, std::uint32_t number) {
  out_.begin_object();
  out_.number("index", number);
  out_.number("tid", thread.tid);
  text("name", thread.name);
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
  stack(thread.stack);
  out_.number("started_ns", thread.started_ns);
  out_.number("ended_ns", thread.ended_ns);
  if (thread.entry.pc == 0) {
    out_.null("entry");
  } else {
    frame("entry", thread.entry);
  }
  out_.end_object();
}

void Writer::activity(const system::Activity& activity) {
  out_.begin_object("activity");
  text("letter", activity.state == '\0' ? "" : std::string(1, activity.state));
  if (activity.number < 0) {
    out_.null("number");
  } else {
    out_.number("number", static_cast<std::uint64_t>(activity.number));
  }
  text("call", activity.call);
  text("detail", activity.detail);
  text("kernel_function", activity.kernel_function);
  out_.boolean("uninterruptible", activity.uninterruptible);
  since(activity.since_ns);
  text("trouble", activity.trouble);
  out_.end_object();
}

void Writer::wait(const Wait& wait) {
  out_.begin_object("wait");
  out_.text("kind", word_of(kWaitWords, wait.kind));
  address("object", wait.object);
  index("lock", wait.lock);
  index("mutex", wait.mutex);
  index("thread", wait.thread);
  since(wait.since_ns);
  out_.boolean("since_about", wait.since_about);
  out_.boolean("timed", wait.timed);
  out_.boolean("in_signal_handler", wait.in_signal_handler);
  frame("site", wait.site);
  out_.end_object();
}

void Writer::hold(const Hold& hold) {
  out_.begin_object();
  index("lock", hold.lock);
  out_.text("mode", hold.shared ? "shared" : "exclusive");
  out_.boolean("tried", hold.tried);
  out_.boolean("timed", hold.timed);
  out_.number("levels", hold.levels);
  out_.text("phase", word_of(kPhaseWords, hold.phase));
  since(hold.since_ns);
  frame("site", hold.site);
  index("frame", hold.frame);
  out_.end_object();
}

void Writer::stack(const symbolize::Stack& stack) {
  out_.begin_object("stack");
  out_.boolean("whole", stack.whole);
  text("trouble", stack.trouble);
  out_.number("left_out", stack.left_out);
  out_.number("left_out_after", stack.left_out_after);
  out_.begin_array("frames");
  for (const symbolize::Frame& one : stack.frames) frame("", one);
  out_.end_array();
  out_.end_object();
}

// On one line: a report has thousands of them.
void Writer::frame(std::string_view key, const symbolize::Frame& frame) {
  out_.begin_row(key);
  address("pc", frame.pc);
  if (const Module* const module = say_.module_of(frame.pc)) {
    out_.number("module", static_cast<std::uint64_t>(module - report_.modules.data()));
    address("offset", frame.pc - module->base);
  } else {
    out_.null("module");
    out_.null("offset");
  }
  address("sp", frame.stack_pointer);
  out_.text("grade", word_of(kGradeWords, frame.grade));
  out_.boolean("returns_here", frame.returns_here);
  out_.boolean("signal", frame.signal);
  out_.number("function_offset", frame.function_offset);
  out_.begin_array("sources");
  for (const symbolize::Source& source : frame.sources) {
    out_.begin_row();
    text("function", source.function);
    text("file", source.file);
    out_.number("line", source.line);
    out_.end_object();
  }
  out_.end_array();
  out_.end_object();
}

void Writer::lock(const Lock& lock, std::uint32_t number) {
  out_.begin_object();
  out_.number("index", number);
  address("address", lock.address);
  out_.text("kind", word_of(kLockWords, lock.kind));
  text("variety", lock.variety);
  text("name", lock.name);
  out_.text("memory", word_of(kMemoryWords, lock.memory));
  index("stack_of", lock.stack_of);
  index("module", lock.module);
  out_.number("contended", lock.contended);
  out_.number("waited_ns", lock.waited_ns);
  out_.number("owner_word", lock.owner_word);
  out_.end_object();
}

void Writer::modules() {
  out_.begin_array("modules");
  for (const Module& module : report_.modules) {
    out_.begin_row();
    text("path", module.path);
    address("base", module.base);
    address("end", module.end);
    text("build_id", module.build_id);
    out_.boolean("deleted", module.deleted);
    out_.end_object();
  }
  out_.end_array();
}

void Writer::small_print() {
  out_.begin_array("options");
  for (const auto& [name, value] : report_.options) {
    out_.begin_row();
    text("name", name);
    text("value", value);
    out_.end_object();
  }
  out_.end_array();
  out_.begin_array("dropped");
  for (const auto& [what, count] : report_.dropped) {
    out_.begin_row();
    text("what", what);
    out_.number("count", count);
    out_.end_object();
  }
  out_.end_array();
  out_.begin_object("names");
  out_.boolean("looked_up", report_.named);
  text("trouble", report_.names_trouble);
  out_.end_object();
  out_.begin_array("notes");
  for (const std::string& note : report_.notes) text("", note);
  out_.end_array();
}

}  // namespace

std::string report_json(const Report& report) {
  return Writer(report).all();
}

}  // namespace impasse::report
