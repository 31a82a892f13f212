"""What a report of each alarming case has to say: the circle, order by order."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Order:
    """`thread` took lock `to` in the function `to_in`, holding `held`, taken in `held_in`.

    A lock without a name of its own and a thread that may be any: None.
    """

    thread: str | None
    held: str | None
    to: str | None
    held_in: str
    to_in: str
    held_mode: str = "exclusive"
    to_mode: str = "exclusive"
    again: bool = False


def there_and_back(threads, locks, *, modes=(("exclusive",) * 2,) * 2):
    """By takeForward and takeBackward of the cases."""
    one, other = locks
    return [
        Order(threads[0], one, other, "takeForward", "takeForward", *modes[0]),
        Order(threads[1], other, one, "takeBackward", "takeBackward", *modes[1]),
    ]


def circle(threads, locks, function):
    """Each takes the lock of the next."""
    return [
        Order(thread, lock, following, function, function)
        for thread, lock, following in zip(threads, locks, locks[1:] + locks[:1])
    ]


ACCOUNTS = ("accounts_mutex", "audit_mutex")
STOCK = ("stock_mutex", "orders_mutex")
SIDES = ("left_mutex", "right_mutex")
SHELVES = ("catalog_lock", "shelves_lock")
FAIR_SHELVES = ("fair_catalog_lock", "fair_shelves_lock")
CACHE = ("cache_mutex", "index_mutex")
COMPASS = ["north_mutex", "east_mutex", "south_mutex"]
READ, WRITE = "shared", "exclusive"

ALARMS = {
    # circles.cc
    "abba": there_and_back(("transfer", "auditor"), ACCOUNTS),
    "abba_later_thread": there_and_back(("transfer", "auditor"), ACCOUNTS),
    "main_against_thread": there_and_back(("transfer", "order_cases"), ACCOUNTS),
    "three_circle": circle(["from-north", "from-east", "from-south"], COMPASS, "cross"),
    "philosophers": circle(
        ["Platon", "Sokrates", "Kant", "Hegel", "Marx"], ["forks"] * 5, "dine"
    ),
    "rounds_by_three": circle([None] * 3, COMPASS, "takeForward"),
    "deep_holds": [
        Order("climber", "ranks", "rest_mutex", "takeAllRanksThenRest", "takeAllRanksThenRest"),
        Order("resting", "rest_mutex", "ranks", "takeBackward", "takeBackward"),
    ],
    "deep_changes": [
        Order("climber", "ranks", "rest_mutex", "takeSomeRanksThenRest", "takeSomeRanksThenRest"),
        Order("resting", "rest_mutex", "ranks", "takeBackward", "takeBackward"),
    ],
    "main_stack": there_and_back(("transfer", "auditor"), (None, None)),
    "released_out_of_order": [
        Order("stepper", "east_mutex", "south_mutex", "takeAndStepOver", "takeAndStepOver"),
        Order("return", "south_mutex", "east_mutex", "takeBackward", "takeBackward"),
    ],
    "raft_monitor": [
        Order("raft-loop", "raft_node", "heartbeats", "handleMessage", "recordHeartbeat"),
        Order("raft-monitor", "heartbeats", "raft_node", "checkTimeouts", "startElection"),
    ],
    "session_inversion": [
        Order("login", "registry_mutex", "session_mutex", "logIn", "openSession"),
        Order("delivery", "session_mutex", "handler_mutex", "deliver", "deliver"),
        Order("reload", "handler_mutex", "registry_mutex", "reloadHandler", "countSessions"),
    ],
    # gates.cc
    "read_gate": there_and_back(("there", "back"), STOCK),
    "two_gates": there_and_back(("there", "back"), STOCK),
    "gate_given_back": [
        Order("there", *STOCK, "enterForward", "enterForward"),
        Order("back", *STOCK[::-1], "enterBackward", "enterBackward"),
    ],
    "gate_left_out": there_and_back(("there", "back"), STOCK),
    # kinds.cc
    "spin": there_and_back(("receiver", "publisher"), ("ring_lock", "stats_lock")),
    "c11_mtx": there_and_back(("sender", "receiver"), ("inbox_mtx", "outbox_mtx")),
    "scoped": [
        Order("there", *SIDES, "scopedForward", "scopedForward"),
        Order("back", *SIDES[::-1], "scopedBackward", "scopedBackward"),
    ],
    "recursive_inversion": [
        Order("visitor", "tree_mutex", "left_mutex", "visitTreeAndLog", "visitTreeAndLog"),
        Order("logger", "left_mutex", "tree_mutex", "logTree", "logTree"),
    ],
    "condition_keeps_lock": [
        Order(
            "waiter",
            "stats_mutex",
            "queue_mutex",
            "waitWithStats",
            "waitWithStats",
            again=True,
        ),
        Order("counter", "queue_mutex", "stats_mutex", "countQueue", "countQueue"),
    ],
    "deep_condition": [
        Order(
            "waiter",
            "stats_mutex",
            "queue_mutex",
            "waitWithStats",
            "waitWithStats",
            again=True,
        ),
        Order("counter", "queue_mutex", "stats_mutex", "countQueue", "countQueue"),
    ],
    "try_outer": [
        Order("there", *SIDES, "tryAndTake", "tryAndTake"),
        Order("back", *SIDES[::-1], "takeBackward", "takeBackward"),
    ],
    "timed_outer": [
        Order("there", "patient_mutex", "other_patient_mutex", "tryForAndTake", "tryForAndTake"),
        Order("back", "other_patient_mutex", "patient_mutex", "takeBackward", "takeBackward"),
    ],
    "signal_handler_inversion": [
        Order("interrupted", "queue_mutex", "stats_mutex", "takeQueueInterrupted", "countSignal"),
        Order("stats", "stats_mutex", "queue_mutex", "takeStatsThenQueue", "takeStatsThenQueue"),
    ],
    # readers.cc
    "mutex_and_write": there_and_back(("reprice", "delist"), ("prices_mutex", "catalog_lock")),
    "readers_that_write": there_and_back(
        ("restock", "relabel"), SHELVES, modes=((READ, WRITE), (READ, WRITE))
    ),
    "writers_that_read": there_and_back(
        ("restock", "relabel"), SHELVES, modes=((WRITE, READ), (WRITE, READ))
    ),
    "readers_behind_writers": there_and_back(
        ("browse", "count"), FAIR_SHELVES, modes=((READ, READ), (READ, READ))
    ),
    "read_again_behind_writer": [
        Order(
            "browse",
            "fair_catalog_lock",
            "fair_catalog_lock",
            "takeForward",
            "takeForward",
            READ,
            READ,
        ),
    ],
    # life.cc
    "main_before_and_after": there_and_back(("order_cases", "second"), CACHE),
    "joined_then_again": there_and_back(("order_cases", "second"), CACHE),
    "gone_detached": there_and_back(("visitor-1", "visitor-2"), CACHE),
    "grandchild_not_joined": there_and_back(("grandchild", "second"), CACHE),
    # plugins.cc
    "plugin": [
        Order("host", "host_mutex", "plugin_mutex", "hostRegister", "pluginRegister"),
        Order("notifier", "plugin_mutex", "host_mutex", "pluginNotify", "hostCallback"),
    ],
}

# With `order=all`, where the doubtful is asked for: the case, its doubt, its circle. What main()
# does before it makes its first thread is not recorded, so main_before_creating is silent even so.
DOUBTS = {
    "timed_inner": (
        "timed",
        [
            Order("there", *SIDES, "takeForward", "takeForward"),
            Order("back", *SIDES[::-1], "takeAndTimedLock", "takeAndTimedLock"),
        ],
    ),
    "try_for_inner": (
        "timed",
        [
            Order("there", "patient_mutex", "other_patient_mutex", "takeForward", "takeForward"),
            Order("back", "other_patient_mutex", "patient_mutex", "takeAndTryFor", "takeAndTryFor"),
        ],
    ),
    "classes": (
        "class",
        [
            Order("visitor", None, None, "enterRoom", "enterRoom"),
            Order("janitor", None, None, "closeRoom", "closeRoom"),
        ],
    ),
    "joined_before": ("phases", there_and_back(("first", "second"), CACHE)),
    "main_after_joining": ("phases", there_and_back(("first", "order_cases"), CACHE)),
    "grandchild_joined": ("phases", there_and_back(("grandchild", "second"), CACHE)),
}
# Told with `order_classes=on` only.
OF_ONE_KIND = {"classes"}
# Told without being asked for.
DOUBTED_BY_DEFAULT = {"timed_inner", "try_for_inner"}

SILENT = {
    *("one_thread", "rounds_by_two", "released_before", "hand_over_hand", "by_address"),
    *("thread_per_request", "common_gate", "write_lock_gate", "write_gate_read_gate"),
    *("gated_then_bare", "recursive_again", "condition_alone", "try_inner", "try_both"),
    *("scoped_both", "signal_handler_same_order", "readers_default_kind"),
    *("read_again_default_kind", "meet_as_readers", "joined_before", "main_before_creating"),
    *("main_after_joining", "grandchild_joined", "destroyed_and_made", "freed_object"),
    *("reallocated", "popped_frame", "ended_stack", "unmapped", "plugin_reloaded"),
}
