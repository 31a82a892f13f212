// A made-up program for the tests of the lock order: threads are born, end and are joined at
// random; and a naive model of what happened before what, by the full closure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "detector/order_sight.h"

namespace impasse {

class OrderHistory {
 public:
  struct Thread {
    std::uint64_t born = 0;
    std::uint64_t handle = 0;
    bool ended = false;
    bool joined = false;
    int last_point = -1;
  };

  explicit OrderHistory(std::uint64_t seed) : random_(seed) { threads_.push_back({}); }

  LifeEvent first() {
    threads_.push_back({++moment_, 1, false, false, -1});
    point(1);
    return {LifeEvent::Kind::kBorn, 1, 0, moment_, 1};
  }
  LifeEvent birth(ThreadNumber maker) {
    const auto thread = static_cast<ThreadNumber>(threads_.size());
    std::uint64_t handle = 0;
    if (free_handles_.empty()) {
      handle = 100 + thread;
    } else {
      handle = free_handles_.back();
      free_handles_.pop_back();
    }
    threads_.push_back({++moment_, handle, false, false, -1});
    const int made = point(maker);
    point(thread);
    link(made, threads_[thread].last_point);
    return {LifeEvent::Kind::kBorn, thread, maker, moment_, handle};
  }
  LifeEvent end(ThreadNumber thread) {
    threads_[thread].ended = true;
    return {LifeEvent::Kind::kEnded, thread, 0, ++moment_, 0};
  }
  // The thread has ended; by its handle alone every other time.
  LifeEvent join(ThreadNumber thread, ThreadNumber joiner) {
    Thread& gone = threads_[thread];
    gone.ended = gone.joined = true;
    ++moment_;
    const int joined = point(joiner);
    link(gone.last_point, joined);
    free_handles_.push_back(gone.handle);
    const bool by_handle = random_() % 2 == 0;
    return {LifeEvent::Kind::kJoined, by_handle ? 0 : thread, joiner, moment_, gone.handle};
  }
  // Something that the thread does: its point, for before().
  int act(ThreadNumber thread) {
    ++moment_;
    return point(thread);
  }
  // Any of the above that is possible, at random.
  LifeEvent happen() {
    const ThreadNumber one = alive();
    switch (random_() % 4) {
      case 0: {
        const ThreadNumber other = any_unjoined();
        if (other != 0 && other != one && other != 1) return join(other, one);
        break;
      }
      case 1:
        if (one != 1 && alive_count() > 2) return end(one);
        break;
      default:
        break;
    }
    return birth(one);
  }

  bool before(int a, int b) const {
    return a <= b && reach_[static_cast<std::size_t>(b)][static_cast<std::size_t>(a)];
  }
  ThreadNumber thread_of(int p) const { return points_[static_cast<std::size_t>(p)].thread; }
  std::uint64_t moment_of(int p) const { return points_[static_cast<std::size_t>(p)].moment; }
  std::uint64_t moment() const { return moment_; }
  const std::vector<Thread>& threads() const { return threads_; }

  ThreadNumber alive() {
    while (true) {
      const auto thread = static_cast<ThreadNumber>(1 + random_() % (threads_.size() - 1));
      if (!threads_[thread].ended) return thread;
    }
  }
  std::size_t alive_count() const {
    std::size_t n = 0;
    for (std::size_t i = 1; i < threads_.size(); ++i) n += threads_[i].ended ? 0 : 1;
    return n;
  }

 private:
  struct Point {
    ThreadNumber thread;
    std::uint64_t moment;
  };

  ThreadNumber any_unjoined() {
    for (int tries = 0; tries < 8; ++tries) {
      const auto thread = static_cast<ThreadNumber>(1 + random_() % (threads_.size() - 1));
      if (!threads_[thread].joined) return thread;
    }
    return 0;
  }
  // reach_[b] has every point that b comes after, itself included.
  int point(ThreadNumber thread) {
    const auto number = static_cast<int>(points_.size());
    points_.push_back({thread, moment_});
    std::vector<bool> past(points_.size(), false);
    past.back() = true;
    reach_.push_back(past);
    if (threads_[thread].last_point >= 0) link(threads_[thread].last_point, number);
    threads_[thread].last_point = number;
    return number;
  }
  void link(int a, int b) {
    const auto& from = reach_[static_cast<std::size_t>(a)];
    auto& to = reach_[static_cast<std::size_t>(b)];
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i]) to[i] = true;
    }
  }

  std::mt19937_64 random_;
  std::vector<Thread> threads_;
  std::vector<Point> points_;
  std::vector<std::vector<bool>> reach_;
  std::vector<std::uint64_t> free_handles_;
  std::uint64_t moment_ = 0;
};

}  // namespace impasse
