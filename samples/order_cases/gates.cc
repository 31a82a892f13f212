// Two orders that a third lock keeps apart, or seems to.
#include "order_cases/order_cases.h"
#include "order_cases/rwlock.h"

namespace order_cases {

std::mutex gate_mutex;
std::mutex other_gate_mutex;
Rwlock gate_lock(Preference::kDefault);
std::mutex stock_mutex;
std::mutex orders_mutex;

namespace {

template <typename Gate>
void forward_under(Gate& gate) {
  std::lock_guard lock(gate);
  takeForward(stock_mutex, orders_mutex);
}

template <typename Gate>
void backward_under(Gate& gate) {
  std::lock_guard lock(gate);
  takeBackward(orders_mutex, stock_mutex);
}

Reading gate_read(gate_lock);
Writing gate_write(gate_lock);

}  // namespace

void common_gate(Stage&) {
  in_turn(
      {{"there", [] { forward_under(gate_mutex); }}, {"back", [] { backward_under(gate_mutex); }}});
}

void write_lock_gate(Stage&) {
  in_turn(
      {{"there", [] { forward_under(gate_write); }}, {"back", [] { backward_under(gate_write); }}});
}

void write_gate_read_gate(Stage&) {
  in_turn(
      {{"there", [] { forward_under(gate_write); }}, {"back", [] { backward_under(gate_read); }}});
}

void read_gate(Stage&) {
  in_turn(
      {{"there", [] { forward_under(gate_read); }}, {"back", [] { backward_under(gate_read); }}});
}

void two_gates(Stage&) {
  in_turn({{"there", [] { forward_under(gate_mutex); }},
           {"back", [] { backward_under(other_gate_mutex); }}});
}

[[gnu::noinline]] void enterForward() {
  std::unique_lock gate(gate_mutex);
  std::lock_guard one(stock_mutex);
  gate.unlock();
  std::lock_guard other(orders_mutex);
  ++taken_forward;
}

[[gnu::noinline]] void enterBackward() {
  std::unique_lock gate(gate_mutex);
  std::lock_guard one(orders_mutex);
  gate.unlock();
  std::lock_guard other(stock_mutex);
  --taken_backward;
}

void gate_given_back(Stage&) {
  in_turn({{"there", enterForward}, {"back", enterBackward}});
}

void gate_left_out(Stage&) {
  in_turn({{"gated", [] { forward_under(gate_mutex); }},
           {"back", [] { backward_under(gate_mutex); }},
           {"there", [] { takeForward(stock_mutex, orders_mutex); }}});
}

void gated_then_bare(Stage&) {
  in_turn({{"gated", [] { forward_under(gate_mutex); }},
           {"bare", [] { takeForward(stock_mutex, orders_mutex); }}});
}

}  // namespace order_cases
