#include "report/report_reader.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "report/report_json.h"
#include "report/report_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

using Json = nlohmann::json;

struct Problem {
  std::string sentence;
};

// A value and where it stands, so that a complaint can say it.
class Node {
 public:
  Node(const Json& value, std::string path) : value_(value), path_(std::move(path)) {}

  Node at(const char* key) const {
    if (!value_.is_object()) wrong("is no object");
    const auto found = value_.find(key);
    if (found == value_.end()) wrong("has no \"" + std::string(key) + "\"");
    return {*found, path_.empty() ? key : path_ + "." + key};
  }
  bool is_null() const { return value_.is_null(); }

  std::string text() const {
    if (!value_.is_string()) wrong("is no text");
    return value_.get_ref<const std::string&>();
  }
  bool boolean() const {
    if (!value_.is_boolean()) wrong("is neither true nor false");
    return value_.get<bool>();
  }
  template <typename Number>
  Number number() const {
    if (!value_.is_number_unsigned()) wrong("is no number without sign");
    const auto wide = value_.get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<Number>::max())) wrong("is too big");
    return static_cast<Number>(wide);
  }
  // "0x7f31c00241a8"
  std::uint64_t address() const {
    const std::string digits = text();
    std::uint64_t value = 0;
    if (digits.starts_with("0x")) {
      const char* const end = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data() + 2, end, value, 16);
      if (error == std::errc() && stop == end && digits.size() > 2) return value;
    }
    wrong("is no address");
  }
  // null, or an index below `size`.
  std::uint32_t index(std::size_t size) const {
    if (is_null()) return kNobody;
    const auto value = number<std::uint32_t>();
    if (value >= size) wrong("points to what is not there");
    return value;
  }
  template <typename Table>
  auto word(const Table& table) const {
    const auto value = value_of(table, text());
    if (!value) wrong("is a word that is not known");
    return *value;
  }
  template <typename Each>
  void each(Each read) const {
    if (!value_.is_array()) wrong("is no list");
    std::size_t i = 0;
    for (const Json& one : value_) read(Node(one, path_ + "[" + std::to_string(i++) + "]"));
  }
  std::size_t size() const {
    if (!value_.is_array()) wrong("is no list");
    return value_.size();
  }
  [[noreturn]] void wrong(const std::string& what) const {
    throw Problem{(path_.empty() ? "it" : path_) + " " + what};
  }

 private:
  const Json& value_;
  std::string path_;
};

class Reader {
 public:
  explicit Reader(const Node& all) : all_(all) {}

  Report read();

 private:
  void finding(const Node& node);
  std::vector<Link> links(const Node& list) const;
  Thread thread(const Node& node) const;
  system::Activity activity(const Node& thread) const;
  Wait wait(const Node& node) const;
  Hold hold(const Node& node, std::size_t frames) const;
  symbolize::Stack stack(const Node& node) const;
  symbolize::Frame frame(const Node& node) const;
  Lock lock(const Node& node) const;
  void small_print();

  std::uint32_t thread_index(const Node& node) const { return node.index(threads_); }
  std::uint32_t lock_index(const Node& node) const { return node.index(locks_); }

  const Node& all_;
  std::size_t threads_ = 0;
  std::size_t locks_ = 0;
  std::size_t modules_ = 0;
  Report report_;
};

Report Reader::read() {
  if (all_.at("schema").text() != kReportSchema) {
    throw Problem{"its schema is " + printable(all_.at("schema").text().substr(0, 60)) +
                  ", and this version of impasse reads " + std::string(kReportSchema)};
  }
  threads_ = all_.at("threads").size();
  locks_ = all_.at("locks").size();
  modules_ = all_.at("modules").size();

  const Node process = all_.at("process");
  report_.process.pid = process.at("pid").number<std::uint32_t>();
  report_.process.program = process.at("program").text();
  report_.process.executable = process.at("executable").text();
  report_.process.host = process.at("host").text();
  report_.process.version = process.at("version").text();
  report_.process.started_ns = process.at("started_ns").number<std::uint64_t>();
  const Node moment = all_.at("moment");
  report_.moment.monotonic_ns = moment.at("monotonic_ns").number<std::uint64_t>();
  report_.moment.wall_ns = moment.at("wall_ns").number<std::uint64_t>();

  finding(all_.at("finding"));
  all_.at("threads").each([this](const Node& n) { report_.threads.push_back(thread(n)); });
  report_.threads_not_looked_at = all_.at("threads_not_looked_at").number<std::uint64_t>();
  all_.at("locks").each([this](const Node& n) { report_.locks.push_back(lock(n)); });
  small_print();
  return std::move(report_);
}

