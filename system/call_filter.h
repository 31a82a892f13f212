// A filter of system calls (seccomp) that the program lives under: services and containers have
// one. A call that it forbids may be refused, or may end the process.
//
// Promises: a call that nobody asked for is tried by a child that nobody sees (no signal tells of
// its end, wait() does not find it) before it is made here. Without a filter nothing is tried.
#pragma once

namespace impasse::system {

// Whether a filter looks at what the calling thread does.
bool filtered();

// Whether a process that makes this call goes on, whatever the call's answer. For our own thread.
bool survives(long call, unsigned long a, unsigned long b, unsigned long c);

}  // namespace impasse::system
