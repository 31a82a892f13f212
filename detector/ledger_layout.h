// The bytes of a ledger: what stands where in the mapping that the program's threads write and
// everybody else reads.
//
// Promises: fixed-size plain records, offsets from the start of the mapping and never pointers into
// it, a versioned header that names every region. Any change of a struct here is a change of
// kLedgerVersion. Who may write: each ThreadSlot its own thread (exceptions are named at the
// field), the rest whoever the field says.
//
// INV-HOLD-1  A hold is valid when its `lock` word is not 0; `lock` is the last word written by a
// push and the first
//             cleared by a pop.
// INV-HOLD-2  `state` = changes << 16 | depth. Two equal reads of it around a copy of the holds
// prove the copy whole,
//             unless kRearranging was set.
// INV-WAIT-1  `sequence` is odd while the thread waits. Two equal odd reads of it around a copy of
// the record prove the
//             copy whole.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "detector/stats_layout.h"
#include "detector/words.h"

namespace impasse {

inline constexpr std::uint64_t kLedgerMagic = 0x0065737361706d69;  // "impasse\0"
inline constexpr std::uint32_t kLedgerVersion = 7;
inline constexpr std::size_t kPage = 4096;
inline constexpr unsigned kInlineHolds = 64;
inline constexpr unsigned kSeenOrders = 1024;
inline constexpr unsigned kMailbox = 96;  // more than a slot has places
inline constexpr unsigned kNameBytes = 16;
inline constexpr std::uint64_t kStatMapPages = 64;

// Bits of ThreadSlot::state below the count of changes.
inline constexpr std::uint64_t kDepthMask = 0x0fff;
inline constexpr std::uint64_t kMailWaiting = 0x8000;  // another thread released a hold of this one
inline constexpr std::uint64_t kRearranging = 0x4000;  // holds are being moved
inline constexpr std::uint64_t kCounted = 0x2000;      // numbers are collected (stats=on)
inline constexpr std::uint64_t kRefuseMask =
    0xffff;  // depth and marks: any value >= kInlineHolds refuses
inline constexpr std::uint64_t kStateStep = 0x10000;  // one change

struct alignas(32) Hold {
  std::atomic<std::uint64_t> lock;   // address; 0: nothing here
  std::atomic<std::uint64_t> site;   // program counter | hold_trait << 48 | hold_phase << 56
  std::atomic<std::uint64_t> stamp;  // tick | low half of the stack pointer << 32
  std::atomic<std::uint64_t> path;   // hash of this lock and of everything held below it
};
static_assert(sizeof(Hold) == 32);

inline constexpr std::uint64_t kSiteMask = 0x0000'ffff'ffff'ffff;
inline constexpr unsigned kTraitShift = 48;
inline constexpr unsigned kPhaseShift = 56;

struct alignas(64) WaitRecord {
  std::atomic<std::uint64_t> sequence;
  std::atomic<std::uint64_t> object;   // lock, condition or pthread_t
  std::atomic<std::uint64_t> partner;  // the mutex of a condition wait
  std::atomic<std::uint64_t>
      site;  // program counter of the call | WaitKind << 48 | hold_trait << 56
  std::atomic<std::uint64_t> since_ns;  // CLOCK_MONOTONIC
  std::atomic<std::uint64_t> tick;      // the watchdog's clock then
  std::atomic<std::uint64_t> outer;     // waits that this one interrupted (a signal handler's wait)
  std::atomic<std::uint64_t> place;     // of a wait to be signalled: a wait_place(); 0: not known
  std::atomic<std::uint64_t> registers[kSavedRegisters];
};
static_assert(sizeof(WaitRecord) == 128);

// A thread signalled a condition, or posted a semaphore, from this place of the program; it alone
// writes this.
struct SignalRecord {
  std::atomic<std::uint64_t> object;      // address; 0: nothing here; kNoteBeingWritten
  std::atomic<std::uint64_t> site;        // program counter of the call | SignalKind << 48
  std::atomic<std::uint32_t> record;      // number of the object's LockRecord
  std::atomic<std::uint32_t> generation;  // of that record then; another one now: of an object
                                          // that is no more
  std::atomic<std::uint32_t> count;
  std::atomic<std::uint32_t> tick;  // of the last time
};
static_assert(sizeof(SignalRecord) == 32);
inline constexpr std::uint64_t kNoteBeingWritten = 1;
inline constexpr unsigned kInlineSignals = 16;
inline constexpr unsigned kMoreSignals = 128;
inline constexpr unsigned kTouchedPlaces = 256;

struct alignas(kPage) ThreadSlot {
  // Line 0: what an uncontended lock touches.
  std::atomic<std::uint64_t> state;
  std::atomic<std::uint32_t> tid;
  std::atomic<std::uint32_t> life;    // a ThreadLife; written by the creator, then by the thread
  std::atomic<std::uint64_t> thread;  // pthread_t
  std::atomic<std::uint64_t> deep;    // offset of the table of holds beyond kInlineHolds; 0: none
  std::atomic<std::uint64_t> deep_size;    // its places (a power of two) << 32 | places ever used
  std::atomic<std::uint64_t> deep_change;  // sequence number of that table; odd while it changes
  std::atomic<std::uint64_t> contended;    // waits for locks, so far
  std::atomic<std::uint64_t> seen_dirty;   // `seen` was written since the slot was handed out

