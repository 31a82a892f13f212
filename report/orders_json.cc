#include "report/orders_json.h"

#include "report/report_words.h"

namespace impasse::report {
namespace {

void held_besides(JsonSheet& sheet, const Order::Held& held) {
  JsonWriter& out = sheet.out();
  out.begin_row();
  sheet.index("lock", held.lock);
  out.text("mode", word_of(kModeWords, held.shared));
  sheet.place("site", held.site);
  out.end_object();
}

void order(JsonSheet& sheet, const Order& order) {
  JsonWriter& out = sheet.out();
  out.begin_object();
  sheet.index("from", order.from);
  sheet.index("to", order.to);
  out.text("from_mode", word_of(kModeWords, order.from_shared));
  out.text("to_mode", word_of(kModeWords, order.to_shared));
  out.boolean("to_timed", order.to_timed);
  out.boolean("again", order.again);
  out.number("tid", order.tid);
  sheet.text("thread_name", order.thread_name);
  sheet.index("thread", order.thread);
  sheet.place("from_site", order.from_site);
  sheet.place("to_site", order.to_site);
  sheet.stack("stack", order.stack);
  sheet.index("from_frame", order.from_frame);
  out.begin_array("others");
  for (const Order::Held& held : order.others) held_besides(sheet, held);
  out.end_array();
  out.number("seen", order.seen);
  out.number("threads", order.threads);
  out.number("first_ns", order.first_ns);
  sheet.time("first", order.first_ns);
  out.number("last_ns", order.last_ns);
  sheet.time("last", order.last_ns);
  out.end_object();
}

}  // namespace

void write_orders(JsonSheet& sheet, const Finding& finding) {
  JsonWriter& out = sheet.out();
  out.text("doubt", word_of(kDoubtWords, finding.doubt));
  out.begin_array("orders");
  for (const Order& one : finding.orders) order(sheet, one);
  out.end_array();
}

}  // namespace impasse::report
