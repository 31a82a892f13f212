#include "report/report_reader.h"

#include <array>
#include <optional>
#include <set>
#include <utility>

#include "report/json_node.h"
#include "report/report_json.h"
#include "report/report_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

// Every reference to a place copies its names, and a small file can have many of both.
constexpr std::size_t kMostNameBytes = std::size_t{512} << 20;
constexpr std::size_t kLongestForeignWord = 40;
constexpr std::size_t kMostForeignWords = 8;  // named

std::size_t bytes_of(const symbolize::Frame& frame) {
  std::size_t bytes = 0;
  for (const symbolize::Source& source : frame.sources) {
    bytes += sizeof source + source.function.size() + source.file.size();
  }
  return bytes;
}

class Reader {
 public:
  explicit Reader(const Node& all) : all_(all) {}

  Report read();

 private:
  void finding(const Node& node);
  std::vector<Link> links(const Node& list);
  Order order(const Node& node);
  Thread thread(const Node& node);
  system::Activity activity(const Node& thread);
  Wait wait(const Node& node);
  Hold hold(const Node& node, std::size_t frames);
  static symbolize::Frame place(const Node& node, std::size_t modules);
  symbolize::Stack stack(const Node& node);
  symbolize::Frame site(const Node& node);  // a reference to a place
  symbolize::StackId stack_id(const Node& node) const;
  Lock lock(const Node& node);
  Signaller signaller(const Node& node);
  std::optional<CallTally> call(const Node& node);  // nothing: of a call that is not known
  void small_print();
  void note_foreign_words();

  // A word that a later version has added stands for something else.
  template <typename Value, std::size_t n>
  Value word(const Node& node, const std::array<Word<Value>, n>& table, Value something_else) {
    const std::string text = node.text();
    const auto value = value_of(table, text);
    if (!value) foreign_word(text);
    return value.value_or(something_else);
  }
  template <typename Value, std::size_t n>
  Value word(const Node& node, const std::array<Word<Value>, n>& table) {
    return word(node, table, table[0].value);
  }
  void foreign_word(const std::string& text) {
    if (foreign_words_.size() > kMostForeignWords) return;
    foreign_words_.insert(printable(text.substr(0, kLongestForeignWord)));
  }

  std::uint32_t thread_index(const Node& node) const { return node.index(threads_); }
  std::uint32_t lock_index(const Node& node) const { return node.index(locks_); }

  const Node& all_;
  std::size_t threads_ = 0;
  std::size_t locks_ = 0;
  std::size_t modules_ = 0;
  std::vector<symbolize::Frame> places_;
  std::vector<symbolize::StackId> stacks_;
  std::size_t name_bytes_ = 0;
  std::set<std::string> foreign_words_;
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

  all_.at("places").each([this](const Node& n) { places_.push_back(place(n, modules_)); });
  all_.at("stacks").each(
      [this](const Node& n) { stacks_.push_back(report_.stacks.keep(stack(n))); });
  finding(all_.at("finding"));
  all_.at("threads").each([this](const Node& n) { report_.threads.push_back(thread(n)); });
  report_.threads_not_looked_at = all_.at("threads_not_looked_at").number<std::uint64_t>();
  all_.at("locks").each([this](const Node& n) { report_.locks.push_back(lock(n)); });
  all_.at("calls").each([this](const Node& n) {
    if (auto tally = call(n)) report_.calls.push_back(std::move(*tally));
  });
  small_print();
  note_foreign_words();
  return std::move(report_);
}

void Reader::finding(const Node& node) {
  Finding& finding = report_.finding;
  const std::string kind = node.at("kind").text();
  const auto known = value_of(kFindingWords, kind);
  if (!known) finding.foreign_kind = kind;
  finding.kind = known.value_or(FindingKind::kDump);
  if (!node.at("misuse").is_null()) finding.misuse = word(node.at("misuse"), kMisuseWords);
  finding.call = site(node.at("call"));
  finding.call_shared = word(node.at("call_mode"), kModeWords);
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
  finding.doubt = word(node.at("doubt"), kDoubtWords);
  node.at("orders").each([&](const Node& n) { finding.orders.push_back(order(n)); });
}