  WaitRecord wait;

  // Holds of this thread that other threads released: address of the lock. Writers: the releasing
  // threads, by exchange from 0; the owner takes them out again. A reader takes each off the holds
  // once.
  alignas(64) std::atomic<std::uint64_t> mailbox[kMailbox];

  alignas(64) std::atomic<std::uint64_t> started_ns;  // CLOCK_MONOTONIC
  std::atomic<std::uint64_t> entry;  // the function that the thread was started with
  std::atomic<std::uint64_t> argument;
  std::atomic<std::uint32_t> creator;  // tid
  std::atomic<std::uint32_t> next_free;
  std::atomic<std::uint64_t>
      name[kNameBytes / 8];  // text, 0-terminated; written by the setname call or the watchdog
  std::atomic<std::uint32_t> name_known;
  std::atomic<std::uint32_t> number;  // a ThreadNumber; 0: not known. The creator writes these:
  std::atomic<std::uint32_t> maker;   // the creator's ThreadNumber
  // How often this thread was made to tell its orders anew: see SeenSet. Others may add to it.
  std::atomic<std::uint32_t> order_phase;
  std::atomic<std::uint64_t> born;        // moment, drawn before the thread was made
  std::atomic<std::uint64_t> stack_low;   // the thread's stack; 0: not known
  std::atomic<std::uint64_t> stack_high;  // the first address above it
  std::atomic<std::uint64_t> made_at;     // the creator's stack pointer then
  // The lowest lock on this stack that this thread has told of; 0: none.
  std::atomic<std::uint64_t> lowest_stack_lock;

  alignas(64) Hold holds[kInlineHolds];

  // Whom this thread woke: direct mapped by object and place; those that find their place taken
  // stand in `more_signals`.
  alignas(64) SignalRecord signals[kInlineSignals];
  // What a signal is recognised by that needs nothing but to be counted in `signals`: of the note
  // in the same place, as of a SignalMoment; 0: of none. Nobody but the thread reads these.
  std::atomic<std::uint64_t> signal_keys[kInlineSignals];
  std::atomic<std::uint32_t> more_signals_ready;  // memory of `more_signals` was taken into use
  std::atomic<std::uint32_t> signals_lost;  // some found no room: this thread may signal anything
  // The last wait to be signalled that ended well: the object's LockRecord << 32 | its generation
  // (0: none, or settled), a wait_place(), and `state` when the mutex was had again.
  std::atomic<std::uint64_t> woken_life;
  std::atomic<std::uint64_t> woken_place;
  std::atomic<std::uint64_t> woken_state;
  // Offset of its StatBlock; 0: none. Its thread writes it, and whoever gives the slot back.
  std::atomic<std::uint64_t> stats;

  // By touched_place(): 1 where this thread has ever taken a mutex or asked for a semaphore.
  std::atomic<std::uint8_t> touched[kTouchedPlaces];

  // Orders that this thread has seen: hashes of (everything held, new lock), direct mapped.
  alignas(kPage) std::atomic<std::uint64_t> seen[kSeenOrders];