void Reader::finding(const Node& node) {
  Finding& finding = report_.finding;
  finding.kind = node.at("kind").word(kFindingWords);
  if (!node.at("misuse").is_null()) finding.misuse = node.at("misuse").word(kMisuseWords);
  finding.number = node.at("number").number<std::uint32_t>();
  finding.update = node.at("update").number<std::uint32_t>();
  finding.fingerprint = node.at("fingerprint").text();
  finding.certain = node.at("certain").boolean();
  finding.found_ns = node.at("found_ns").number<std::uint64_t>();
  finding.cycle = links(node.at("cycle"));
  finding.crowd = links(node.at("crowd"));
  finding.root = thread_index(node.at("root"));
  finding.root_lock = lock_index(node.at("root_lock"));
  if (!node.at("changed_hands").is_null()) {
    finding.changed_hands = node.at("changed_hands").number<std::uint64_t>();
  }
  finding.threshold_ns = node.at("threshold_ns").number<std::uint64_t>();
}

std::vector<Link> Reader::links(const Node& list) const {
  std::vector<Link> links;
  list.each([&](const Node& node) {
    Link link;
    link.waiter = thread_index(node.at("waiter"));
    link.blocker = thread_index(node.at("blocker"));
    link.lock = lock_index(node.at("lock"));
    link.reason = node.at("reason").word(kReasonWords);
    links.push_back(link);
  });
  return links;
}

Thread Reader::thread(const Node& node) const {
  Thread thread;
  thread.tid = node.at("tid").number<std::uint32_t>();
  thread.name = node.at("name").text();
  thread.involved = node.at("involved").boolean();
  thread.ours = node.at("ours").boolean();
  thread.activity = activity(node);
  if (!node.at("wait").is_null()) thread.wait = wait(node.at("wait"));
  thread.stack = stack(node.at("stack"));
  node.at("holds").each(
      [&](const Node& n) { thread.holds.push_back(hold(n, thread.stack.frames.size())); });
  thread.started_ns = node.at("started_ns").number<std::uint64_t>();
  thread.ended_ns = node.at("ended_ns").number<std::uint64_t>();
  if (!node.at("entry").is_null()) thread.entry = frame(node.at("entry"));
  return thread;
}

system::Activity Reader::activity(const Node& thread) const {
  system::Activity activity;
  activity.kind = thread.at("state").word(kStateWords);
  const Node node = thread.at("activity");
  const std::string letter = node.at("letter").text();
  if (letter.size() > 1) node.at("letter").wrong("is more than a letter");
  if (!letter.empty()) activity.state = letter.front();
  if (!node.at("number").is_null()) activity.number = node.at("number").number<long>();
  activity.call = node.at("call").text();
  activity.detail = node.at("detail").text();
  activity.kernel_function = node.at("kernel_function").text();
  activity.uninterruptible = node.at("uninterruptible").boolean();
  activity.since_ns = node.at("since_ns").number<std::uint64_t>();
  activity.trouble = node.at("trouble").text();
  return activity;
}

Wait Reader::wait(const Node& node) const {
  Wait wait;
  wait.kind = node.at("kind").word(kWaitWords);
  wait.object = node.at("object").address();
  wait.lock = lock_index(node.at("lock"));
  wait.mutex = lock_index(node.at("mutex"));
  wait.thread = thread_index(node.at("thread"));
  wait.since_ns = node.at("since_ns").number<std::uint64_t>();
  wait.since_about = node.at("since_about").boolean();
  wait.timed = node.at("timed").boolean();
  wait.in_signal_handler = node.at("in_signal_handler").boolean();
  wait.site = frame(node.at("site"));
  return wait;
}