Order Reader::order(const Node& node) {
  Order order;
  order.from = lock_index(node.at("from"));
  order.to = lock_index(node.at("to"));
  order.from_shared = word(node.at("from_mode"), kModeWords);
  order.to_shared = word(node.at("to_mode"), kModeWords);
  order.to_timed = node.at("to_timed").boolean();
  order.again = node.at("again").boolean();
  order.tid = node.at("tid").number<std::uint32_t>();
  order.thread_name = node.at("thread_name").text();
  order.thread = thread_index(node.at("thread"));
  order.from_site = site(node.at("from_site"));
  order.to_site = site(node.at("to_site"));
  order.stack = stack_id(node.at("stack"));
  order.from_frame = node.at("from_frame").index(report_.stack_of(order).frames.size());
  node.at("others").each([&](const Node& n) {
    Order::Held held;
    held.lock = lock_index(n.at("lock"));
    held.shared = word(n.at("mode"), kModeWords);
    held.site = site(n.at("site"));
    order.others.push_back(std::move(held));
  });
  order.seen = node.at("seen").number<std::uint64_t>();
  order.threads = node.at("threads").number<std::uint64_t>();
  order.first_ns = node.at("first_ns").number<std::uint64_t>();
  order.last_ns = node.at("last_ns").number<std::uint64_t>();
  return order;
}

std::vector<Link> Reader::links(const Node& list) {
  std::vector<Link> links;
  list.each([&](const Node& node) {
    Link link;
    link.waiter = thread_index(node.at("waiter"));
    link.blocker = thread_index(node.at("blocker"));
    link.lock = lock_index(node.at("lock"));
    link.reason = word(node.at("reason"), kReasonWords);
    links.push_back(link);
  });
  return links;
}

Thread Reader::thread(const Node& node) {
  Thread thread;
  thread.tid = node.at("tid").number<std::uint32_t>();
  thread.name = node.at("name").text();
  thread.involved = node.at("involved").boolean();
  thread.ours = node.at("ours").boolean();
  thread.activity = activity(node);
  if (!node.at("wait").is_null()) thread.wait = wait(node.at("wait"));
  thread.stack = stack_id(node.at("stack"));
  const std::size_t frames = report_.stack_of(thread).frames.size();
  node.at("holds").each([&](const Node& n) { thread.holds.push_back(hold(n, frames)); });
  thread.started_ns = node.at("started_ns").number<std::uint64_t>();
  thread.ended_ns = node.at("ended_ns").number<std::uint64_t>();
  thread.entry = site(node.at("entry"));
  return thread;
}