  SignalRecord more_signals[kMoreSignals];
};
static_assert(sizeof(ThreadSlot) == 4 * kPage);
static_assert(offsetof(ThreadSlot, seen) == kPage);
inline constexpr std::size_t kSlotStride = sizeof(ThreadSlot);
// What is taken into use with a slot.
inline constexpr std::size_t kSlotBytes = offsetof(ThreadSlot, more_signals);
static_assert(kSlotBytes == 3 * kPage);

// A lock that matters: it was contended, or taken while another lock was held.
struct alignas(64) LockRecord {
  std::atomic<std::uint64_t> address;     // 0: free
  std::atomic<std::uint32_t> generation;  // lives that this record has told of; odd while one lasts
  std::atomic<std::uint32_t> traits;      // a LockKind | lock_trait
  std::atomic<std::uint64_t> first_site;  // where it first mattered
  std::atomic<std::uint64_t> contended;   // waits for it, all threads
  std::atomic<std::uint64_t> waited_ns;   // in those of them that lasted a tick or more, and ended
  std::atomic<std::uint64_t> last_holder;  // tid of the last thread that got it after such a wait
  std::atomic<std::uint32_t> next_free;
  // Of what is signalled: the ThreadNumber of who made those threads that signalled it and ended;
  // 0: none did; kSeveralMakers.
  std::atomic<std::uint32_t> gone_signallers_maker;
  // Of what is signalled: the places whose untimed waits for it have ended, by hash: a bit for each
  // call site, and one for each wait_place() whose thread then went on to something else.
  std::atomic<std::uint64_t> woken_sites;
};
inline constexpr std::uint32_t kSeveralMakers = 0xffff'ffff;
static_assert(sizeof(LockRecord) == 64);

// Bits of LockRecord::traits beside the kind.
namespace lock_trait {
inline constexpr std::uint32_t kKindMask = 0xff;
inline constexpr std::uint32_t kPrefersWriters = 0x100;  // a waiting writer keeps new readers out
inline constexpr std::uint32_t kAsked = 0x200;           // the lock was asked whether it does
}  // namespace lock_trait

// A hold whose holder is gone.
struct alignas(64) Departure {
  std::atomic<std::uint64_t> lock;  // 0: free; 1: being written
  std::atomic<std::uint64_t> site;  // as in Hold
  std::atomic<std::uint64_t> stamp;
  std::atomic<std::uint32_t> tid;
  std::atomic<std::uint32_t> reason;  // a DepartureReason
  std::atomic<std::uint64_t> when_ns;
  std::atomic<std::uint64_t> name[kNameBytes / 8];
};
static_assert(sizeof(Departure) == 64);

// A hold beyond kInlineHolds, in the thread's own open-addressed table.
struct DeepHold {
  std::atomic<std::uint64_t> lock;  // 0: never used, 1: removed
  std::atomic<std::uint64_t> site;
  std::atomic<std::uint64_t> stamp;
  std::atomic<std::uint64_t> levels;  // how often it was taken
};
static_assert(sizeof(DeepHold) == 32);

// A rule that was broken, told by the thread that broke it, with as much of its stack as a report
// needs: the thread goes on, so it has to be copied at once.
inline constexpr std::size_t kIncidentStackBytes = std::size_t{15} << 10;
struct alignas(kPage) Incident {
  std::atomic<std::uint32_t> stage;  // an IncidentStage
  std::uint32_t kind;                // a MisuseKind
  std::uint32_t lock_kind;
  std::uint32_t tid;
  std::uint32_t other;   // tid of the holder, where it is somebody else
  std::uint32_t shared;  // the lock was asked for in order to read
  std::uint64_t lock;
  std::uint64_t site;  // program counter of the call
  std::uint64_t when_ns;
  std::uint64_t held_site;   // where the holder took it: as Hold::site; 0: not known
  std::uint64_t held_stamp;  // as Hold::stamp
  std::uint64_t registers[kSavedRegisters];
  std::uint64_t stack_start;  // address of the first copied byte
  std::uint64_t stack_bytes;
  std::uint8_t stack[kIncidentStackBytes];
};
static_assert(sizeof(Incident) == 4 * kPage);

enum IncidentStage : std::uint32_t { kIncidentFree, kIncidentBeingWritten, kIncidentTold };

// A lock in a sight: the life that it is in, and how this thread came by it.
struct RawSightedLock {
  std::uint64_t address;
  std::uint32_t record;      // number of its LockRecord
  std::uint32_t generation;  // of that record then; odd
  std::uint64_t site;        // as Hold::site, with a sight_mark in place of the phase
  std::uint64_t stamp;       // as Hold::stamp
  std::uint64_t birth;       // where the lock first mattered
};
static_assert(sizeof(RawSightedLock) == 40);

namespace sight_mark {
inline constexpr std::uint64_t kPrefersWriters = 1;
inline constexpr std::uint64_t kOnStack = 2;  // of the thread that tells
}  // namespace sight_mark

// A lock was taken, or is about to be, by a thread that holds others: told by that thread, with a
// copy of its stack, since it goes on. Who holds more locks than these tells nothing: the order
// would look as if it had no gate that it may have.
inline constexpr unsigned kSightedLocks = 160;
// ... or what so many locks leave of the record.
inline constexpr std::size_t kSightStackBytes = std::size_t{12} << 10;
struct alignas(kPage) RawSight {
  std::atomic<std::uint32_t> stage;      // a SightStage
  std::atomic<std::uint32_t> next_free;  // for the list of free ones
  std::uint32_t tail_bytes;              // of its tail that memory was taken into use for
  std::uint32_t in_tail;                 // the rest stands there, and not here
  std::uint32_t thread;                  // a ThreadNumber
  std::uint32_t tid;
  std::uint32_t again;  // the mutex of a condition wait, to be taken again
  std::uint32_t held_count;
  std::uint32_t stack_bytes;
  std::uint64_t moment;
  std::uint64_t when_ns;  // CLOCK_MONOTONIC
  std::uint64_t path;     // of what is held and then `wanted`; as in Hold
  char name[kNameBytes];  // of the thread; without a 0 where it is that long
  std::uint64_t registers[kSavedRegisters];
  std::uint64_t stack_start;  // address of the first copied byte
  RawSightedLock wanted;
  // So many RawSightedLocks, oldest first, those beyond kInlineHolds in no order; then the stack.
  alignas(8) std::uint8_t rest[kPage - 192];
};
static_assert(sizeof(RawSight) == kPage);
static_assert(offsetof(RawSight, rest) == 192);

// Of the sight with the same number: for what is too long to stand with it. Apart from it, so that
// the sights lie side by side and the kernel is asked for several of them at once.
struct alignas(kPage) SightTail {
  std::uint8_t rest[4 * kPage];
};
static_assert(kSightedLocks * sizeof(RawSightedLock) < sizeof(SightTail::rest));

enum SightStage : std::uint32_t { kSightFree, kSightBeingWritten, kSightTold };

// A thread began, was waited for, ended. Which of them use a record in turn: the first has turn 0
// while it may be written and 1 when it is whole, the one after it in the same place 2 and 3, …
struct RawLife {
  std::atomic<std::uint64_t> turn;
  std::uint64_t moment;
  std::uint64_t handle;  // pthread_t
  std::uint32_t thread;  // a ThreadNumber
  std::uint32_t other;   // likewise
  std::uint64_t kind;    // a LifeEvent::Kind
  std::uint64_t stack_pointer;
  std::uint64_t reserved[2];
};
static_assert(sizeof(RawLife) == 64);

// How often, and how long, a call that may block was made from one place of the program while a
// lock was held. Shared by all threads.
struct alignas(64) CallRecord {
  std::atomic<std::uint64_t> lock;  // address; 0: several, for which there was no room
  std::atomic<std::uint64_t> site;  // program counter of the call | a BlockingCall << 48; 0: free
  std::atomic<std::uint64_t>
      held_site;  // as Hold::site: where the lock had been taken, the last time
  std::atomic<std::uint64_t> count;
  std::atomic<std::uint64_t> sum_ns;
  std::atomic<std::uint64_t> most_ns;
  std::atomic<std::uint64_t> last_ns;  // CLOCK_MONOTONIC at the end of the last one
  // Which of the lives at that address: number of its LockRecord + 1 << 32 | generation of that
  // record; 0: the lock does not matter so far.
  std::atomic<std::uint64_t> life;
};
static_assert(sizeof(CallRecord) == 64);

enum Counter : unsigned {
#define IMPASSE_COUNTER(name, text) k_##name,
#include "detector/counters.def"
#undef IMPASSE_COUNTER
  kCounters
};

struct Region {
  std::uint64_t offset;
  std::uint64_t stride;    // bytes from one element to the next
  std::uint64_t capacity;  // elements
};

enum RegionName : unsigned {
  kSlots,        // ThreadSlot, kSlotStride apart
  kTids,         // u64: tid << 32 | slot number + 1
  kLocks,        // LockRecord
  kLockIndex,    // u64 places of a LevelledSet: hash tag << 32 | record number + 1
  kKnownOrders,  // u64 places of a SeenSet: order hashes with their threads
  kDepartures,   // Departure
  kDeepHolds,    // pages for tables of DeepHold
  kIncidents,    // Incident
  kSights,       // RawSight
  kLives,        // RawLife; the capacity is a power of two
  kCalls,        // CallRecord; the capacity is a power of two
  kStatRows,     // StatRow
  kStatIndex,    // u32 places by hash: row number + 1; the capacity is a power of two
  kStatMaps,     // pages: the files that the process has mapped, as text
  kSightTails,   // SightTail, as many as there are sights
  kRegions
};

struct LedgerHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint64_t total_bytes;
  std::uint32_t pid;
  std::uint32_t regions;  // kRegions
  Region region[16];
  char program[64];             // name of the executable, 0-terminated
  char library_version[16];     // of impasse
  std::uint64_t started_ns;     // CLOCK_MONOTONIC when the ledger was made
  std::uint64_t started_wall;   // CLOCK_REALTIME then
  std::uint64_t process_start;  // of the process, in clock ticks since boot: tells it from a later
                                // one of its pid
  std::uint64_t tick_ns;        // length of a unit of the watchdog's clock