Hold Reader::hold(const Node& node, std::size_t frames) const {
  Hold hold;
  hold.lock = lock_index(node.at("lock"));
  const std::string mode = node.at("mode").text();
  if (mode != "shared" && mode != "exclusive") node.at("mode").wrong("is no mode");
  hold.shared = mode == "shared";
  hold.tried = node.at("tried").boolean();
  hold.timed = node.at("timed").boolean();
  hold.levels = node.at("levels").number<std::uint64_t>();
  hold.phase = node.at("phase").word(kPhaseWords);
  hold.since_ns = node.at("since_ns").number<std::uint64_t>();
  hold.site = frame(node.at("site"));
  hold.frame = node.at("frame").index(frames);
  return hold;
}

symbolize::Stack Reader::stack(const Node& node) const {
  symbolize::Stack stack;
  stack.whole = node.at("whole").boolean();
  stack.trouble = node.at("trouble").text();
  stack.left_out = node.at("left_out").number<std::uint64_t>();
  stack.left_out_after = node.at("left_out_after").number<std::size_t>();
  node.at("frames").each([&](const Node& n) { stack.frames.push_back(frame(n)); });
  return stack;
}

symbolize::Frame Reader::frame(const Node& node) const {
  symbolize::Frame frame;
  frame.pc = node.at("pc").address();
  (void)node.at("module").index(modules_);
  if (!node.at("offset").is_null()) (void)node.at("offset").address();
  frame.stack_pointer = node.at("sp").address();
  frame.grade = node.at("grade").word(kGradeWords);
  frame.returns_here = node.at("returns_here").boolean();
  frame.signal = node.at("signal").boolean();
  frame.function_offset = node.at("function_offset").number<std::uint64_t>();
  node.at("sources").each([&](const Node& n) {
    symbolize::Source source;
    source.function = n.at("function").text();
    source.file = n.at("file").text();
    source.line = n.at("line").number<std::uint32_t>();
    frame.sources.push_back(std::move(source));
  });
  return frame;
}

Lock Reader::lock(const Node& node) const {
  Lock lock;
  lock.address = node.at("address").address();
  lock.kind = node.at("kind").word(kLockWords);
  lock.variety = node.at("variety").text();
  lock.name = node.at("name").text();
  lock.memory = node.at("memory").word(kMemoryWords);
  lock.stack_of = thread_index(node.at("stack_of"));
  lock.module = node.at("module").index(modules_);
  lock.contended = node.at("contended").number<std::uint64_t>();
  lock.waited_ns = node.at("waited_ns").number<std::uint64_t>();
  lock.owner_word = node.at("owner_word").number<std::uint32_t>();
  return lock;
}

void Reader::small_print() {
  all_.at("modules").each([this](const Node& n) {
    Module module;
    module.path = n.at("path").text();
    module.base = n.at("base").address();
    module.end = n.at("end").address();
    module.build_id = n.at("build_id").text();
    module.deleted = n.at("deleted").boolean();
    report_.modules.push_back(std::move(module));
  });
  all_.at("options").each([this](const Node& n) {
    report_.options.emplace_back(n.at("name").text(), n.at("value").text());
  });
  all_.at("dropped").each([this](const Node& n) {
    report_.dropped.emplace_back(n.at("what").text(), n.at("count").number<std::uint64_t>());
  });
  report_.named = all_.at("names").at("looked_up").boolean();
  report_.names_trouble = all_.at("names").at("trouble").text();
  all_.at("notes").each([this](const Node& n) { report_.notes.push_back(n.text()); });
}

}  // namespace

Report read_report(std::string_view json, std::string& problem) {
  problem.clear();
  const Json parsed = Json::parse(json.begin(), json.end(), nullptr, false);
  if (parsed.is_discarded()) {
    problem = "it is no JSON, or not all of it is there";
    return {};
  }
  try {
    return Reader(Node(parsed, "")).read();
  } catch (const Problem& found) {
    problem = found.sentence;
    return {};
  }
}

}  // namespace impasse::report