system::Activity Reader::activity(const Node& thread) {
  system::Activity activity;
  activity.kind = word(thread.at("state"), kStateWords);
  const Node node = thread.at("activity");
  if (node.is_null()) return activity;
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

Wait Reader::wait(const Node& node) {
  Wait wait;
  wait.kind = word(node.at("kind"), kWaitWords);
  wait.object = node.at("object").address();
  wait.lock = lock_index(node.at("lock"));
  wait.mutex = lock_index(node.at("mutex"));
  wait.thread = thread_index(node.at("thread"));
  wait.since_ns = node.at("since_ns").number<std::uint64_t>();
  wait.since_about = node.at("since_about").boolean();
  wait.timed = node.at("timed").boolean();
  wait.in_signal_handler = node.at("in_signal_handler").boolean();
  wait.site = site(node.at("site"));
  return wait;
}

Hold Reader::hold(const Node& node, std::size_t frames) {
  Hold hold;
  hold.lock = lock_index(node.at("lock"));
  hold.shared = word(node.at("mode"), kModeWords);
  hold.tried = node.at("tried").boolean();
  hold.timed = node.at("timed").boolean();
  hold.levels = node.at("levels").number<std::uint64_t>();
  hold.phase = word(node.at("phase"), kPhaseWords);
  hold.since_ns = node.at("since_ns").number<std::uint64_t>();
  hold.site = site(node.at("site"));
  hold.frame = node.at("frame").index(frames);
  return hold;
}

symbolize::StackId Reader::stack_id(const Node& node) const {
  const std::uint32_t row = node.index(stacks_.size());
  return row == kNobody ? symbolize::kNoStack : stacks_[row];
}

symbolize::Stack Reader::stack(const Node& node) {
  symbolize::Stack stack;
  stack.whole = node.at("whole").boolean();
  stack.trouble = node.at("trouble").text();
  stack.left_out = node.at("left_out").number<std::uint64_t>();
  stack.left_out_after = node.at("left_out_after").number<std::size_t>();
  node.at("frames").each([&](const Node& n) {
    if (n.at("place").is_null()) n.at("place").wrong("is no place");
    symbolize::Frame frame = site(n.at("place"));
    frame.grade = word(n.at("grade"), kGradeWords, symbolize::Grade::kGuessed);
    frame.signal = n.at("signal").boolean();
    stack.frames.push_back(std::move(frame));
  });
  return stack;
}

symbolize::Frame Reader::site(const Node& node) {
  const std::uint32_t row = node.index(places_.size());
  if (row == kNobody) return {};
  name_bytes_ += bytes_of(places_[row]);
  if (name_bytes_ > kMostNameBytes) node.wrong("is one place too many: their names are too long");
  return places_[row];
}

symbolize::Frame Reader::place(const Node& node, std::size_t modules) {
  symbolize::Frame frame;
  frame.pc = node.at("pc").address();
  (void)node.at("module").index(modules);
  if (!node.at("offset").is_null()) (void)node.at("offset").address();
  frame.returns_here = node.at("returns_here").boolean();
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

Lock Reader::lock(const Node& node) {
  Lock lock;
  lock.address = node.at("address").address();
  lock.kind = word(node.at("kind"), kLockWords);
  lock.variety = node.at("variety").text();
  lock.name = node.at("name").text();
  lock.memory = word(node.at("memory"), kMemoryWords);
  lock.stack_of = thread_index(node.at("stack_of"));
  lock.module = node.at("module").index(modules_);
  lock.contended = node.at("contended").number<std::uint64_t>();
  lock.waited_ns = node.at("waited_ns").number<std::uint64_t>();
  lock.owner_word = node.at("owner_word").number<std::uint32_t>();
  node.at("signallers").each([&](const Node& n) { lock.signallers.push_back(signaller(n)); });
  lock.signallers_ended = node.at("signallers_ended").boolean();
  lock.signallers_maker = thread_index(node.at("signallers_maker"));
  return lock;
}

Signaller Reader::signaller(const Node& node) {
  Signaller signaller;
  signaller.thread = thread_index(node.at("thread"));
  signaller.tid = node.at("tid").number<std::uint32_t>();
  signaller.name = node.at("name").text();
  signaller.how = word(node.at("how"), kSignalWords);
  signaller.site = site(node.at("site"));
  signaller.count = node.at("count").number<std::uint64_t>();
  signaller.last_ns = node.at("last_ns").number<std::uint64_t>();
  return signaller;
}

std::optional<CallTally> Reader::call(const Node& node) {
  CallTally call;
  call.lock = lock_index(node.at("lock"));
  const std::string name = node.at("call").text();
  const std::size_t known = blocking_call_named(name);
  if (known == kBlockingCalls) {
    foreign_word(name);
    return std::nullopt;
  }
  call.call = static_cast<BlockingCall>(known);
  call.site = site(node.at("site"));
  call.held_site = site(node.at("held_site"));
  call.count = node.at("count").number<std::uint64_t>();
  call.sum_ns = node.at("sum_ns").number<std::uint64_t>();
  call.most_ns = node.at("most_ns").number<std::uint64_t>();
  call.last_ns = node.at("last_ns").number<std::uint64_t>();
  return call;
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

void Reader::note_foreign_words() {
  if (foreign_words_.empty()) return;
  std::string note =
      "The report has words that this version of impasse does not know; what they "
      "stand for is not shown as it was meant:";
  std::size_t named = 0;
  for (const std::string& word : foreign_words_) {
    if (++named > kMostForeignWords) {
      note += " ...";
      break;
    }
    note += " \"" + word + "\"";
  }
  report_.notes.push_back(note + ".");
}

}  // namespace

Report read_report(std::string_view json, std::string& problem) {
  problem.clear();
  try {
    const Json parsed = Json::parse(json.begin(), json.end());
    return Reader(Node(parsed, "")).read();
  } catch (const Json::out_of_range&) {
    problem = "it has a number that is too big";
    return {};
  } catch (const Json::exception&) {
    problem = "it is no JSON, or not all of it is there";
    return {};
  } catch (const Problem& found) {
    problem = found.sentence;
    return {};
  }
}

}  // namespace impasse::report
