"""A report's JSON with its references to places and stacks put in, for tests that look at both."""

import copy


def resolved(report):
    """A copy in which sites and entries are places, and a thread's stack has frames that have
    their place's keys; whoever has no stack has one without frames."""
    report = copy.deepcopy(report)
    places = report["places"]
    nothing = {"frames": [], "whole": False, "trouble": "", "left_out": 0, "left_out_after": 0}

    def put(holder, key, table, otherwise=None):
        holder[key] = otherwise if holder[key] is None else table[holder[key]]

    stacks = [
        {**stack, "frames": [{**frame, **places[frame["place"]]} for frame in stack["frames"]]}
        for stack in report["stacks"]
    ]
    for thread in report["threads"]:
        put(thread, "stack", stacks, nothing)
        put(thread, "entry", places)
        for one in (*thread["holds"], *([thread["wait"]] if thread["wait"] else [])):
            put(one, "site", places)
    for call in report.get("calls", []):
        put(call, "site", places)
        put(call, "held_site", places)
    if "call" in report["finding"]:
        put(report["finding"], "call", places)
    for order in report["finding"]["orders"]:
        put(order, "stack", stacks, nothing)
        for key in ("from_site", "to_site"):
            put(order, key, places)
        for held in order["others"]:
            put(held, "site", places)
    return report


def referring(report):
    """The way back, with nothing told twice."""
    report = copy.deepcopy(report)
    report["places"], report["stacks"] = [], []

    def take(holder, key, table):
        value = holder[key]
        if value is not None:
            if value not in table:
                table.append(value)
            holder[key] = table.index(value)

    if "call" in report["finding"]:
        take(report["finding"], "call", report["places"])
    for thread in report["threads"]:
        for one in (*thread["holds"], *([thread["wait"]] if thread["wait"] else [])):
            take(one, "site", report["places"])
        take(thread, "entry", report["places"])
        for i, frame in enumerate(thread["stack"]["frames"]):
            thread["stack"]["frames"][i] = {"place": frame}
            take(thread["stack"]["frames"][i], "place", report["places"])
        take(thread, "stack", report["stacks"])
    return report
