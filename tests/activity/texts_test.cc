// The kernel's texts, and texts that the kernel never writes.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cstring>
#include <random>

#include "system/call_words.h"
#include "system/sockets.h"
#include "system/span.h"
#include "system/system_calls.h"
#include "system/tasks.h"

namespace impasse::system {
namespace {

TEST(CallText, Running) {
  EXPECT_EQ(parse_call("running\n").form, CallForm::kRunning);
  EXPECT_EQ(parse_call("running").form, CallForm::kRunning);
}

TEST(CallText, InACall) {
  const CallLook look = parse_call(
      "232 0x5 0x7ffe10 0x40 0xffffffff 0x0 0xffffffffffffffff 0x7ffc68d126e8 0x7f29e38a22ad\n");
  EXPECT_EQ(look.form, CallForm::kCall);
  EXPECT_EQ(look.number, 232);
  EXPECT_EQ(look.arguments[0], 5U);
  EXPECT_EQ(look.arguments[5], ~std::uint64_t{0});
  EXPECT_EQ(look.sp, 0x7ffc68d126e8U);
  EXPECT_EQ(look.pc, 0x7f29e38a22adU);
}

TEST(CallText, OutsideOfCalls) {
  const CallLook look = parse_call("-1 0x7ffc68d126e8 0x7f29e38a22ad\n");
  EXPECT_EQ(look.form, CallForm::kOutside);
  EXPECT_EQ(look.number, -1);
  EXPECT_EQ(look.sp, 0x7ffc68d126e8U);
  EXPECT_EQ(look.pc, 0x7f29e38a22adU);
}

TEST(CallText, Senseless) {
  for (const char* const text :
       {"", "\n", "runnin", "running 3", "-1", "-1 0x1", "-1 0x1 0x2 0x3", "-2 0x1 0x2", "0 0x1",
        "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7", "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9", "x 0x1 0x2",
        "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x1ffffffffffffffff", "99999999999999999999 0x1 0x2",
        "0 0x 0x2 0x3 0x4 0x5 0x6 0x7 0x8"}) {
    EXPECT_EQ(parse_call(text), CallLook{}) << text;
  }
}

TEST(StatText, NamesMayHoldAnything) {
  TaskLook look;
  ASSERT_TRUE(parse_stat("7 (a) S 1 2", look));
  EXPECT_STREQ(look.name.data(), "a");
  EXPECT_EQ(look.state, 'S');
  ASSERT_TRUE(parse_stat("7 (a) R (b) R\n) D 1 2", look));
  EXPECT_STREQ(look.name.data(), "a) R (b) R\n");
  EXPECT_EQ(look.state, 'D');
  ASSERT_TRUE(parse_stat("7 () t 1", look));
  EXPECT_STREQ(look.name.data(), "");
  EXPECT_EQ(look.state, 't');
  ASSERT_TRUE(parse_stat("7 (" + std::string(500, 'x') + ") S 1", look));
  EXPECT_EQ(std::strlen(look.name.data()), look.name.size() - 1);
}

TEST(StatText, Senseless) {
  for (const char* const text : {"", "7", "7 (", "7 )", "7 )(", "7 (a)", "7 (a) ", "7 (a)S 1"}) {
    TaskLook look;
    EXPECT_FALSE(parse_stat(text, look)) << text;
    EXPECT_EQ(look.state, '\0');
  }
}

TEST(StatusText, Fields) {
  TaskLook look;
  parse_status(
      "Name:\tvoluntary_ctxt_switches: 9\nSigBlk:\t0000000000010000\nSeccomp:\t2\n"
      "voluntary_ctxt_switches:\t17\nnonvoluntary_ctxt_switches:\t4\n",
      look);
  EXPECT_TRUE(look.switches_known);
  EXPECT_EQ(look.voluntary_switches, 17U);
  EXPECT_EQ(look.involuntary_switches, 4U);
  EXPECT_TRUE(look.signals_known);
  EXPECT_EQ(look.blocked_signals, 0x10000U);
  EXPECT_TRUE(look.filtered);
}

TEST(StatusText, FieldsMissing) {
  TaskLook look;
  parse_status("SigBlk:\tx\nSeccomp:\t0\nvoluntary_ctxt_switches:\t17", look);
  EXPECT_FALSE(look.switches_known);
  EXPECT_FALSE(look.signals_known);
  EXPECT_FALSE(look.filtered);
}

TEST(Moving, OnlyAKnownEqualSleepIsStandingStill) {
  TaskLook look;
  look.call = parse_call("-1 0x1 0x2");
  EXPECT_FALSE(has_not_moved(look, look)) << "the switches are not known";
  look.switches_known = true;
  EXPECT_TRUE(has_not_moved(look, look));
  TaskLook other = look;
  other.voluntary_switches = 1;
  EXPECT_FALSE(has_not_moved(look, other));
  other = look;
  other.call.pc = 3;
  EXPECT_FALSE(has_not_moved(look, other));
  look.call = parse_call("running");
  EXPECT_FALSE(has_not_moved(look, look));
}

TEST(RandomTexts, AreSurvived) {
  std::mt19937 random(4711);
  const std::string alphabet = "0123456789abcdefx -():[]\n\trunigSBVolty_cxRD{}/@";
  for (int i = 0; i < 200'000; ++i) {
    std::string text(random() % 90, '\0');
    for (char& c : text) {
      c = i % 4 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    }
    TaskLook look;
    parse_call(text);
    parse_stat(text, look);
    parse_status(text, look);
    for (const char* const table : {"tcp", "tcp6", "udp", "unix", "netlink", "packet"}) {
      socket_words(table, text);
    }
    address_words(text.data(), text.size());
  }
}

TEST(SocketText, Tcp) {
  const auto tcp = [](const std::string& ends) {
    return socket_words("tcp", "   0: " + ends + " 00000000:00000000 00:00000000 00000000  0 0 46");
  };
  EXPECT_EQ(tcp("0100007F:C948 0100007F:24E7 01"), "tcp 127.0.0.1:51528 → 127.0.0.1:9447");
  EXPECT_EQ(tcp("00000000:0050 00000000:0000 0A"), "tcp listening on 0.0.0.0:80");
  EXPECT_EQ(tcp("0100007F:C948 0100007F:24E7 02"),
            "tcp connecting 127.0.0.1:51528 → 127.0.0.1:9447");
  EXPECT_EQ(tcp("0100007F:C948 0100007F:24E7 08"),
            "tcp 127.0.0.1:51528 → 127.0.0.1:9447 (the peer has closed it)");
  EXPECT_EQ(tcp("0100007F:C948 00000000:0000 07"), "tcp 127.0.0.1:51528 (not connected)");
  EXPECT_EQ(tcp("nonsense 0100007F:24E7 01"), "tcp");
}

TEST(SocketText, Tcp6) {
  EXPECT_EQ(socket_words("tcp6",
                         "0: 00000000000000000000000001000000:0050 "
                         "00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 46"),
            "tcp6 listening on [::1]:80");
}

TEST(SocketText, Unix) {
  const auto words = [](const std::string& rest) {
    return socket_words("unix", "00000000e3e5e2a7: 00000003 00000000 " + rest);
  };
  EXPECT_EQ(words("00000000 0001 03    43 /run/my sock"), "unix /run/my sock");
  EXPECT_EQ(words("00000000 0001 03    43"), "unix (unnamed)");
  EXPECT_EQ(words("00010000 0001 01 43 @abstract"), "unix listening on @abstract");
}

TEST(Addresses, InWords) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(80);
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(address_words(&four, sizeof four), "127.0.0.1:80");
  EXPECT_EQ(address_words(&four, 4), "an address of family 2");
  EXPECT_EQ(address_words(&four, 1), "");
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(80);
  six.sin6_addr = in6addr_loopback;
  EXPECT_EQ(address_words(&six, sizeof six), "[::1]:80");
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::strcpy(local.sun_path, "/run/x");
  EXPECT_EQ(address_words(&local, sizeof local), "unix /run/x");
  EXPECT_EQ(address_words(&local, 2), "unix (unnamed)");
  std::memcpy(local.sun_path, "\0name", 5);
  EXPECT_EQ(address_words(&local, 2 + 5), "unix @name");
}

TEST(Spans, InWords) {
  EXPECT_EQ(span_text(0), "0ms");
  EXPECT_EQ(span_text(400'000), "0.4ms");
  EXPECT_EQ(span_text(250'999'999), "250ms");
  EXPECT_EQ(span_text(2'000'000'000), "2s");
  EXPECT_EQ(span_text(2'599'999'999), "2.5s");
  EXPECT_EQ(span_text(312'000'000'000), "5m 12s");
  EXPECT_EQ(span_text(60'000'000'000), "1m");
  EXPECT_EQ(span_text(~std::uint64_t{0}), "213503d 23h");
  EXPECT_EQ(span_text(2'000'000'000, Digits::kAsMeasured), "2.0s");
  EXPECT_EQ(span_text(60'000'000'000, Digits::kAsMeasured), "1m 0s");
  std::uint64_t ns = 0;
  EXPECT_FALSE(span_of({-1, 0}, ns));
  EXPECT_FALSE(span_of({0, 1'000'000'000}, ns));
  ASSERT_TRUE(span_of({std::numeric_limits<time_t>::max(), 0}, ns));
  EXPECT_EQ(ns, ~std::uint64_t{0});
}

TEST(SystemCalls, Names) {
  EXPECT_EQ(system_call_name(SYS_futex), "futex");
  EXPECT_EQ(system_call_name(0), "read");
  EXPECT_EQ(system_call_name(-1), "system call -1");
  EXPECT_EQ(system_call_name(400), "system call 400");
  EXPECT_EQ(system_call_name(1'000'000), "system call 1000000");
}

// A slip in the table would move all that follow.
TEST(SystemCalls, NumbersAreThoseOfTheSystem) {
#define EXPECT_NAME(name) EXPECT_EQ(system_call_name(SYS_##name), #name)
  EXPECT_NAME(poll);
  EXPECT_NAME(rt_sigsuspend);
  EXPECT_NAME(wait4);
  EXPECT_NAME(flock);
  EXPECT_NAME(semtimedop);
  EXPECT_NAME(clock_nanosleep);
  EXPECT_NAME(epoll_wait);
  EXPECT_NAME(waitid);
  EXPECT_NAME(openat);
  EXPECT_NAME(pselect6);
  EXPECT_NAME(accept4);
  EXPECT_NAME(recvmmsg);
  EXPECT_NAME(statx);
  EXPECT_NAME(rseq);
  EXPECT_NAME(io_uring_enter);
  EXPECT_NAME(clone3);
  EXPECT_NAME(epoll_pwait2);
  EXPECT_NAME(futex_waitv);
#undef EXPECT_NAME
}

TEST(SystemCalls, WordsAreKnown) {
  for (long number = 0; number < 500; ++number) {
    EXPECT_TRUE(words_known(system_call_words(number))) << system_call_name(number);
  }
  EXPECT_FALSE(words_known("{fd}"));
  EXPECT_FALSE(words_known("{fd6}"));
  EXPECT_FALSE(words_known("{nothing0}"));
  EXPECT_FALSE(words_known("}"));
}

// Arguments are whatever a register held.
TEST(SystemCalls, SenselessArgumentsAreSurvived) {
  const ProcFiles process;
  const Memory memory;
  Descriptors descriptors(process);
  const auto tid = static_cast<std::uint32_t>(getpid());
  std::mt19937_64 random(11);
  const auto value = [&]() -> std::uint64_t {
    switch (random() % 5) {
      case 0:
        return 0;
      case 1:
        return random() % 4096;
      case 2:
        return reinterpret_cast<std::uint64_t>(&memory) + random() % 64;
      case 3:
        return ~std::uint64_t{0} - random() % 3;
      default:
        return random();
    }
  };
  for (int i = 0; i < 6; ++i) {
    for (long number = 0; number < 480; ++number) {
      std::array<std::uint64_t, 6> arguments{};
      for (std::uint64_t& argument : arguments) argument = value();
      const std::string words =
          call_words(system_call_words(number), arguments, {process, tid, memory, descriptors});
      EXPECT_LT(words.size(), 8192U);
    }
  }
}

}  // namespace
}  // namespace impasse::system