  // The watchdog writes these; one reader's look at them is as good as another.
  alignas(64) std::atomic<std::uint64_t> tick;  // time in which the watchdog got to run, in units
  std::atomic<std::uint64_t> now_ns;            // CLOCK_MONOTONIC at that tick

  // Shared by all threads, on cold paths only.
  alignas(64) std::atomic<std::uint64_t> free_slot;  // change count << 32 | slot number + 1
  std::atomic<std::uint64_t> growing;                // somebody takes more memory into use
  std::atomic<std::uint64_t> slots_used;             // slots ever handed out: numbers below this
  alignas(64) std::atomic<std::uint64_t> free_lock;
  std::atomic<std::uint64_t> locks_used;
  std::atomic<std::uint64_t> departures_used;  // places ever used
  std::atomic<std::uint64_t> incidents_used;   // likewise
  std::atomic<std::uint64_t> deep_used;        // bytes ever carved
  std::atomic<std::uint64_t> lock_index_levels;
  std::atomic<std::uint64_t> known_orders_levels;
  std::atomic<std::uint64_t> sights_used;      // places ever used
  std::atomic<std::uint64_t> lives_open;       // places whose memory was taken into use
  std::atomic<std::uint64_t> threads_counted;  // ThreadNumbers given out beyond the main thread's
  std::atomic<std::uint64_t> deep_free[32];  // per size class: change count << 32 | page number + 1
  alignas(64) std::atomic<std::uint64_t> moments;  // the last that was drawn
  alignas(64) std::atomic<std::uint64_t> free_sight;
  std::atomic<std::uint64_t> sights_taken;            // places that are not free now
  std::atomic<std::uint64_t> sights_hurried;          // our own thread was asked to come soon
  std::atomic<std::uint64_t> sights_refused;          // some found no place since it last came
  alignas(64) std::atomic<std::uint64_t> lives_told;  // places given out for writing, ever
  std::atomic<std::uint64_t> lives_heard;             // read by our own thread, ever
  std::atomic<std::uint64_t> calls_open;              // places whose memory was taken into use
  // Numbers (stats=on): rows in use, and rows whose memory was taken into use.
  alignas(64) std::atomic<std::uint64_t> stats_used;
  std::atomic<std::uint64_t> stats_ready;
  std::atomic<std::uint64_t> stats_moving;  // how often counts began to move from a block to rows
  std::atomic<std::uint64_t> stats_moved;   // ... and were there
  // Two readings of the processor's counter beside CLOCK_MONOTONIC, a first and a late one.
  std::atomic<std::uint64_t> stats_first_cycles;
  std::atomic<std::uint64_t> stats_first_ns;
  std::atomic<std::uint64_t> stats_last_cycles;
  std::atomic<std::uint64_t> stats_last_ns;
  std::atomic<std::uint64_t> stats_maps_bytes;   // length of the text in kStatMaps
  std::atomic<std::uint64_t> stats_maps_change;  // odd while it is written
  alignas(64) std::atomic<std::uint64_t> counters[64];

  // Written by our own thread, and by `impasse dump` from outside.
  alignas(64) std::atomic<std::uint64_t> findings;  // reported so far
  // A wish for a report of all threads: its number << 8 | request_flag. The answer stands in a file
  // beside the ledger (".dump") when `answered` has the same number. Who asks holds the file's
  // flock() until it has the answer or has taken the wish back; the process itself never locks it.
  std::atomic<std::uint64_t> request;
  std::atomic<std::uint64_t> answered;  // number << 8 | 1 when there is a file
};

namespace request_flag {
inline constexpr std::uint64_t kRunningStacks = 1;
inline constexpr std::uint64_t kOrders = 2;       // not the threads: the orders of its locks
inline constexpr std::uint64_t kWithdrawn = 128;  // nobody waits for the answer any more
}  // namespace request_flag
static_assert(sizeof(LedgerHeader) <= kPage);
static_assert(kCounters <= 64);
static_assert(static_cast<unsigned>(kRegions) <= 16);

}  // namespace impasse
