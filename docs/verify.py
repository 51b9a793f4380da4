#!/usr/bin/env python3
"""Checks audit logs without any of our code: `docs/verify.py FILE...`, plain or gzip, JSON lines.

Ends with 1 if something is wrong, 2 if something cannot be checked here, or nothing is. A second
opinion that is read in minutes: members in the filter's order, no heads, all hashes in memory."""
import gzip, hashlib, json, sys, zlib

MARKS = "grant_seq", '"v":1,"time":', '"heads":'
said, chains = {"wrong": 0, "not checked": 0, "unproven": 0}, {}


def say(what, text):
    print(f"{what}: {text}")
    said[what] += 1


def once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member is there twice, and nobody knows which of them was meant")
    return dict(pairs)


def records(value):
    """The records in a parsed line: objects with our members, or strings that hold one."""
    if isinstance(value, dict) and {"chain", "seq", "prev", "hash"} <= value.keys():
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from records(inner)
    elif isinstance(value, str) and "grant_seq" in value:
        yield from records(json.loads(value, object_pairs_hook=once))


def check(record, where):
    """SHA-256 of the record without `hash`: compact JSON, members in their order, UTF-8."""
    seq, end, start = record["seq"], record["hash"], record.get("start")
    rest = {name: value for name, value in record.items() if name != "hash"}
    text = json.dumps(rest, separators=(",", ":"), ensure_ascii=False)
    chain = chains.setdefault(record["chain"], {})
    if seq is None and end is None and record["phase"] == "decision":
        said["unproven"] += 1
    elif list(record)[0] != "v" or list(record)[-1] != "hash":
        say("not checked", f"{where}: the members were put in another order")
    elif type(seq) is not int or seq < 1 or hashlib.sha256(text.encode()).hexdigest() != end:
        say("wrong", f"{where}: record {seq} is not what was written")
    elif chain.setdefault(seq, (end, record["prev"]))[0] != end or (
            start and chain.setdefault(start["seq"], (start["hash"], None))[0] != start["hash"]):
        say("wrong", f"{where}: record {seq}, or its start, is there in another form")


for name in sys.argv[1:]:
    try:
        with open(name, "rb") as file:
            opener = gzip.open if file.read(2) == b"\x1f\x8b" else open
        with opener(name, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                found, where, plain = 0, f"{name}:{number}", line.replace("\\", "")
                try:
                    for record in records(json.loads(line, object_pairs_hook=once)):
                        check(record, where)
                        found += 1
                except (ValueError, LookupError, TypeError, RecursionError):
                    found = 0
                if not found and any(mark in plain for mark in MARKS):
                    say("not checked", f"{where}: heads, or a record in text, or a part of one")
    except (OSError, EOFError, ValueError, zlib.error) as error:  # zstd is no UTF-8
        say("not checked", f"{name}: {error}")
for identity, chain in sorted(chains.items(), key=str):
    last = 0
    for seq in sorted(chain):
        if seq != last + 1:
            say("wrong", f"chain {identity}: record {last + 1} is missing, with all before {seq}")
        elif last and chain[seq][1] and chain[seq][1] != chain[last][0]:
            say("wrong", f"chain {identity}: record {seq} does not follow {last}")
        last = seq
    print(f"chain {identity}: {len(chain)} records, the last is {last} {chain.get(last, ' ')[0]}")
print(f"unproven: {said['unproven']} records without a seal")
if not any(chains.values()):
    say("not checked", "there is no record with a seal")
sys.exit(1 if said["wrong"] else 2 if said["not checked"] else 0)
